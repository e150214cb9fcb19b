"""Answers on their way to a client: whole, or in pieces as they come, with what a client is told of them in headers."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from secrets import token_hex
from typing import Final, Protocol

from aiohttp import ClientConnectionResetError, web

from turnout.errors import NoCandidateError
from turnout.execution.client import HybridClient
from turnout.execution.streaming import Streaming
from turnout.gateway.logs import note
from turnout.gateway.refusals import Refusal, RefusedError, refusal_of
from turnout.gateway.targets import find_target
from turnout.gateway.wanted import Wanted
from turnout.types import Chunk, Completion, Snapshot, TokenLogprob

logger = logging.getLogger(__name__)

CLIENT: Final = web.AppKey("client", HybridClient)
CALLER: Final = web.RequestKey("turnout_caller", str)

SIGN_OF_LIFE_S: Final = 10.0
"""After so long without a word a stream begins, or goes on, with a comment: proxies give up on silence, often after 60 s."""

STALLED_S: Final = 60.0
"""A client that takes nothing for so long is sent away, because it holds a place at a provider."""

_REASON_CHARS: Final = 500


class Rendering(Protocol):
    """How a dialect writes one answer."""

    media_type: str

    @property
    def comment(self) -> bytes:
        """A sign of life that clients pass over."""
        ...

    def whole(self, completion: Completion) -> bytes:
        """The whole answer."""
        ...

    def begin(self, identifier: str, candidate: str) -> bytes:
        """What comes before the first piece."""
        ...

    def piece(self, chunk: Chunk) -> bytes:
        """One piece; may be empty."""
        ...

    def end(self, completion: Completion) -> bytes:
        """What comes after the last piece."""
        ...

    def broken(self, refusal: Refusal) -> bytes:
        """The end of an answer that failed: never a clean one."""
        ...


async def reply(http: web.Request, wanted: Wanted, rendering: Rendering) -> web.StreamResponse:
    """Answer one request of a client.

    Raises:
        TurnoutError: nothing was sent yet; the middleware tells the client.
    """
    client = http.app[CLIENT]
    target = find_target(wanted.model, client.configuration, client.snapshot)
    options = wanted.options(target, http.headers, http.get(CALLER, ""))
    try:
        if wanted.streams:
            async with client.stream(wanted.request, **options) as stream:
                return await _Outlet(http, stream, rendering, wanted.warnings).run()
        completion = await client.complete(wanted.request, **options)
    except NoCandidateError as error:
        if is_lasting(error, client.snapshot):
            raise RefusedError(400, "no_candidate", str(error)) from error
        raise
    note(http, completion.id, completion.candidate, completion.reason)
    warnings = (*wanted.warnings, *completion.answer.warnings)
    headers = told_headers(completion.id, completion.candidate, completion.reason, warnings)
    return web.Response(body=rendering.whole(completion), content_type="application/json", headers=headers)


def is_lasting(error: NoCandidateError, snapshot: Snapshot) -> bool:
    """Whether the request itself is why nobody can serve it, not the state that somebody is in: then it is of no use to
    ask again."""
    states = snapshot.candidates
    return bool(error.excluded) and not any(
        name in states and states[name].problem == reason for name, reason in error.excluded.items()
    )


def told_headers(identifier: str, candidate: str, reason: str, warnings: Sequence[str]) -> dict[str, str]:
    """What every answer carries."""
    headers = {
        "x-turnout-decision": identifier,
        "x-turnout-candidate": header_text(candidate),
        "x-turnout-reason": header_text(reason),
    }
    if warnings:
        headers["x-turnout-warning"] = header_text("; ".join(warnings))
    return headers


def header_text(text: str) -> str:
    """A text as a header may carry it: one line of visible ASCII."""
    if len(text) <= _REASON_CHARS and text.isascii() and text.isprintable():
        return text.strip()
    line = text[:_REASON_CHARS].encode("ascii", "replace").decode()
    return "".join(char if char.isprintable() else " " for char in line).strip()


class _Outlet:
    """One streamed answer. Headers go out with the first piece, when it is known who speaks, or with the first sign of
    life; an error before that is an answer of its own with its status."""

    def __init__(self, http: web.Request, stream: Streaming, rendering: Rendering, warnings: Sequence[str]) -> None:
        self._http = http
        self._stream = stream
        self._rendering = rendering
        self._warnings = warnings
        self._response: web.StreamResponse | None = None
        self._beginning = asyncio.Lock()
        self._loop = asyncio.get_running_loop()
        self._spoke_s = self._loop.time()
        self._signs: asyncio.Task[None] | None = None
        self._has_spoken = False
        self._early: list[tuple[str, tuple[TokenLogprob, ...]]] = []

    async def run(self) -> web.StreamResponse:
        """Hand out everything."""
        self._timer = self._loop.call_later(SIGN_OF_LIFE_S, self._sign)
        try:
            async for chunk in self._stream:
                if content := self._rendering.piece(chunk) if self._has_spoken else await self._first(chunk):
                    await self._write(content)
            response = await self._begun()
            await self._write(self._rendering.end(self._stream.completion))
        except (asyncio.CancelledError, ClientConnectionResetError):
            raise
        except Exception as error:
            if self._response is None:
                raise
            await self._tell(error)
            response = self._response
        finally:
            self._timer.cancel()
            if self._signs is not None:
                self._signs.cancel()
        stream = self._stream
        note(self._http, stream.id, stream.candidate, "" if stream.decision is None else stream.decision.reason)
        await response.write_eof()
        return response

    async def _first(self, chunk: Chunk) -> bytes:
        """The first piece, once there is one worth beginning for. Log-probabilities may come ahead of the text that they
        belong to; until there is text somebody else may take over, and theirs are not told."""
        if not chunk.has_content:
            if chunk.logprobs:
                self._early.append((self._stream.candidate, chunk.logprobs))
            return b""
        await self._begun()
        self._has_spoken = True
        speaker = self._stream.candidate
        early = [token for candidate, tokens in self._early if candidate == speaker for token in tokens]
        return self._rendering.piece(replace(chunk, logprobs=(*early, *chunk.logprobs)) if early else chunk)

    async def _begun(self) -> web.StreamResponse:
        async with self._beginning:
            if self._response is None:
                stream, decision = self._stream, self._stream.decision
                reason = decision.reason if decision is not None else "no decision was needed"
                response = web.StreamResponse(
                    headers={
                        **told_headers(stream.id, stream.candidate, reason, self._warnings),
                        "Content-Type": self._rendering.media_type,
                        "Cache-Control": "no-cache",
                        "X-Accel-Buffering": "no",  # nginx would collect the pieces
                    }
                )
                await response.prepare(self._http)
                self._response = response
                # An ensemble's id is known at its end; until then answers have to differ in theirs all the same.
                if head := self._rendering.begin(stream.id or token_hex(16), stream.candidate):
                    await self._write(head)
            return self._response

    async def _write(self, content: bytes) -> None:
        assert self._response is not None
        self._spoke_s = self._loop.time()
        try:
            async with asyncio.timeout(STALLED_S):
                await self._response.write(content)
        except TimeoutError:
            logger.warning("a client took nothing for %g s and was sent away", STALLED_S)
            if self._http.transport is not None:
                self._http.transport.abort()
            raise ClientConnectionResetError("a client took nothing") from None

    async def _tell(self, error: Exception) -> None:
        refusal = refusal_of(error)
        if refusal.code == "internal_error":
            logger.error("a streamed answer failed inside", exc_info=error)
        await self._write(self._rendering.broken(refusal))

    def _sign(self) -> None:
        """A comment if nothing was said for a while; the timer starts again."""
        silent_s = self._loop.time() - self._spoke_s
        if silent_s >= SIGN_OF_LIFE_S - 0.01:
            self._signs = self._loop.create_task(self._show_life())
            silent_s = 0.0
        self._timer = self._loop.call_later(SIGN_OF_LIFE_S - silent_s, self._sign)

    async def _show_life(self) -> None:
        with suppress(ConnectionError):  # whoever writes next learns of it too
            await self._begun()
            await self._write(self._rendering.comment)
