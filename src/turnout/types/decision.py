"""The ranked candidates for one request, and why."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

from turnout.types.task import Task

Preference: TypeAlias = Literal["fast", "balanced", "quality"]
PREFERENCES: tuple[Preference, ...] = get_args(Preference)


DecidedBy: TypeAlias = Literal[
    "utility", "force", "only", "prefer", "conversation", "caution", "ruled", "order", "explore"
]
Arm: TypeAlias = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class ExpectedSeconds:
    """The parts of an expected time, in seconds. `measured` says that the speeds were, at least once.

    `learned_s` is what history alone expects of reading and writing, however fast it is today; None where it was not
    asked, or does not know.
    """

    load_s: float
    queue_s: float
    prefill_s: float
    decode_s: float
    evict_s: float = 0.0
    measured: bool = False
    learned_s: float | None = None

    @property
    def answer_s(self) -> float:
        """Reading and writing together."""
        return self.prefill_s + self.decode_s

    @property
    def total_s(self) -> float:
        """All parts together; `evict_s` is what bringing back the language model that made room will take."""
        return self.load_s + self.queue_s + self.prefill_s + self.decode_s + self.evict_s

    def answering_in(self, answer_s: float, learned_s: float | None = None) -> ExpectedSeconds:
        """The same where reading and writing together take so long; their shares stay."""
        share = self.prefill_s / self.answer_s if self.answer_s else 0.0
        prefill_s, decode_s = share * answer_s, (1 - share) * answer_s
        return ExpectedSeconds(self.load_s, self.queue_s, prefill_s, decode_s, self.evict_s, self.measured, learned_s)


@dataclass(frozen=True, slots=True)
class Ranked:
    """One candidate in a decision: calibrated probability of success, expected seconds and cost, utility.

    `expected` splits the seconds into their parts where provider state is known; `learned` is False where no
    predictor knows the candidate and `p_success` stands for the others' mean; `inherited` is what the turn before
    added to `p_success`.
    """

    candidate: str
    p_success: float
    expected_s: float | None
    cost_usd: float | None
    utility: float
    expected: ExpectedSeconds | None = None
    learned: bool = True
    inherited: float = 0.0


@dataclass(frozen=True, slots=True)
class Excluded:
    """One candidate that could not be chosen, why, and by which rule if it was one."""

    candidate: str
    reason: str
    rule: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """The ranked candidates for one request, best first, and why.

    `confidence` is the calibrated probability that the chosen candidate succeeds; `propensity` is the
    probability with which this candidate came out (1 where nothing is drawn). `novelty` is the share of the prompt's
    n-grams that training never saw; `out_of_depth` says that it is beyond what held-out training prompts showed.

    `decided_by` says what put the first one first (ruled: utility, at the preference of a rule; explore: chance, and the
    usual first comes second). `exploration` is the probability with which this request would go to another than the
    usual first; `arm` says whose predictor decided. Under a configuration there are also `excluded`, the `rules` that
    spoke, the `preference` that counted, what rules set for the answer (`threshold` of its confidence, whether to `hold`
    a stream), the kinds of `secrets` found in the prompt, and the fingerprint of the `configuration`.

    `features` is what was seen of the request (`turnout.features.Features`), for the history; `predictor` who judged it
    (`turnout.predictor.Predictor`). Where a challenger is asked in the shadow, `shadow` computes whom the champion and
    whom the challenger would choose.
    """

    candidate: str
    confidence: float
    reason: str
    ranking: tuple[Ranked, ...]
    task: Task
    novelty: float = 0.0
    out_of_depth: bool = False
    propensity: float = 1.0
    excluded: tuple[Excluded, ...] = ()
    rules: tuple[str, ...] = ()
    preference: str = ""
    decided_by: DecidedBy = "utility"
    threshold: float | None = None
    hold: bool = False
    secrets: tuple[str, ...] = ()
    configuration: str = ""
    exploration: float = 0.0
    arm: Arm = "champion"
    features: Any = field(default=None, repr=False, compare=False)
    predictor: Any = field(default=None, repr=False, compare=False)
    explainer: Callable[[Decision], Any] | None = field(default=None, repr=False, compare=False)
    shadow: Callable[[], tuple[str, str]] | None = field(default=None, repr=False, compare=False)

    def explain(self) -> Any:
        """Everything that led here, as a `turnout.policy.explanation.Explanation`: `text()` for people, `to_json()`.

        Raises:
            ValueError: the decision was not made by a router, or was copied from a log.
        """
        if self.explainer is None:
            raise ValueError("only a decision that a router has just made can be explained")
        return self.explainer(self)
