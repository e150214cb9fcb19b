"""Emulated providers of `chaos.py` and `restart.py` in a process of their own, with a ledger of what each request got.

    python benchmarks/chaos_server.py OPTIONS.json

OPTIONS.json maps a name to `kind`, `port` (0 is any) and the fields of its emulator's options. Prints their addresses
as JSON; ends with its standard input. Prompts carry a number, `request #000042`: GET /_emulator/ledger maps each to how
often it arrived, how many whole answers left without a fault, and the digests of what there was to say.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import sys
from collections.abc import Iterable
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from aiohttp import web

from turnout.emulators.admin import ADMIN
from turnout.emulators.answers import Answer
from turnout.emulators.call import CALL
from turnout.emulators.faults import FaultName
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.openai import OpenAIOptions
from turnout.emulators.questions import Question
from turnout.emulators.server import Emulator, EmulatorOptions, Handler, serving
from turnout.emulators.streams import Stream

LEDGER = f"{ADMIN}ledger"
TAG = re.compile(r"request #(\d{6})")
HARMLESS = frozenset({FaultName.SLOW_FIRST_BYTE, FaultName.SPLIT_UTF8})
"""Faults under which an answer is whole and right all the same."""


def digest(text: str, calls: Iterable[tuple[str, Any]]) -> str:
    """What stands for an answer: its text, and its calls of tools as names and arguments."""
    content = json.dumps([text, list(calls)], sort_keys=True)
    return hashlib.blake2b(content.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


class Ledger:
    """What an emulator did for each numbered request."""

    def __init__(self, emulated: Emulator) -> None:
        self._arrived: dict[str, int] = {}
        self._whole: dict[str, int] = {}
        self._said: dict[str, list[str]] = {}
        self._answer, self._stream, self._application = emulated.answer, emulated.stream, emulated.application
        emulated.answer = self.answer  # type: ignore[method-assign]
        emulated.stream = self.stream  # type: ignore[method-assign]
        emulated.application = self.application  # type: ignore[method-assign]

    def answer(self, request: web.Request, model: LanguageModel, question: Question) -> Answer:
        """Note what there is to say."""
        made = self._answer(request, model, question)
        said = digest(made.text, [(call.name, call.arguments) for call in made.calls])
        known = self._said.setdefault(_tag(question.prompt), [])
        if said not in known:
            known.append(said)
        return made

    def stream(self, request: web.Request, *rest: Any, **options: Any) -> Stream:
        """Note when all of it was sent."""
        made = self._stream(request, *rest, **options)
        finish = made.finish

        async def finish_and_note(*last: bytes) -> web.StreamResponse:
            response = await finish(*last)
            self._sent(request)
            return response

        made.finish = finish_and_note  # type: ignore[method-assign]
        return made

    def application(self) -> web.Application:
        """The emulator's own with the ledger around it."""

        @web.middleware
        async def note(request: web.Request, handler: Handler) -> web.StreamResponse:
            try:
                response = await handler(request)
            finally:
                if tag := _tag_of(request):
                    self._arrived[tag] = self._arrived.get(tag, 0) + 1
            if response.status == 200 and CALL in request and request[CALL].stream is None:
                self._sent(request)
            return response

        async def tell(_request: web.Request) -> web.Response:
            return web.json_response({"arrived": self._arrived, "whole": self._whole, "said": self._said})

        application = self._application()
        application.middlewares.insert(0, note)
        application.router.add_get(LEDGER, tell)
        return application

    def _sent(self, request: web.Request) -> None:
        tag = _tag_of(request)
        if tag and all(fault.name in HARMLESS for fault in request[CALL].faults):
            self._whole[tag] = self._whole.get(tag, 0) + 1


def _tag_of(request: web.Request) -> str:
    """The number of a request whose body was read."""
    return _tag(json.dumps(request[CALL].body)) if CALL in request else ""


def _tag(text: str) -> str:
    """The number of the last turn; nothing where there is none."""
    found = TAG.findall(text)
    return found[-1] if found else ""


def make(kind: str, fields: dict[str, Any]) -> Emulator:
    """An emulator with a ledger."""
    options = OpenAIOptions(**fields) if "server" in fields else EmulatorOptions(**fields)
    emulated: Emulator = import_module(f"turnout.emulators.{kind}").make(options)
    Ledger(emulated)
    return emulated


async def serve(options: dict[str, dict[str, Any]]) -> None:
    """Serve until standard input ends."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for name, fields in options.items():
            kind, port = fields.pop("kind"), fields.pop("port", 0)
            addresses[name] = await stack.enter_async_context(serving(make(kind, fields), port))
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_bytes())))
