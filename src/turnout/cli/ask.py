"""`turnout ask`: one question, one answer, streamed to the terminal or a pipe."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli import exits
from turnout.cli.answering import hand_out, summary, to_json
from turnout.cli.arguments import client_options, configuration_options, wish_options
from turnout.cli.last import remember
from turnout.cli.opening import check_candidate, check_named, opened
from turnout.cli.reading import (
    STANDARD_INPUT,
    is_piped,
    read_files,
    read_image,
    read_schema,
    read_standard_input,
    with_context,
)
from turnout.cli.terminal import note, waiting
from turnout.errors import RequestError
from turnout.types import Completion, Image, JsonSchema, Message, Request

if TYPE_CHECKING:
    from turnout.execution.sync import SyncHybridClient


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `ask`."""
    parser = commands.add_parser(
        "ask",
        parents=[shared, configuration_options(), wish_options()],
        help="ask, and get the answer of whoever suits best",
        epilog=exits.TOLD,
    )
    parser.add_argument(
        "prompt", nargs="*", metavar="PROMPT", help="the question; '-' or nothing reads it from standard input"
    )
    parser.add_argument("--ensemble", default="", metavar="NAME", help="several answers made into one, as configured")
    parser.add_argument("--conversation", default="", metavar="ID", help="the turns of one conversation stay together")
    parser.add_argument(
        "--file",
        nargs="+",
        action="extend",
        default=[],
        type=Path,
        metavar="PATH",
        dest="files",
        help="texts to be read with the question, which comes before them or after '--'",
    )
    parser.add_argument("--image", action="append", default=[], type=Path, metavar="PATH", help="a picture; repeatable")
    parser.add_argument("--schema", type=Path, metavar="FILE", help="answer in JSON that follows this JSON schema")
    parser.add_argument("--explain", action="store_true", help="show how it was decided, on standard error")
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Ask, print the answer, remember the decision."""
    request = _request(options)
    with opened(options) as client:
        check_candidate(client.status(), options.candidate)
        check_named("voice", options.voice, client.configuration.voices)
        check_named("ensemble", options.ensemble, client.configuration.ensembles)
        said = client_options(options) | {"conversation": options.conversation, "ensemble": options.ensemble}
        completion = (_whole if options.json else _streamed)(client, request, options, said)
    remember(completion.id, completion.candidate)
    if options.json:
        explained = _explained(completion) if options.explain else {}
        print(json.dumps(to_json(completion) | explained))
    return exits.ANSWERED


def _whole(client: SyncHybridClient, request: Request, _: argparse.Namespace, said: dict[str, Any]) -> Completion:
    with waiting("thinking"):
        return client.complete(request, **said)


def _streamed(
    client: SyncHybridClient, request: Request, options: argparse.Namespace, said: dict[str, Any]
) -> Completion:
    """Say who is expected to answer and why, print the answer, say what it took."""
    named = options.ensemble or _announced(client, request, options, said)
    if options.ensemble:
        ensemble = client.configuration.ensembles[named]
        note(f"{named}: {ensemble.description or f'several answers made into one ({ensemble.kind})'}")
    completion = hand_out(client.stream(request, **said), f"{named} is thinking")
    note(summary(completion, named=named))
    for warning in completion.answer.warnings:
        note(warning)
    return completion


def _announced(client: SyncHybridClient, request: Request, options: argparse.Namespace, said: dict[str, Any]) -> str:
    """The candidate that is expected to answer; says so on standard error."""
    # Outside its conversation, which would take the look ahead for a turn of its own.
    decision = client.route(request, **(said | {"conversation": ""}))
    note(decision.explain().text() if options.explain else f"{decision.candidate}: {decision.reason}")
    return decision.candidate


def _explained(completion: Completion) -> dict[str, Any]:
    decision = completion.decision
    return {"explanation": None if decision is None else decision.explain().to_json()}


def _request(options: argparse.Namespace) -> Request:
    """The question with everything that is read beside it.

    Raises:
        RequestError: there is no question, or something cannot be read.
    """
    words = [word for word in options.prompt if word != "-"]
    prompt = " ".join(words)
    context = read_files(options.files)
    if is_piped() or "-" in options.prompt:
        piped = read_standard_input()
        if not words:
            prompt = piped
        elif piped.strip():
            context.append((STANDARD_INPUT, piped))
    if not prompt.strip():
        hint = " The question comes before --file, or after '--'." if options.files else ""
        raise RequestError(f'there is no question; give one: turnout ask "why does this lock?"{hint}')
    images = tuple(Image(read_image(path)) for path in options.image)
    asked = Message("user", with_context(prompt, context), images)
    system = (Message("system", options.system),) if options.system else ()
    return Request(
        (*system, asked),
        files=tuple(map(str, options.files)),
        answer_format=JsonSchema(read_schema(options.schema)) if options.schema is not None else None,
    )
