"""The two machines of `day.py` in a process of their own: an emulated LM Studio and an emulated Ollama.

    python benchmarks/day_server.py OPTIONS.json

OPTIONS.json maps a kind to the fields of its `EmulatorOptions`. Prints their addresses as JSON; ends with its standard
input.
"""

from __future__ import annotations

import asyncio
import json
import sys
from contextlib import AsyncExitStack
from importlib import import_module
from pathlib import Path

from turnout.emulators.server import EmulatorOptions, serving


async def serve(options: dict[str, dict[str, object]]) -> None:
    """Serve until standard input ends."""
    async with AsyncExitStack() as stack:
        addresses = {}
        for kind, fields in options.items():
            emulator = import_module(f"turnout.emulators.{kind}").make(EmulatorOptions(**fields))  # type: ignore[arg-type]
            addresses[kind] = await stack.enter_async_context(serving(emulator))
        print(json.dumps(addresses), flush=True)
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve(json.loads(Path(sys.argv[1]).read_bytes())))
