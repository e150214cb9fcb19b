"""Traffic for a gateway in front of the laboratory: tasks nobody was trained on, judged, and fed back as outcomes."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from time import perf_counter
from typing import Any, Final
from urllib.parse import SplitResult, urlsplit

from turnout.errors import ConfigurationError, RequestError, UnreachableError
from turnout.lab.engine import MOST_TOKENS
from turnout.lab.judge import judge
from turnout.lab.world import Task

_PATIENCE_S: Final = 60.0
_OVERLOADED: Final = 500


@dataclass(frozen=True, slots=True)
class Reply:
    """What came of one task: who answered ("" where nobody did), 1 for right and 0 for wrong, seconds until the whole answer."""

    candidate: str
    score: float
    seconds: float


@dataclass(frozen=True, slots=True)
class Tally:
    """Replies added up: how many, the share that was right, mean seconds."""

    requests: int
    right: float
    seconds: float


def traffic(gateway: str, tasks: Iterable[Task]) -> Iterator[Reply]:
    """Send one task after the other as model `auto` and say what came of it, its feedback kept.

    Args:
        gateway: the base URL of a Turnout gateway, without `/v1`.

    Raises:
        ConfigurationError: no base URL.
        UnreachableError: nothing answers there, or no Turnout.
        RequestError: the gateway refuses the request, as one that wants a key does.
    """
    with closing(_connection(gateway)) as connection:
        for task in tasks:
            began = perf_counter()
            status, decision, candidate, said = _asked(connection, gateway, task)
            seconds = perf_counter() - began
            if status >= _OVERLOADED:
                yield Reply("", 0.0, seconds)
                continue
            if status != 200:
                raise RequestError(f"the gateway at {gateway} answers {status}: {_message(said)}")
            if not decision:
                raise UnreachableError(f"what answers at {gateway} is no Turnout gateway; start one: turnout lab up")
            score = judge(task, said["choices"][0]["message"]["content"] or "")
            verdict = {"decision": decision, "kind": "good" if score else "bad"}
            status, _, said = _post(connection, gateway, "/turnout/feedback", verdict)
            if status != 200:
                raise RequestError(f"the gateway at {gateway} keeps no feedback ({status}: {_message(said)})")
            yield Reply(candidate, score, seconds)


def tallies(replies: Sequence[Reply]) -> dict[str, Tally]:
    """One for each candidate that answered, by name; "" for tasks that nobody answered."""
    names = sorted({reply.candidate for reply in replies})
    return {name: tally([reply for reply in replies if reply.candidate == name]) for name in names}


def tally(replies: Sequence[Reply]) -> Tally:
    """All of them together; zeros where there are none."""
    count = max(1, len(replies))
    right, seconds = sum(reply.score for reply in replies), sum(reply.seconds for reply in replies)
    return Tally(len(replies), right / count, seconds / count)


def _connection(gateway: str) -> HTTPConnection:
    try:
        place: SplitResult = urlsplit(gateway)
        port = place.port
    except ValueError as error:
        raise ConfigurationError(f"{gateway!r} is no address of a gateway ({error})") from error
    if place.scheme not in ("http", "https") or not place.hostname:
        raise ConfigurationError(f"{gateway!r} is no address of a gateway; expected http://HOST:PORT")
    kind = HTTPSConnection if place.scheme == "https" else HTTPConnection
    return kind(place.hostname, port, timeout=_PATIENCE_S)


def _asked(connection: HTTPConnection, gateway: str, task: Task) -> tuple[int, str, str, Any]:
    question = {
        "model": "auto",
        "messages": [{"role": "user", "content": task.prompt}],
        "temperature": 0,
        "max_tokens": MOST_TOKENS,
    }
    status, headers, said = _post(connection, gateway, "/v1/chat/completions", question)
    return status, headers.get("x-turnout-decision", ""), headers.get("x-turnout-candidate", ""), said


def _post(connection: HTTPConnection, gateway: str, path: str, body: Any) -> tuple[int, dict[str, str], Any]:
    try:
        connection.request("POST", path, json.dumps(body), {"Content-Type": "application/json"})
        response = connection.getresponse()
        raw = response.read()
    except (OSError, HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise UnreachableError(f"no gateway answers at {gateway} ({reason}); start one: turnout lab up") from error
    headers = {name.lower(): value for name, value in response.getheaders()}
    try:
        return response.status, headers, json.loads(raw)
    except ValueError:
        return response.status, headers, raw.decode(errors="replace")[:200]


def _message(said: Any) -> str:
    error = said.get("error") if isinstance(said, dict) else said
    return str(error.get("message") if isinstance(error, dict) else error)
