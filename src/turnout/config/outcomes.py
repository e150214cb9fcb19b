"""How answers are judged afterwards, so that there is something to learn from: programs, another language model, weights."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from turnout.config.values import (
    Count,
    Flag,
    FrozenMapping,
    Names,
    Natural,
    NotNegative,
    Positive,
    Section,
    SettingError,
    Share,
    Text,
)
from turnout.types import TASK_TYPES

ASKED_FOR: Final = ("json", "code")
"""What a verifier may wait for besides task types: a request for JSON, an answer with code in a fence."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier(Section):
    """A program that judges answers by its exit code: 0 good, 1 bad, anything else no verdict.

    `command` is the program and its arguments, run without a shell, with a JSON object on its standard input: prompt,
    answer, candidate, task. `when` lists task types, json or code; any of them is enough, and none means every answer.
    Of these the share `share` is verified, each within `timeout_s`.
    """

    name: Text
    command: tuple[Text, ...]
    when: Names = ()
    timeout_s: Positive = 30.0
    share: Share = 1.0

    def check(self) -> None:
        """A name that can be shown, a program, and conditions that can come true."""
        if not self.name.strip() or not self.name.isprintable() or len(self.name) > 80:
            raise SettingError("name", f"name is {self.name[:80]!r}; expected 1 to 80 printable characters")
        if not self.command or not self.command[0]:
            raise SettingError("command", "command is empty; give a list of the program and its arguments")
        if any("\0" in word for word in self.command):
            raise SettingError("command", "command holds a NUL character, which no argument can")
        known = (*TASK_TYPES, *ASKED_FOR)
        for word in self.when:
            if word not in known:
                raise SettingError("when", f"when is {word!r}; expected {', '.join(known)}")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerJudge(Section):
    """A candidate that grades the answers of others, when nobody else wants anything of its provider.

    The share `share` of requests is judged. A grade from 0 to 1 becomes the score; with a `threshold` the score is 1 from
    there on and 0 below. What it said itself it does not judge unless `judges_itself`. Prompts with secrets, and those that
    must stay on this machine, go to no judge elsewhere.
    """

    candidate: Text
    share: Share = 0.05
    threshold: Share | None = None
    timeout_s: Positive = 120.0
    judges_itself: Flag = False

    def check(self) -> None:
        """A candidate's name."""
        if not all(self.candidate.partition("/")[::2]):
            raise SettingError("candidate", f"candidate is {self.candidate!r}; expected provider/model")


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcomes(Section):
    """What is found out about answers after they were given, beside requests and never in their way.

    `weights` says how much each source of outcomes counts in training, by its name: verifier, feedback, judge,
    escalation, failure, confidence, or one of your own. At most `max_concurrent` programs run at once, and at most
    `max_waiting` answers wait; those beyond are counted and not verified.
    """

    weights: Mapping[str, NotNegative] = field(default_factory=FrozenMapping)
    verifiers: tuple[Verifier, ...] = ()
    judge: AnswerJudge | None = None
    max_concurrent: Count = 2
    max_waiting: Natural = 100

    def check(self) -> None:
        """Weights are numbers of 0 or more, verifiers have names of their own."""
        for name, weight in self.weights.items():
            if not 0 <= weight < float("inf"):
                raise SettingError(f"weights.{name}", f"the weight of {name} is {weight!r}; it must be at least 0")
        seen: set[str] = set()
        for index, verifier in enumerate(self.verifiers):
            if verifier.name in seen:
                raise SettingError(f"verifiers.{index}.name", f"two verifiers are named {verifier.name!r}")
            seen.add(verifier.name)
