"""`turnout advise`: what to keep loaded, who makes a good couple, and how much of typical traffic the fast one can take."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from turnout.cli import exits
from turnout.cli.arguments import configuration_options
from turnout.cli.terminal import console, note, waiting
from turnout.errors import ArtifactError, ArtifactMissingError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnout.predictor import Predictor
    from turnout.predictor.base import BasePredictor


def add_command(commands: Any, shared: argparse.ArgumentParser) -> None:
    """Register `advise`."""
    parser = commands.add_parser(
        "advise",
        parents=[shared, configuration_options()],
        help="tell which language models to keep loaded and how to pair them",
        epilog="exit codes: 0 advised, 1 no candidate is known or a file cannot be read, "
        "2 wrong usage or configuration, 130 stopped",
    )
    parser.add_argument(
        "--typical",
        type=Path,
        metavar="FILE.jsonl",
        help="your own typical prompts, objects with 'prompt', one a line (default: a sample that comes with Turnout)",
    )
    parser.set_defaults(run=run, failed=exits.failed)


def run(options: argparse.Namespace) -> int:
    """Look at every provider and at this machine, and say what follows."""
    from turnout.advice import advise
    from turnout.advice.typical import bundled, read_prompts
    from turnout.bandwidth import measured_bandwidth
    from turnout.cli.look import look
    from turnout.config.loader import load
    from turnout.config.paths import state_folder
    from turnout.policy.pool import Pool

    configuration = load(options.config, profile=options.profile).configuration
    prompts = bundled() if options.typical is None else read_prompts(options.typical)
    with waiting("looking at providers and at this machine"):
        measured_bandwidth(state_folder())
        snapshot = look(configuration)
    candidates = Pool(configuration).candidates(snapshot)
    if not candidates:
        note(_nobody(sorted(name for name, entry in configuration.providers.items() if entry.enabled)))
    champion = _champion()
    base = _base(champion, [candidate.name for candidate in candidates])
    advice = advise(candidates, snapshot, configuration.resources, prompts, champion=champion, base=base)
    if options.json:
        print(json.dumps({**advice.to_json(), "typical": str(options.typical or "bundled")}))
    elif candidates:
        from turnout.cli.advice_view import advice_view

        console().print(advice_view(advice, "that come with Turnout" if options.typical is None else "of yours"))
    return exits.ANSWERED if candidates else exits.NO_ANSWER


def _nobody(providers: Sequence[str]) -> str:
    """What to do where there is nobody to advise about."""
    if not providers:
        return "no provider is enabled: 'turnout config init' writes an example to begin with"
    return (
        f"no candidate is known: none is named in the configuration, and {', '.join(providers)} list none. Start a "
        "provider, pull a language model ('ollama pull qwen2.5-coder:7b'), or name some under 'models' of a provider"
    )


def _champion() -> Predictor | None:
    """The predictor that serves; one that cannot be read is told of and done without."""
    from turnout.config.paths import champion_folder
    from turnout.predictor import load

    try:
        return load(champion_folder())
    except ArtifactMissingError:
        return None
    except ArtifactError as error:
        note(f"without the champion: {error}")
        return None


def _base(champion: Predictor | None, names: Sequence[str]) -> BasePredictor | None:
    """The base predictor, where anybody needs it.

    Raises:
        ArtifactMissingError: it cannot be had, with what to do.
    """
    from turnout.predictor.base_artifact import load_base

    if champion is not None and set(names) <= set(champion.candidates):
        return None
    try:
        return load_base()
    except ArtifactError as error:
        raise ArtifactMissingError(
            f"{error}. Without a base predictor nothing is known of candidates that no champion knows: unset "
            "TURNOUT_BASE for the one that ships, or let it name the folder of another"
        ) from error
