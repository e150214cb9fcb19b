"""The promotion gate: a challenger serves only if the log shows that it is better, and nothing speaks against it.

Better means that the doubly robust difference of mean scores, over decisions that neither predictor was trained on, is
above 0 with 95 % confidence: the question has one side. Of challengers that are exactly as good 7 % pass, measured, where
5 would be nominal (`make bench-offpolicy`). The design page asks that the challenger's lower end beats the champion's
estimate; the paired difference asks the same of both estimates at once, and where the two choose alike nothing varies, so
that fewer decisions show the same gain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from turnout.learning.logged import LoggedDecisions
from turnout.learning.metrics import COLLAPSE_SHARE, Interval, calibration_error, chance_calibration_error
from turnout.learning.offpolicy import Difference, difference
from turnout.learning.policies import expense_worth

MAX_CALIBRATION_ERROR: Final = 0.1
"""Beyond chance and the champion's own: a chance that is wrong by more than this misleads thresholds and people."""

CALIBRATION_SLACK: Final = 0.02
MAX_SLOWER: Final = 1.10
"""A challenger may expect a tenth more seconds. More has to be worth it at the preferences that were asked for."""

MIN_SPREAD: Final = 0.01
"""A predictor whose chances differ by less than this between requests, in standard deviations, tells none apart."""

MIN_CALIBRATION_ROWS: Final = 100

Array = NDArray[np.float64]
Verdict: TypeAlias = Literal["promote", "keep", "inconclusive"]


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at: what came of it, and a sentence with the figures."""

    name: str
    passed: bool
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the gate says. `inconclusive` is neither better nor worse for want of evidence."""

    verdict: Verdict
    why: str
    checks: tuple[Check, ...]
    difference: Difference

    @property
    def promote(self) -> bool:
        """Whether the challenger may serve."""
        return self.verdict == "promote"

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Contender:
    """A predictor before the gate: `target` float64 (n, k), what it would have chosen; `chance` float64 (n, k), its
    probabilities of success."""

    name: str
    target: Array
    chance: Array


def judge(
    logged: LoggedDecisions,
    champion: Contender,
    challenger: Contender,
    model: Array,
    *,
    seed: int = 0,
    draws: int = 1000,
) -> Judgement:
    """Hold a challenger against the champion.

    Args:
        logged: decisions that neither was trained on.
        model: float64 (n, k), expected scores by models that never saw the row's group (see `direct`).
    """
    gained = difference(logged, challenger.target, champion.target, model, seed=seed, draws=draws)
    checks = (
        _is_supported(gained),
        _is_better(gained),
        _is_calibrated(logged, champion, challenger),
        _is_fast(logged, champion, challenger, gained.at_least),
        _is_spread(logged, champion, challenger),
    )
    verdict, why = _concluded(checks, gained.score)
    return Judgement(verdict=verdict, why=why, checks=checks, difference=gained)


def _concluded(checks: Sequence[Check], score: Interval) -> tuple[Verdict, str]:
    """The verdict and its sentence: the first check that speaks against the challenger names the reason."""
    failed = next((check for check in checks if not check.passed), None)
    if failed is None:
        return "promote", f"promoted: {checks[1].text}; it is calibrated, not slower, and has not collapsed"
    if failed.name == "support" or (failed.name == "better" and score.high > 0):
        return "inconclusive", f"not promoted, the log cannot tell yet: {failed.text}"
    return "keep", f"not promoted: {failed.text}"


def _is_supported(gained: Difference) -> Check:
    support = gained.support
    if gained.differ == 0:
        return Check("support", False, "it chooses exactly as the champion does on every logged decision")
    text = (
        f"{support.scored:,} of {support.rows:,} decisions have a result; the two differ on {gained.differ:.1%}, "
        f"{support.effective_rows:,.0f} effective decisions speak about that"
    )
    return Check("support", not support.problem, f"{text}; {support.problem}" if support.problem else text)


def _is_better(gained: Difference) -> Check:
    score = gained.score
    told = f"mean score {score.value:+.3f} [{score.low:+.3f}, {score.high:+.3f}] against the champion's"
    if gained.at_least > 0:
        return Check("better", True, f"{told}, with 95 % confidence above {gained.at_least:+.3f}")
    if score.high < 0:
        return Check("better", False, f"{told}: worse")
    return Check("better", False, f"{told}: with 95 % confidence only above {gained.at_least:+.3f}")


def _is_calibrated(logged: LoggedDecisions, champion: Contender, challenger: Contender) -> Check:
    """The error on the chosen candidates, whose results are known."""
    rows = np.flatnonzero(logged.scored)
    if len(rows) < MIN_CALIBRATION_ROWS:
        return Check(
            "calibration", False, f"only {len(rows)} results; {MIN_CALIBRATION_ROWS} are needed to judge chances"
        )
    score = logged.score[rows].astype(np.float64)
    chosen = logged.chosen[rows]
    own, before = (one.chance[rows, chosen] for one in (challenger, champion))
    error, previous, chance = (
        calibration_error(own, score),
        calibration_error(before, score),
        chance_calibration_error(own),
    )
    allowed = max(previous, chance, MAX_CALIBRATION_ERROR - CALIBRATION_SLACK) + CALIBRATION_SLACK
    text = f"calibration error {error:.3f} (the champion's {previous:.3f}, a perfect one's by chance {chance:.3f})"
    return Check("calibration", error <= allowed, text if error <= allowed else f"{text}: more than {allowed:.3f}")


def _is_fast(logged: LoggedDecisions, champion: Contender, challenger: Contender, at_least: float) -> Check:
    """Not slower, or better by more than the seconds are worth to those who asked."""
    known = np.isfinite(np.where(logged.eligible, logged.expected_s, 0.0)).all(1)
    if not known.any():
        return Check("latency", True, "no seconds are known, so that they cannot be compared")
    expected = np.nan_to_num(logged.expected_s[known].astype(np.float64))
    own, before = ((one.target[known] * expected).sum(1).mean() for one in (challenger, champion))
    text = f"{own:.2f} s expected on average (the champion: {before:.2f} s)"
    if own <= MAX_SLOWER * before:
        return Check("latency", True, text)
    price = float((expense_worth(logged) * (challenger.target - champion.target)).sum(1).mean())
    text = f"{text}; at the preferences that were asked for the seconds are worth {price:.3f} of score"
    if at_least > price:
        return Check("latency", True, f"{text}, less than what is gained")
    return Check("latency", False, f"{text}, and the gain is not surely more than that")


def _is_spread(logged: LoggedDecisions, champion: Contender, challenger: Contender) -> Check:
    """Everything on one candidate is a collapse where the chances do not tell requests apart, or hardly."""
    free = ~logged.pinned & (logged.eligible.sum(1) > 1)
    if not free.any():
        return Check("collapse", True, "no decision left a choice")
    own, before = (one.target[free].mean(0) for one in (challenger, champion))
    most = int(own.argmax())
    text = f"{own[most]:.0%} of its choices are {logged.candidates[most]} (the champion: {before[most]:.0%})"
    if own[most] <= COLLAPSE_SHARE:
        return Check("collapse", True, text)
    gain = challenger.chance[free] - challenger.chance[free].mean(1, keepdims=True)
    spread = float(gain.std(0).max())
    text = f"{text}; its chances differ between requests by {spread:.3f}"
    passed = spread >= MIN_SPREAD
    return Check("collapse", passed, text if passed else f"{text}: it has collapsed to one candidate")
