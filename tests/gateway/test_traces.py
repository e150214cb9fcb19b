"""Traces: one span of a request, below it one of each call, in the words of OpenTelemetry; never a prompt."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.semconv._incubating.attributes import gen_ai_attributes
from opentelemetry.trace import SpanKind, StatusCode
from tests.gateway.plain import ask, chat
from tests.gateway.world import FAST, PLAIN, World, opened, until

from turnout.gateway.traces import Traces

CALLER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
PROMPT, SYSTEM = "a secret that nobody may read", "another secret"


class Traced:
    """A gateway whose spans are kept in memory."""

    def __init__(self, world: World, kept: InMemorySpanExporter) -> None:
        self.world = world
        self.url = world.url
        self._kept = kept

    def spans(self, requests: int = 1) -> tuple[list[ReadableSpan], list[ReadableSpan]]:
        """The spans of requests, when so many have ended, and those of calls."""

        def of(kind: SpanKind) -> list[ReadableSpan]:
            return [span for span in self._kept.get_finished_spans() if span.kind is kind]

        until(lambda: len(of(SpanKind.SERVER)) == requests)
        return of(SpanKind.SERVER), of(SpanKind.CLIENT)


@pytest.fixture(scope="module")
def _running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[World, InMemorySpanExporter]]:
    kept = InMemorySpanExporter()
    provider = TracerProvider()
    provider.add_span_processor(SimpleSpanProcessor(kept))
    with ExitStack() as stack:
        with mock.patch.object(Traces, "open", lambda: Traces(provider)):
            world = stack.enter_context(opened(tmp_path_factory.mktemp("traces"), gateway="{traces: true}"))
        yield world, kept


@pytest.fixture
def traced(_running: tuple[World, InMemorySpanExporter]) -> Traced:
    world, kept = _running
    world.heal()
    kept.clear()
    return Traced(world, kept)


def test_a_request_is_one_span_with_its_call_below_it(traced: Traced) -> None:
    body = {
        "model": PLAIN,
        "messages": [{"role": "system", "content": SYSTEM}, {"role": "user", "content": PROMPT}],
        "temperature": 0.5,
        "max_tokens": 40,
    }
    said = ask(f"{traced.url}/v1/chat/completions", body)
    (whole,), (call,) = traced.spans()
    assert whole.name == "POST /v1/chat/completions"
    assert call.name == "chat llama3.1:8b"
    assert whole.attributes is not None and call.attributes is not None
    assert whole.attributes["http.response.status_code"] == 200
    assert whole.attributes["turnout.decision"] == call.attributes["turnout.decision"] == said.decision
    assert whole.attributes["turnout.candidate"] == PLAIN
    assert whole.attributes["turnout.reason"]
    usage = said.json["usage"]
    told = dict(call.attributes)
    assert told.pop("server.port") > 0
    assert told == {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "ollama",
        "gen_ai.request.model": "llama3.1:8b",
        "gen_ai.request.stream": told["gen_ai.request.stream"],
        "gen_ai.request.temperature": 0.5,
        "gen_ai.request.max_tokens": 40,
        "gen_ai.response.model": "llama3.1:8b",
        "gen_ai.response.finish_reasons": (said.json["choices"][0]["finish_reason"],),
        "gen_ai.usage.input_tokens": usage["prompt_tokens"],
        "gen_ai.usage.output_tokens": usage["completion_tokens"],
        "server.address": "127.0.0.1",
        "turnout.decision": said.decision,
        "turnout.role": "first",
        "turnout.call": 1,
    }
    assert call.parent is not None and call.parent.span_id == whole.context.span_id
    assert whole.start_time <= call.start_time <= call.end_time <= whole.end_time  # type: ignore[operator]


def test_names_are_those_of_the_conventions(traced: Traced) -> None:
    chat(traced.url, stream=True)
    _, (call,) = traced.spans()
    known = {value for name, value in vars(gen_ai_attributes).items() if name.startswith("GEN_AI_")}
    assert call.attributes is not None
    ours = {name for name in call.attributes if name.startswith("gen_ai.")}
    assert ours <= known and "gen_ai.response.time_to_first_chunk" in ours


@pytest.mark.parametrize("stream", [False, True])
def test_no_span_holds_a_word_of_prompt_or_answer(traced: Traced, stream: bool) -> None:
    said = ask(
        f"{traced.url}/v1/chat/completions",
        {"model": FAST, "messages": [{"role": "user", "content": PROMPT}], "stream": stream},
    )
    traced.world.fails("error_500")
    ask(f"{traced.url}/v1/chat/completions", {"model": FAST, "messages": [{"role": "user", "content": PROMPT}]})
    requests, calls = traced.spans(2)
    everything = " ".join(span.to_json() for span in (*requests, *calls))
    assert PROMPT not in everything
    if not stream:
        assert said.json["choices"][0]["message"]["content"][:30] not in everything


def test_the_trace_of_the_caller_goes_on(traced: Traced) -> None:
    chat(traced.url, traceparent=CALLER)
    (whole,), (call,) = traced.spans()
    assert f"{whole.context.trace_id:032x}" == f"{call.context.trace_id:032x}" == CALLER.split("-")[1]
    assert whole.parent is not None and f"{whole.parent.span_id:016x}" == CALLER.split("-")[2]


def test_who_is_not_to_be_traced_is_not(traced: Traced) -> None:
    chat(traced.url, traceparent=f"{CALLER[:-2]}00")
    chat(traced.url)
    (whole,), _ = traced.spans()
    assert f"{whole.context.trace_id:032x}" != CALLER.split("-")[1]


def test_failures_are_told_by_their_codes(traced: Traced) -> None:
    traced.world.fails("error_500")
    said = chat(traced.url, model=FAST)
    (whole,), calls = traced.spans()
    assert whole.attributes is not None
    assert whole.attributes["http.response.status_code"] == said.status >= 500
    assert whole.attributes["error.type"] == "no_answer"
    assert whole.status.status_code is StatusCode.ERROR
    assert calls
    for call in calls:
        assert call.attributes is not None and call.attributes["error.type"]
        assert call.status.status_code is StatusCode.ERROR and call.status.description is None


def test_a_fallback_has_a_span_for_each_candidate(traced: Traced) -> None:
    traced.world.fails("error_500", "lmstudio")
    assert chat(traced.url).status == 200
    _, calls = traced.spans()
    roles = [call.attributes["turnout.role"] for call in calls if call.attributes is not None]
    assert "first" in roles and "fallback" in roles


def test_all_members_of_an_ensemble_are_below_one_request(traced: Traced) -> None:
    assert chat(traced.url, model="pair").status == 200
    (whole,), calls = traced.spans()
    assert len(calls) >= 2
    assert {call.parent.span_id for call in calls if call.parent is not None} == {whole.context.span_id}


def test_a_refused_request_is_a_span_and_a_look_at_its_health_is_none(traced: Traced) -> None:
    assert ask(f"{traced.url}/healthz").status == 200
    assert ask(f"{traced.url}/v1/chat/completions", {"model": "nobody", "messages": []}).status in (400, 404)
    (whole,), calls = traced.spans()
    assert not calls and whole.attributes is not None and whole.attributes["error.type"] in ("400", "404")


def test_without_the_flag_nothing_of_opentelemetry_is_imported() -> None:
    script = (
        "import json, sys\nimport turnout.gateway.server\n"
        "print(json.dumps([name for name in sys.modules if name.startswith('opentelemetry')]))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert json.loads(done.stdout) == []


def test_a_machine_without_opentelemetry_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    from turnout.errors import MissingExtraError

    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(MissingExtraError, match="otel"):
        Traces.open()


def test_spans_go_out_over_otlp(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    exporter = pytest.importorskip("opentelemetry.exporter.otlp.proto.http.trace_exporter").OTLPSpanExporter
    sent: list[ReadableSpan] = []
    monkeypatch.setattr(exporter, "export", lambda self, spans: sent.extend(spans))
    with opened(tmp_path, gateway="{traces: true}") as world:
        assert chat(world.url).status == 200
    assert {span.name.split()[0] for span in sent} == {"POST", "chat"}
    assert {span.resource.attributes["service.name"] for span in sent} == {"turnout"}
