"""`turnout keys`: who may ask the gateway. A key is shown once, when it is made; the file keeps its digest."""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from turnout.cli.arguments import configuration_options, whole_number

if TYPE_CHECKING:
    from turnout.gateway.keys import Key

_FILE: Final = "keys.json"


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `keys` with what can be done to them."""
    parser = commands.add_parser("keys", help="say who may ask the gateway, and how much")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    where = configuration_options()
    where.add_argument(
        "--file", type=Path, metavar="F", help="another file than gateway.keys_file, or keys.json in the state folder"
    )
    parents = [shared, where]

    add = actions.add_parser("add", parents=parents, help="make a key and print it, this once")
    add.add_argument("name", help="whose it is: letters, digits or any of . _ @ + -")
    add.add_argument("--rpm", type=whole_number(1), metavar="N", help="requests that it may make in a minute")
    add.add_argument("--concurrent", type=whole_number(1), metavar="N", help="requests of it that may run at once")
    add.set_defaults(run=_add)

    listed = actions.add_parser("list", parents=parents, help="show whose keys there are; never a key")
    listed.set_defaults(run=_list)

    remove = actions.add_parser("remove", parents=parents, help="let a key be refused from now on")
    remove.add_argument("name", help="whose it is")
    remove.set_defaults(run=_remove)


def _add(options: argparse.Namespace) -> int:
    from turnout.errors import TurnoutError
    from turnout.gateway.keys import MOST, change_keys, check_name, new_key

    path = _path(options)
    try:
        check_name(options.name)
    except ValueError as error:
        raise TurnoutError(str(error)) from None
    if any(limit is not None and limit > MOST for limit in (options.rpm, options.concurrent)):
        raise TurnoutError(f"a limit can be {MOST} at most")
    key, kept = new_key(options.name, max_concurrent=options.concurrent, requests_per_minute=options.rpm)

    def with_it(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        if any(known.name == options.name for known in keys):
            raise TurnoutError(f"{options.name} has a key in {path} already; remove it first")
        return (*keys, kept)

    change_keys(path, with_it)
    if options.json:
        print(json.dumps({"name": kept.name, "key": key, "file": str(path)}))
    else:
        print(key)
        print(f"this is the key of {kept.name}; {path} keeps its digest, and nobody can show it again", file=sys.stderr)
    return 0


def _list(options: argparse.Namespace) -> int:
    from turnout.gateway.keys import read_keys

    path = _path(options)
    keys = read_keys(path) if path.exists() else ()
    if options.json:
        print(json.dumps({"file": str(path), "keys": [_told(key) for key in keys]}))
        return 0
    if not keys:
        print(f"there is no key in {path}", file=sys.stderr)
    for key in keys:
        made = time.strftime("%Y-%m-%d", time.gmtime(key.created_at))
        limits = ((key.requests_per_minute, "a minute"), (key.max_concurrent, "at once"))
        print("  ".join((f"{key.name:24}", made, *(f"{limit} {what}" for limit, what in limits if limit is not None))))
    return 0


def _remove(options: argparse.Namespace) -> int:
    from turnout.errors import TurnoutError
    from turnout.gateway.keys import change_keys

    path = _path(options)

    def without_it(keys: tuple[Key, ...]) -> tuple[Key, ...]:
        left = tuple(key for key in keys if key.name != options.name)
        if len(left) == len(keys):
            raise TurnoutError(f"{options.name[:80]!r} has no key in {path}")
        return left

    change_keys(path, without_it)
    print(
        json.dumps({"name": options.name, "file": str(path)}) if options.json else f"removed the key of {options.name}"
    )
    return 0


def _told(key: Key) -> dict[str, Any]:
    """A key without its digest, which is nobody's business either."""
    return {
        "name": key.name,
        "created_at": key.created_at,
        "requests_per_minute": key.requests_per_minute,
        "max_concurrent": key.max_concurrent,
    }


def _path(options: argparse.Namespace) -> Path:
    if options.file is not None:
        return Path(options.file)
    from turnout.config.loader import load
    from turnout.config.paths import state_folder

    named = load(options.config, profile=options.profile).configuration.gateway.keys_file
    return Path(named).expanduser() if named else state_folder() / _FILE
