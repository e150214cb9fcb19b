"""`turnout completion`: the script by which a shell completes commands, options and files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

SHELLS: Final = ("bash", "zsh", "fish")

_USE: Final = """to use it:
  bash   turnout completion bash > ~/.local/share/bash-completion/completions/turnout
  zsh    turnout completion zsh > "${fpath[1]}/_turnout"
  fish   turnout completion fish > ~/.config/fish/completions/turnout.fish"""


def add_command(commands: Any, shared: argparse.ArgumentParser, whole: Callable[[], argparse.ArgumentParser]) -> None:
    """Register `completion`; `whole` makes the parser of the whole command."""
    parser = commands.add_parser(
        "completion",
        parents=[shared],
        help="print the completion script of a shell",
        epilog=_USE,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("shell", choices=SHELLS)
    parser.set_defaults(run=run, whole=whole)


def run(options: argparse.Namespace) -> int:
    """Print the script."""
    import shtab

    parser: argparse.ArgumentParser = options.whole()
    for action in _actions(parser):
        if action.type is Path:
            action.complete = shtab.FILE  # type: ignore[attr-defined]
    script = shtab.complete(parser, options.shell)
    print(json.dumps({"shell": options.shell, "script": script}) if options.json else script)
    return 0


def _actions(parser: argparse.ArgumentParser) -> Iterator[argparse.Action]:
    """Every option and argument, those of commands inside commands too."""
    for action in parser._actions:
        yield action
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from _actions(inner)
