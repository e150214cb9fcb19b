"""`turnout config`: check a configuration file, show what holds and why, export its schema, begin one."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from turnout.config.problems import InvalidConfigurationError, redacted
from turnout.config.schema import to_plain
from turnout.errors import ConfigurationError
from turnout.files import write_aside

_SCHEMA_FILE: Final = "hybrid.schema.json"


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `config` with its four commands."""
    parser = commands.add_parser("config", help="check, show or begin a configuration file")
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    layers = argparse.ArgumentParser(add_help=False)
    layers.add_argument("--profile", metavar="P", help="none, auto, high-end, resource-constrained, or one of your own")
    layers.add_argument(
        "--set",
        action="append",
        default=[],
        dest="settings",
        metavar="K=V",
        help="routing.preference=quality; repeatable",
    )
    usual = "config/hybrid.yaml, else the example that ships"
    check = actions.add_parser("check", parents=[shared, layers], help="tell everything that is wrong with a file")
    check.add_argument("file", nargs="?", type=Path, metavar="FILE", help=usual)
    check.set_defaults(run=_check)
    show = actions.add_parser("show", parents=[shared, layers], help="print what holds, all layers together")
    show.add_argument("file", nargs="?", type=Path, metavar="FILE", help=usual)
    show.add_argument("--origins", action="store_true", help="say where each value came from")
    show.set_defaults(run=_show)
    schema = actions.add_parser("schema", parents=[shared], help="print the JSON schema, for editors")
    schema.set_defaults(run=_schema)
    init = actions.add_parser("init", parents=[shared], help="write the commented example and its schema")
    init.add_argument("file", nargs="?", type=Path, default=Path("config/hybrid.yaml"), metavar="FILE")
    init.add_argument("--force", action="store_true", help="overwrite a file that is there")
    init.set_defaults(run=_init)


def _check(options: argparse.Namespace) -> int:
    """Print every problem; 1 if there is one."""
    from turnout.config.loader import load

    try:
        loaded = load(options.file, profile=options.profile, settings=options.settings)
    except InvalidConfigurationError as error:
        if options.json:
            print(json.dumps({"valid": False, "problems": [entry.to_json() for entry in error.problems]}))
            return 1
        for problem in error.problems:
            print(problem)
        count = len(error.problems)
        print(f"{count} problem{'s' if count > 1 else ''}", file=sys.stderr)
        return 1
    configuration = loaded.configuration
    if options.json:
        print(
            json.dumps(
                {
                    "valid": True,
                    "source": loaded.source,
                    "profile": loaded.profile,
                    "fingerprint": loaded.fingerprint,
                    "notes": list(loaded.notes),
                    "problems": [],
                }
            )
        )
        return 0
    for note in loaded.notes:
        print(f"note: {note}")
    enabled = sum(provider.enabled for provider in configuration.providers.values())
    print(
        f"{loaded.source}: valid, {enabled} of {len(configuration.providers)} providers enabled, "
        f"{len(configuration.routing.rules)} rules, profile {loaded.profile}, fingerprint {loaded.fingerprint}"
    )
    return 0


def _show(options: argparse.Namespace) -> int:
    """Print every value, with its origin if asked for."""
    from turnout.config.loader import load

    loaded = load(options.file, profile=options.profile, settings=options.settings)
    if options.json:
        result: dict[str, Any] = {
            "source": loaded.source,
            "profile": loaded.profile,
            "fingerprint": loaded.fingerprint,
            "notes": list(loaded.notes),
            "configuration": _without_secrets(to_plain(loaded.configuration)),
        }
        if options.origins:
            result["origins"] = {path: str(origin) for path, _, origin in loaded.origins()}
        print(json.dumps(result))
        return 0
    print(f"# {loaded.source}, profile {loaded.profile}, fingerprint {loaded.fingerprint}")
    for note in loaded.notes:
        print(f"# {note}")
    for path, value, origin in loaded.origins():
        line = f"{path}: {json.dumps(redacted(value, path), ensure_ascii=False)}"
        print(f"{line:60}  # {origin}" if options.origins else line)
    return 0


def _schema(options: argparse.Namespace) -> int:
    """Print the JSON schema; on one line with --json."""
    from turnout.config.json_schema import json_schema

    print(json.dumps(json_schema(), indent=None if options.json else 2))
    return 0


def _init(options: argparse.Namespace) -> int:
    """Write the example, and beside it the schema that its first line names."""
    from turnout.config.json_schema import json_schema
    from turnout.config.loader import example_text

    file: Path = options.file
    if file.exists() and not options.force:
        raise ConfigurationError(f"{file} is there already; --force overwrites it")
    schema = file.parent / _SCHEMA_FILE
    try:
        write_aside(file, example_text().encode())
        write_aside(schema, f"{json.dumps(json_schema(), indent=2)}\n".encode())
    except OSError as error:
        raise ConfigurationError(f"{error.filename or file} cannot be written: {error.strerror}") from error
    if options.json:
        print(json.dumps({"file": str(file), "schema": str(schema)}))
    else:
        print(f"{file} is ready to be read and changed; {schema} lets editors check it while you type")
    return 0


def _without_secrets(value: Any, name: str = "") -> Any:
    if isinstance(value, dict):
        return {key: _without_secrets(entry, key) for key, entry in value.items()}
    if isinstance(value, list):
        return [_without_secrets(entry, name) for entry in value]
    return redacted(value, name)
