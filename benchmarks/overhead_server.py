"""The upstream of `overhead.py` in a process of its own: canned answers on bare asyncio protocols, no delay at all.

    python benchmarks/overhead_server.py

Speaks as much of Ollama (`/api`) and of OpenAI (`/v1`) as the adapters ask for. A streamed answer is PIECES pieces,
each written by itself as servers do it, and what proves the end. Prints its port; ends with its standard input.
GET /spent tells the seconds of processor time it has used.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any

PIECES = 32
MODEL = "overhead:1b"
TEXT_PIECES = tuple(f" word{number}" for number in range(PIECES))
TEXT = "".join(TEXT_PIECES)
SPENT = "/spent"
_USAGE = {"prompt_tokens": 12, "completion_tokens": PIECES, "total_tokens": 12 + PIECES}
_CREATED = "2026-01-01T00:00:00.000000Z"


def new_loop() -> asyncio.AbstractEventLoop:
    """uvloop where it is installed, else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()  # type: ignore[no-any-return]


def _ollama(text: str, *, done: bool = False) -> dict[str, Any]:
    line = {"model": MODEL, "created_at": _CREATED, "message": {"role": "assistant", "content": text}, "done": done}
    if not done:
        return line
    counts = {"prompt_eval_count": 12, "prompt_eval_duration": 1_000_000, "eval_count": PIECES, "eval_duration": 10**7}
    return {**line, "done_reason": "stop", "total_duration": 12_000_000, "load_duration": 1_000_000, **counts}


def _openai(kind: str, **fields: Any) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": f"chat.completion{kind}", "created": 1, "model": MODEL, **fields}


def _choice(finish: str | None = None, **fields: Any) -> list[dict[str, Any]]:
    return [{"index": 0, **fields, "finish_reason": finish}]


def _event(document: Any) -> bytes:
    return b"data: " + json.dumps(document).encode() + b"\n\n"


def _head(content_type: str, *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {content_type}", *fields, "", ""]).encode()


def _whole(document: Any) -> tuple[bytes, ...]:
    body = json.dumps(document).encode()
    return (_head("application/json", f"Content-Length: {len(body)}") + body,)


def _stream(content_type: str, frames: list[bytes]) -> tuple[bytes, ...]:
    chunks = (b"%x\r\n%b\r\n" % (len(frame), frame) for frame in frames)
    return _head(content_type, "Transfer-Encoding: chunked"), *chunks, b"0\r\n\r\n"


def _answers() -> dict[tuple[str, bool], tuple[bytes, ...]]:
    """What is written to each path, whole and streamed: one entry for each write."""
    details = {"format": "gguf", "family": "llama", "parameter_size": "1B", "quantization_level": "Q4_K_M"}
    entry = {"name": MODEL, "model": MODEL, "size": 10**9, "details": details}
    lines = [_ollama(text) for text in TEXT_PIECES] + [_ollama("", done=True)]
    chunk = ".chunk"
    events = [_openai(chunk, choices=_choice(delta={"content": text})) for text in TEXT_PIECES]
    events += [_openai(chunk, choices=_choice("stop", delta={})), _openai(chunk, choices=[], usage=_USAGE)]
    message = {"role": "assistant", "content": TEXT}
    return {
        ("/api/version", False): _whole({"version": "0.33.0"}),
        ("/api/tags", False): _whole({"models": [entry]}),
        ("/api/ps", False): _whole({"models": [{**entry, "context_length": 8192, "size_vram": 10**9}]}),
        ("/api/chat", False): _whole(_ollama(TEXT, done=True)),
        ("/api/chat", True): _stream("application/x-ndjson", [json.dumps(line).encode() + b"\n" for line in lines]),
        ("/v1/models", False): _whole({"object": "list", "data": [{"id": MODEL, "object": "model"}]}),
        ("/v1/chat/completions", False): _whole(
            _openai("", choices=_choice("stop", message=message), usage=_USAGE),
        ),
        ("/v1/chat/completions", True): _stream("text/event-stream", [*map(_event, events), b"data: [DONE]\n\n"]),
    }


ANSWERS = _answers()
NOT_FOUND = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


class Connection(asyncio.Protocol):
    """One client. Bodies come with their length, as all clients here send them."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Remember where to write."""
        self._transport: asyncio.Transport = transport  # type: ignore[assignment]
        self._data = b""

    def data_received(self, data: bytes) -> None:
        """Answer every request that is complete."""
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            head = self._data[:end].lower()
            _, found, rest = head.partition(b"content-length:")
            size = end + 4 + (int(rest.partition(b"\r\n")[0]) if found else 0)
            if len(self._data) < size:
                return
            path = self._data[:end].split(b" ", 2)[1].decode()
            body = self._data[end + 4 : size].replace(b" ", b"")
            self._data = self._data[size:]
            self._answer(path, streamed=b'"stream":true' in body)

    def _answer(self, path: str, *, streamed: bool) -> None:
        if path == SPENT:
            self._transport.write(_whole({"spent_s": time.process_time()})[0])
            return
        for part in ANSWERS.get((path, streamed), (NOT_FOUND,)):
            self._transport.write(part)


async def serve() -> None:
    """Serve on a free port until standard input ends."""
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.buffer.read)


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(serve())
