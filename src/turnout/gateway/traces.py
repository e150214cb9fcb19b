"""Traces of requests for OpenTelemetry, after its conventions for generative AI; never a word of a prompt or an answer.

One span is of the request as the gateway took it, below it one of each call to a candidate, retries and the losers of
races included. They are made of what observers hear at the end, when the answer is on its way already; before that a
request pays for a clock and a list. Where the spans go is said to the exporter as everywhere, by the variables
OTEL_EXPORTER_OTLP_ENDPOINT and its like. The conventions are those of GenAI 1.37 and later (`gen_ai.provider.name`).
"""

from __future__ import annotations

import asyncio
import logging
import os
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urlsplit

from aiohttp import web

from turnout.config.providers import Provider
from turnout.errors import MissingExtraError
from turnout.execution.served import Served
from turnout.gateway.replying import CLIENT
from turnout.types import Attempt, Tried

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace import TracerProvider

logger = logging.getLogger(__name__)

_Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

ANSWERING: Final = ("/v1/", "/api/")
"""Paths that are traced; who watches over the process, or shows the page, asks others every few seconds."""

NO_FAILURE: Final = frozenset({"", "cancelled", "overtaken"})
"""Ends of a call that are not its fault."""

_NS: Final = 1_000_000_000
_PORTS: Final = {"http": 80, "https": 443}
_heard: ContextVar[list[Served] | None] = ContextVar("turnout_heard", default=None)


class Traces:
    """Makes spans of requests. An observer, and a middleware outside all others.

    Args:
        provider: of tracers; it is shut down when this is closed.
    """

    def __init__(self, provider: TracerProvider) -> None:
        from opentelemetry.trace import SpanKind
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        self._provider = provider
        self._tracer = provider.get_tracer("turnout.gateway")
        self._kinds = SpanKind
        self._propagator = TraceContextTextMapPropagator()

    @classmethod
    def open(cls) -> Traces:
        """Traces that are sent over OTLP to where the environment says.

        Raises:
            MissingExtraError: OpenTelemetry is not installed.
        """
        try:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
            from opentelemetry.sdk.resources import Resource
            from opentelemetry.sdk.trace import TracerProvider
            from opentelemetry.sdk.trace.export import BatchSpanProcessor
        except ImportError:
            raise MissingExtraError("otel", "gateway.traces") from None
        named = {} if "OTEL_SERVICE_NAME" in os.environ else {"service.name": "turnout"}
        provider = TracerProvider(resource=Resource.create(named))
        provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
        return cls(provider)

    def close(self) -> None:
        """Send what waits. Takes as long as the exporter may."""
        self._provider.shutdown()

    def served(self, news: Served) -> None:
        """One request has ended; an ensemble is several in one."""
        heard = _heard.get()
        if heard is not None:
            heard.append(news)

    @web.middleware
    async def follow(self, request: web.Request, handler: _Handler) -> web.StreamResponse:
        """One request from its first to its last byte."""
        if not request.path.startswith(ANSWERING):
            return await handler(request)
        started_ns, heard = time.time_ns(), []  # type: tuple[int, list[Served]]
        token = _heard.set(heard)
        status = 499  # nginx's word for a client that went away
        try:
            response = await handler(request)
            status = response.status
            return response
        except web.HTTPException as error:
            status = error.status
            raise
        finally:
            _heard.reset(token)
            ended_ns = time.time_ns()
            # After the answer has gone: what is left of this turn of the event loop sends it.
            asyncio.get_running_loop().call_soon(self._told, request, status, started_ns, ended_ns, heard)

    def _told(self, http: web.Request, status: int, started_ns: int, ended_ns: int, heard: list[Served]) -> None:
        try:
            self._tell(http, status, started_ns, ended_ns, heard)
        except Exception:  # whoever observes must not be able to harm the gateway
            logger.exception("a request could not be traced")

    def _tell(self, http: web.Request, status: int, started_ns: int, ended_ns: int, heard: list[Served]) -> None:
        from opentelemetry.trace import Status, StatusCode, set_span_in_context

        resource = http.match_info.route.resource
        route = resource.canonical if resource is not None else ""
        attributes: dict[str, Any] = {"http.request.method": http.method, "http.response.status_code": status}
        if route:
            attributes["http.route"] = route
        for news in heard:
            attributes |= _of_request(news)
        if status >= 400 and "error.type" not in attributes:
            attributes["error.type"] = str(status)
        span = self._tracer.start_span(
            f"{http.method} {route}".rstrip(),
            context=self._propagator.extract(http.headers),
            kind=self._kinds.SERVER,
            attributes=attributes,
            start_time=started_ns,
        )
        if status >= 500:
            span.set_status(Status(StatusCode.ERROR))
        providers = http.app[CLIENT].configuration.providers
        below = set_span_in_context(span)
        for news in heard:
            for tried, attempt in _attempts(news):
                self._called(below, providers, news, tried, attempt)
        span.end(ended_ns)

    def _called(
        self, context: Context, providers: Mapping[str, Provider], news: Served, tried: Tried, attempt: Attempt
    ) -> None:
        """The span of one call."""
        from opentelemetry.trace import Status, StatusCode

        started_ns = int(attempt.started_at * _NS)
        span = self._tracer.start_span(
            f"chat {attempt.candidate.partition('/')[2]}",
            context=context,
            kind=self._kinds.CLIENT,
            attributes=_of_call(providers, news, tried, attempt),
            start_time=started_ns,
        )
        if attempt.error not in NO_FAILURE:
            span.set_status(Status(StatusCode.ERROR))
        span.end(started_ns + int(attempt.total_s * _NS))


def _attempts(news: Served) -> Iterator[tuple[Tried, Attempt]]:
    for tried in news.tried:
        for attempt in tried.attempts:
            yield tried, attempt


def _of_request(news: Served) -> dict[str, Any]:
    """What is said of one request. Tokens are said of calls only, so that nobody counts them twice."""
    told: dict[str, Any] = {"turnout.decision": news.id}
    reason = news.decision.reason if news.decision is not None else ""
    if (completion := news.completion) is not None:
        reason = completion.reason
        told["turnout.candidate"] = completion.candidate
        told["turnout.confidence"] = completion.confidence
        if completion.cached:
            told["turnout.cached"] = completion.cached
    if reason:
        told["turnout.reason"] = reason
    if news.error:
        told["error.type"] = news.error
    return told


def _of_call(providers: Mapping[str, Provider], news: Served, tried: Tried, attempt: Attempt) -> dict[str, Any]:
    """What the conventions want to know of a call."""
    name, _, model = attempt.candidate.partition("/")
    provider = providers.get(name)
    sampling, usage = news.asked.request.sampling, attempt.usage
    told: dict[str, Any] = {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": provider.kind if provider is not None else name,
        "gen_ai.request.model": model,
        "gen_ai.request.stream": attempt.streamed,
        "gen_ai.request.temperature": sampling.temperature,
        "gen_ai.request.max_tokens": sampling.max_tokens,
        "gen_ai.usage.input_tokens": usage.prompt_tokens,
        "gen_ai.usage.output_tokens": usage.completion_tokens,
        "gen_ai.response.time_to_first_chunk": attempt.first_token_s if attempt.streamed else None,
        "turnout.decision": news.id,
        "turnout.role": tried.role,
        "turnout.call": attempt.number,
        "error.type": attempt.error or None,
    }
    if provider is not None:
        address = urlsplit(provider.base_url)
        told["server.address"] = address.hostname
        told["server.port"] = address.port or _PORTS.get(address.scheme)
    answer = tried.answer
    if answer is not None and answer.candidate == attempt.candidate and not attempt.error:
        told["gen_ai.response.model"] = answer.model
        told["gen_ai.response.finish_reasons"] = (answer.finish,)
    return {key: value for key, value in told.items() if value is not None}
