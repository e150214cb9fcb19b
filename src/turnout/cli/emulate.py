"""`turnout emulate`: a server that acts like a provider, for demos and tests without a GPU."""

from __future__ import annotations

import argparse
import importlib
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from turnout.errors import ConfigurationError

if TYPE_CHECKING:
    from turnout.emulators.server import Emulator

_PORTS: Final = {"lmstudio": 1234, "ollama": 11434, "openai": 8001, "anthropic": 8002}


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `emulate`."""
    parser = commands.add_parser("emulate", parents=[shared], help="serve pretended language models, faults included")
    parser.add_argument("kind", choices=sorted(_PORTS), help="the provider to act like")
    port, count, speed = _number(int, 0, 65_535), _number(int, 1, 2**31), _number(float, 0, 1e6)
    parser.add_argument("--port", type=port, metavar="N", help="0 takes a free one; the provider's own otherwise")
    parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--models", type=_names, default=(), metavar="A,B", help="other models than the usual ones")
    parser.add_argument("--speed", type=speed, default=1.0, metavar="X", help="times as fast as real; 0 never waits")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="which prompts are answered rightly")
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[:RATE]", help="a fault to switch on; may be repeated"
    )
    parser.add_argument("--version-of", metavar="V", help="the provider's version, where its behaviour changed")
    parser.add_argument("--context", type=count, metavar="N", help="tokens of every model's context window")
    parser.add_argument("--slots", type=count, metavar="N", help="requests that a model serves at once")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> int:
    """Serve until interrupted."""
    emulator = _make(options)
    port = _PORTS[options.kind] if options.port is None else options.port
    try:
        _serve(emulator, options.host, port, as_json=options.json)
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConfigurationError(f"cannot listen on {options.host}:{port}: {reason}; choose another --port") from error
    except KeyboardInterrupt:
        pass
    return 0


def _make(options: argparse.Namespace) -> Emulator:
    from turnout.emulators.faults import Fault  # every other command starts without a server's libraries
    from turnout.emulators.server import EmulatorOptions

    emulator_options = EmulatorOptions(
        models=options.models,
        speed=options.speed,
        seed=options.seed,
        faults=[Fault.parse(fault) for fault in options.fault],
        version=options.version_of,
        context=options.context,
        slots=options.slots,
    )
    made: Emulator = importlib.import_module(f"turnout.emulators.{options.kind}").make(emulator_options)
    return made


def _serve(emulator: Emulator, host: str, port: int, *, as_json: bool) -> None:
    import asyncio

    from turnout.emulators.server import run_forever

    def ready(base_url: str) -> None:
        models = list(emulator.models)
        if as_json:
            print(json.dumps({"kind": emulator.kind, "base_url": base_url, "models": models}), flush=True)
        line = f"{emulator.kind} emulated at {base_url} with {', '.join(models)}; stop with Ctrl-C"
        print(line, file=sys.stderr, flush=True)

    asyncio.run(run_forever(emulator, host, port, ready))


def _names(text: str) -> tuple[str, ...]:
    names = tuple(name.strip() for name in text.split(",") if name.strip())
    if not names:
        raise argparse.ArgumentTypeError("no model is named")
    return names


def _number(kind: type[int] | type[float], low: float, high: float) -> Callable[[str], float]:
    """A reader of numbers in a range, which says the range when it refuses."""

    def read(text: str) -> float:
        try:
            number = kind(text)
        except ValueError:
            number = -1
        if not low <= number <= high:
            raise argparse.ArgumentTypeError(f"{text!r} is not a number from {low:g} to {high:g}")
        return number

    return read
