"""How requests are judged: whether and how the router learns, what success is worth, when an answer is not trusted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from turnout.config.rules import PreferenceSetting, Rule
from turnout.config.values import Flag, Natural, NotNegative, OffIsAWord, Positive, Section, SettingError, Share, Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Exploration(Section):
    """A small share of requests goes to another candidate than the best one, so that learning stays honest.

    `rate` is the share of requests that may; `by_uncertainty` spends it where the predictor knows least. Requests that
    a rule or a caller pinned are never explored.
    """

    enabled: Flag = True
    rate: Share = 0.02
    by_uncertainty: Flag = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Hybrid(Section):
    """Whether prompts are routed at all, and what is learned from them.

    `enabled` false sends everything to `default_provider`, or with auto to the first candidate that can be asked.
    `learning` keeps outcomes for retraining, `personal` shifts the exchange rate of each user by their feedback.
    A `challenger` is left alone, asked in the shadow, or serves the share `canary_share` of requests.
    """

    enabled: Flag = True
    default_provider: Text = "auto"
    learning: Flag = True
    personal: Flag = True
    exploration: Exploration = Exploration()
    challenger: Annotated[Literal["off", "shadow", "canary"], OffIsAWord()] = "shadow"
    canary_share: Share = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation(Section):
    """When an answer is not trusted and another attempt is made on a stronger candidate.

    An answer whose confidence is under `threshold` escalates. With `adaptive` the threshold moves between
    `min_threshold` and `max_threshold` towards the share `target_share` of escalated requests and with what they gained.
    """

    enabled: Flag = True
    threshold: Share = 0.7
    min_threshold: Share = 0.5
    max_threshold: Share = 0.9
    adaptive: Flag = True
    target_share: Share = 0.05
    max_escalations: Natural = 1

    def check(self) -> None:
        """The bounds are in order and hold the threshold."""
        if self.min_threshold > self.max_threshold:
            raise SettingError(
                "min_threshold", f"min_threshold is {self.min_threshold}, more than max_threshold {self.max_threshold}"
            )
        if not self.min_threshold <= self.threshold <= self.max_threshold:
            raise SettingError(
                "threshold",
                f"threshold is {self.threshold}; it must lie between min_threshold {self.min_threshold} "
                f"and max_threshold {self.max_threshold}",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversations(Section):
    """A follow-up stays with the candidate that knows the conversation unless another gains `switch_gain` in utility.

    A conversation without a request for `forget_after_s` starts anew.
    """

    enabled: Flag = True
    switch_gain: NotNegative = 0.1
    forget_after_s: Positive = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Routing(Section):
    """How a candidate is chosen. Under a gap of `unsure_margin` in utility the rules that prefer decide."""

    preference: PreferenceSetting = "balanced"
    unsure_margin: Share = 0.02
    escalation: Escalation = Escalation()
    conversations: Conversations = Conversations()
    rules: tuple[Rule, ...] = ()

    def check(self) -> None:
        """Rules have names of their own."""
        seen: set[str] = set()
        for index, rule in enumerate(self.rules):
            if rule.name in seen:
                raise SettingError(f"rules.{index}.name", f"two rules are named {rule.name!r}")
            seen.add(rule.name)
