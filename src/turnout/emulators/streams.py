"""How answers leave the emulator, byte by byte, and what faults do to them on the way."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Final

from aiohttp import web

from turnout.emulators.faults import Fault, FaultName

_OVERSIZED_BYTES: Final = 20_000_000
_BLOCK: Final = b"a" * 250_000
_ARRIVAL_S: Final = 0.05
"""A reset discards what the client has not read yet; this lets it read the pieces before."""
_MODEL: Final = re.compile(rb'"(model|model_instance_id)":(\s*)"[^"]+"')
_OTHER_MODEL: Final = rb'"\1":\2"some-other-model"'
_LAST_BRACE: Final = re.compile(rb"\}(\s*)$")


class StreamEndedError(Exception):
    """A fault has ended the response; whoever generates for it should stop."""

    def __init__(self, response: web.StreamResponse) -> None:
        super().__init__("the response was ended by a fault")
        self.response = response


def reset_connection(request: web.Request) -> None:
    """End the connection with a TCP reset."""
    transport = request.transport
    if transport is None:
        return
    connection: socket.socket | None = transport.get_extra_info("socket")
    if connection is not None:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


def _close_connection(request: web.Request) -> None:
    """Send what is written and close, in the middle of whatever was announced."""
    if request.transport is not None:
        request.transport.close()


async def _forever() -> None:
    await asyncio.Event().wait()


def _crumbs(data: bytes) -> Iterator[bytes]:
    """Chunks of one, two and three bytes."""
    start, size = 0, 1
    while start < len(data):
        yield data[start : start + size]
        start += size
        size = size % 3 + 1


def _broken_json(frame: bytes) -> bytes:
    return _LAST_BRACE.sub(rb"\1", frame)


def _broken_utf8(frame: bytes) -> bytes:
    return frame.replace(b':"', b':"\xff\xc3', 1)


class Stream:
    """A response that is sent in frames, each a whole event or line of the dialect.

    `error_frame` and `swallowed_frame` make the frames that the dialect sends when it fails after it has begun.
    """

    def __init__(
        self,
        request: web.Request,
        faults: Sequence[Fault],
        content_type: str,
        headers: Mapping[str, str],
        error_frame: Callable[[str], bytes],
        swallowed_frame: Callable[[], bytes],
    ) -> None:
        self.response = web.StreamResponse(headers={"Content-Type": content_type, **headers})
        self.response.enable_chunked_encoding()
        self._request = request
        self._faults = {fault.name: fault for fault in faults}
        self._error_frame = error_frame
        self._swallowed_frame = swallowed_frame
        self._sent = 0

    @property
    def started(self) -> bool:
        """Whether the status has left."""
        return self.response.prepared

    async def start(self) -> None:
        """Send status and headers; the first frame does it otherwise."""
        if not self.started:
            await self.response.prepare(self._request)

    async def send(self, frame: bytes, *, generated: bool = True) -> None:
        """Send one frame, unless a fault is due. One that holds nothing generated is no piece to a fault.

        Raises:
            StreamEndedError: a fault has ended the response.
        """
        await self.start()
        if not generated:
            await self._write(frame)
            return
        frame = await self._suffer(frame)
        self._sent += 1
        await self._write(frame)

    async def finish(self, *last: bytes) -> web.StreamResponse:
        """Send the frames that tell the client that all is there, and end the response.

        Raises:
            StreamEndedError: a fault has ended the response.
        """
        await self.start()
        self._sent = max([self._sent, *(fault.after for fault in self._faults.values())])
        for frame in last or (b"",):
            frame = await self._suffer(frame)
            if FaultName.MISSING_TERMINATOR not in self._faults:
                await self._write(frame)
        await self.response.write_eof()
        return self.response

    async def fail(self, message: str) -> web.StreamResponse:
        """Tell an error in the way of the dialect, and end the response."""
        await self.start()
        await self._write(self._error_frame(message))
        await self.response.write_eof()
        return self.response

    async def _suffer(self, frame: bytes) -> bytes:
        """Let the faults that are due strike before this frame; return what is left of it."""
        for fault in [fault for fault in self._faults.values() if fault.after <= self._sent]:
            match fault.name:
                case FaultName.RESET_MID_STREAM:
                    await asyncio.sleep(_ARRIVAL_S)
                    reset_connection(self._request)
                    raise StreamEndedError(self.response)
                case FaultName.STALL_MID_STREAM:
                    await _forever()
                case FaultName.TRUNCATED_BODY:
                    await self._write(frame[: len(frame) // 2])
                    _close_connection(self._request)
                    raise StreamEndedError(self.response)
                case FaultName.ERROR_EVENT_MID_STREAM:
                    raise StreamEndedError(await self.fail("an error occurred while generating (emulated)"))
                case FaultName.SWALLOWED_ERROR:
                    await self._write(self._swallowed_frame())
                    await self.response.write_eof()
                    raise StreamEndedError(self.response)
                case FaultName.MALFORMED_JSON:
                    frame = _broken_json(frame)
                case FaultName.INVALID_UTF8:
                    frame = _broken_utf8(frame)
                case FaultName.OVERSIZED_LINE:
                    await self._write(frame.partition(b"{")[0] + b'{"padding":"')
                    for _ in range(_OVERSIZED_BYTES // len(_BLOCK)):
                        await self.response.write(_BLOCK)
                case _:
                    continue
            del self._faults[fault.name]
        return frame

    async def _write(self, frame: bytes) -> None:
        if FaultName.WRONG_MODEL in self._faults:
            frame = _MODEL.sub(_OTHER_MODEL, frame)
        if FaultName.SPLIT_UTF8 not in self._faults:
            if frame:
                await self.response.write(frame)
            return
        for crumb in _crumbs(frame):
            await self.response.write(crumb)
            await asyncio.sleep(0)


async def send_whole(request: web.Request, response: web.Response, faults: Sequence[Fault]) -> web.StreamResponse:
    """An answer in one piece, after what the faults do to it.

    Raises:
        StreamEndedError: a fault has ended the response.
    """
    names = {fault.name for fault in faults}
    body = response.body if isinstance(response.body, bytes) else b""
    if FaultName.WRONG_MODEL in names:
        body = _MODEL.sub(_OTHER_MODEL, body)
    if FaultName.MALFORMED_JSON in names:
        body = _broken_json(body)
    if FaultName.INVALID_UTF8 in names:
        body = _broken_utf8(body)
    if FaultName.OVERSIZED_LINE in names:
        body = b'{"padding":"' + b"a" * _OVERSIZED_BYTES + b'",' + body[1:]
    cut = names & {FaultName.TRUNCATED_BODY, FaultName.RESET_MID_STREAM, FaultName.STALL_MID_STREAM}
    if not cut and not names & {FaultName.SPLIT_UTF8, FaultName.MISSING_TERMINATOR}:
        response.body = body
        return response
    sent = web.StreamResponse(status=response.status, headers=_without_length(response.headers))
    if FaultName.MISSING_TERMINATOR in names:
        sent.enable_chunked_encoding()
    else:
        sent.content_length = len(body)
    await sent.prepare(request)
    part = body[: len(body) // 2] if cut else body
    for chunk in _crumbs(part) if FaultName.SPLIT_UTF8 in names else (part,):
        await sent.write(chunk)
        await asyncio.sleep(0)
    if FaultName.STALL_MID_STREAM in names:
        await _forever()
    if FaultName.RESET_MID_STREAM in names:
        await asyncio.sleep(_ARRIVAL_S)
        reset_connection(request)
    elif cut or FaultName.MISSING_TERMINATOR in names:
        _close_connection(request)
    else:
        await sent.write_eof()
        return sent
    raise StreamEndedError(sent)


def _without_length(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name.lower() != "content-length"}
