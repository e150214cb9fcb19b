"""What a policy comes to at the moment of one snapshot. A snapshot serves many decisions, so it is reckoned once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from turnout.config.schema import Configuration
from turnout.policy.facts import Values
from turnout.policy.rules import RuleBook
from turnout.policy.standings import Standing
from turnout.types import Snapshot


@dataclass(frozen=True, slots=True)
class Moment:
    """All that does not depend on the request: how each candidate stands, the rules over them, what rules are told of
    the outside (`seen`), and the configuration with its fingerprint.

    `learned` are the candidates of the predictor, whose order is part of what the rules' tiers mean.
    """

    snapshot: Snapshot | None
    learned: Sequence[str]
    standings: tuple[Standing, ...]
    rules: RuleBook
    seen: Values
    configuration: Configuration
    fingerprint: str
