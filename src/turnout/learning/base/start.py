"""What a training may start from: the base predictor, unless it was made of the very prompts that are to judge."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final

from turnout.errors import ArtifactError, ArtifactMissingError
from turnout.learning.base.seen import share_seen
from turnout.predictor.base import BasePredictor
from turnout.predictor.base_artifact import load_base

MOST_SEEN: Final = 0.005
"""A prompt or two in common are chance; more, and figures would flatter."""


def starting_base(prompts: Sequence[str], say: Callable[[str], None] = lambda _: None) -> BasePredictor | None:
    """The base predictor for a training on these prompts; None, and why is said, where there is none to start from."""
    try:
        base = load_base()
    except ArtifactMissingError:
        return None
    except ArtifactError as error:
        say(f"starting without the base predictor: {error}")
        return None
    if (share := share_seen(prompts, base.seen)) > MOST_SEEN:
        say(f"starting without the base predictor: it was made of {share:.0%} of these prompts")
        return None
    return base
