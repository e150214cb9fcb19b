"""Requests made up from the gateway's own document, right ones and wrong ones, and what must be true of every answer."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from jsonschema import Draft202012Validator
from schemathesis import Case, GenerationMode
from tests.gateway.world import EMBEDDER, FAST, THINKER, World

from turnout.gateway.openapi.document import document

LIMIT_S = 20.0
"""As long as an answer may take on a busy machine; providers here wait for nothing."""

_MODELS = ("auto", "auto-fast", FAST, THINKER, EMBEDDER, "pair")
_WISHES = ("x-turnout-candidate", "x-turnout-preference", "x-turnout-deadline", "x-turnout-hold", "x-turnout-cache")

_SLOW, _FEW = ("/turnout/feedback",), 10
"""Feedback on answers that nobody gave is looked for in the history, which takes a while."""

_BROWSER_ONLY = {"origin", "host", "content-length", "transfer-encoding", "content-encoding", "expect", "connection"}
"""Headers that are another test's: these examples are about what the paths are asked."""


@dataclass
class Report:
    """What was asked and how it was answered."""

    examples: int = 0
    slowest_s: float = 0.0
    statuses: Counter[tuple[str, int]] = field(default_factory=Counter)

    def __str__(self) -> str:
        by_status: Counter[int] = Counter()
        for (_, status), count in self.statuses.items():
            by_status[status] += count
        told = ", ".join(f"{status}: {count}" for status, count in sorted(by_status.items()))
        return f"{self.examples} examples, the slowest {self.slowest_s:.2f} s ({told})"


def fuzz(world: World, examples: int, *, first: int = 0) -> Report:
    """Ask every path so many times, alike on every run.

    Args:
        world: a gateway before pretended providers.
        examples: of each path and each kind, right and wrong.
        first: another number, other examples.

    Raises:
        AssertionError: an answer is not as the document says.
    """
    report = Report()
    schema = schemathesis.openapi.from_dict(document())
    for each in schema.get_all_operations():
        operation = each.ok()
        for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
            cases = operation.as_strategy(generation_mode=mode)
            _ask_all(world, report, cases, min(examples, _FEW) if operation.path in _SLOW else examples, first)
    return report


def _ask_all(world: World, report: Report, cases: st.SearchStrategy[Case], examples: int, first: int) -> None:
    @seed(first)
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases, model=st.sampled_from(("", *_MODELS)))
    def ask(case: Case, model: str) -> None:
        if model and isinstance(case.body, dict) and isinstance(case.body.get("model"), str):
            case.body["model"] = model  # a made-up name would end most requests before they begin
            case.headers = {name: value for name, value in (case.headers or {}).items() if name not in _WISHES}
        case.headers = {
            name: value for name, value in (case.headers or {}).items() if name.lower() not in _BROWSER_ONLY
        }
        before_s = time.monotonic()
        # With requests itself, because schemathesis does not read streams to their end.
        answer = requests.request(**case.as_transport_kwargs(base_url=world.url), timeout=LIMIT_S)
        report.slowest_s = max(report.slowest_s, time.monotonic() - before_s)
        report.examples += 1
        report.statuses[f"{case.method} {case.path}", answer.status_code] += 1
        path = case.path if case.method.lower() in document()["paths"][case.path] else ""
        if path and not _is_elsewhere(case, str(answer.request.url)):
            check_answer(path, case.method.lower(), answer.status_code, answer.headers, answer.content)

    with suppress(Unsatisfiable):  # what takes nothing cannot be asked wrongly
        ask()


def _is_elsewhere(case: Case, url: str) -> bool:
    """Whether the name in the path made it another path: empty, or nothing but dots."""
    names = [str(name) for name in (case.path_parameters or {}).values()]
    return any(not name.strip("./") for name in names) or any(f"/{dots}/" in f"{url}/" for dots in (".", ".."))


def check_answer(path: str, method: str, status: int, headers: Mapping[str, Any], content: bytes) -> None:
    """An answer is one of those that the document knows.

    Raises:
        AssertionError: it is not.
    """
    told = f"{method} {path}: {status} {content[:500]!r}"
    assert status != 500, told
    responses = document()["paths"][path][method]["responses"]
    assert str(status) in responses, told
    known = responses[str(status)].get("content", {})
    if not known:
        return
    kind = _first(headers.get("content-type")).partition(";")[0]
    assert kind in known, f"{kind} {told}"
    schema = known[kind]["schema"]
    match kind:
        case "application/json":
            pieces = [(schema, content)]
        case "application/x-ndjson":
            pieces = [(schema["x-line-schema"], line) for line in content.split(b"\n") if line]
        case "text/event-stream":
            data = [line[6:] for line in content.split(b"\n") if line.startswith(b"data: ")]
            pieces = [(schema["x-event-schema"], line) for line in data if line != b"[DONE]"]
            assert pieces, told
        case _:
            pieces = []
    for wanted, piece in pieces:
        value = json.loads(piece)
        if "error" in value and kind == "text/event-stream":
            wanted = {"$ref": "#/components/schemas/Error"}
        elif "error" in value and kind == "application/x-ndjson":
            wanted = {"$ref": "#/components/schemas/OllamaError"}
        Draft202012Validator({**wanted, "components": document()["components"]}).validate(value)


def _first(value: Any) -> str:
    """A header, whether it comes as text or as a list."""
    return value[0] if isinstance(value, list) else value or ""
