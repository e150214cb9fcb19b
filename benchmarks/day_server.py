"""The two machines of `day.py` in a process of their own: an emulated LM Studio and an emulated Ollama.

    python benchmarks/day_server.py OPTIONS.json

OPTIONS.json maps a kind to the fields of its `EmulatorOptions`, scripts as [difficulty, words] by prompt. Prints their
addresses as JSON; ends with its standard input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path
from typing import Any

from turnout.emulators.answers import Script
from turnout.emulators.server import EmulatorOptions, serving


async def serve(options: dict[str, dict[str, Any]]) -> None:
    """Serve until standard input ends."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for kind, fields in options.items():
            scripts = {prompt: Script(*laid_down) for prompt, laid_down in fields.pop("scripts", {}).items()}
            emulator = import_module(f"turnout.emulators.{kind}").make(EmulatorOptions(**fields, scripts=scripts))
            addresses[kind] = await stack.enter_async_context(serving(emulator))
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_bytes())))
