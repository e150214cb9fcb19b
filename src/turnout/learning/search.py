"""Search for hyperparameters: settings at random, the better third of them on ever more rows.

Successive halving after Jamieson and Talwalkar, "Non-stochastic Best Arm Identification and Hyperparameter Optimization"
(2016), with thirds: a round fits each setting on a share of the training rows and passes the best third on to three times
as many, up to all. Settings are drawn at random (Bergstra and Bengio 2012) from `SPACE`. The defaults are in every round.

Who judges is not known here. The trials choose; whether the chosen one is better than the defaults is asked afterwards, on
rows that had no say in the choice, because the best of twenty looks better than it is on the rows that made it the best.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import count, islice
from typing import Final, Protocol

import numpy as np

from turnout.learning.metrics import Interval
from turnout.learning.spread import spread
from turnout.predictor.settings import FitSettings

SPACE: Final[dict[str, tuple[float, float]]] = {
    "trees_per_bag": (20, 120),  # twice the trees take twice the time in each decision
    "learning_rate": (0.02, 0.3),
    "min_samples_leaf": (5, 80),
    "leaf_penalty": (0.5, 50.0),
    "feature_share": (0.05, 1.0),
    "ridge_penalty": (0.3, 30.0),
}
"""Where each setting is drawn from, log-uniformly: about a factor of ten around the default, less where it cannot be."""

WHOLE: Final = frozenset({"trees_per_bag", "min_samples_leaf"})
ETA: Final = 3
"""One of so many settings passes on to so many times the rows; 3 is what Hyperband's authors found best, near e."""

MIN_TRAIN_GROUPS: Final = 300
"""The first round trains on no fewer, if there are more: with less, the order of settings is noise."""

BRACKET: Final = 9
"""Settings of one search where time is the limit; searches follow each other until it is up."""


@dataclass(frozen=True, slots=True)
class Score:
    """What settings are worth on held-out rows, with the 95 % interval, and the rows that they were fitted on."""

    interval: Interval
    train_rows: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Verdict:
    """How much better one is than another on rows that had no say in the search. `problem` says why these cannot tell."""

    gain: Interval
    problem: str = ""

    @property
    def better(self) -> bool:
        """By more than noise."""
        return not self.problem and self.gain.low > 0


class Judge(Protocol):
    """Who fits and scores; sent to workers, so that it must be picklable."""

    @property
    def train_groups(self) -> int:
        """How many groups of prompts there are to train on."""

    def score(self, settings: FitSettings, share: float) -> Score:
        """Fit on a share of the training rows, the same for all settings, and score on held-out ones."""

    def verdict(self, settings: FitSettings, defaults: FitSettings) -> Verdict:
        """Compare two, each fitted on all training rows, on rows that `score` does not look at."""


@dataclass(frozen=True, slots=True)
class Budget:
    """How many settings are tried, the defaults among them; or for how many seconds new trials are begun."""

    settings: int | None = 20
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Trial:
    """One fit of one setting in one round: `number` 0 is the defaults, `share` the part of the training rows."""

    number: int
    settings: FitSettings
    share: float
    score: Score


@dataclass(frozen=True, slots=True)
class Found:
    """The best settings, what they were against the defaults on rows of their own, and all that was tried."""

    settings: FitSettings
    verdict: Verdict
    trials: tuple[Trial, ...]


def search(
    judge: Judge,
    budget: Budget,
    *,
    defaults: FitSettings | None = None,
    seed: int = 0,
    tried: Callable[[Trial], None] = lambda _: None,
    quiet: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Found:
    """Look for settings that are better than the defaults.

    Args:
        tried: gets each trial as soon as it is known, so that an interruption loses none.
    """
    ends_s = np.inf if budget.seconds is None else clock() + budget.seconds
    defaults = defaults or FitSettings()
    drawn = enumerate(draws(seed), 1)
    trials: list[Trial] = []
    while not trials or (budget.seconds is not None and clock() < ends_s):
        known = [] if trials else [(0, defaults)]
        some = islice(drawn, (budget.settings or BRACKET) - len(known))
        trials += _bracket(judge, [*known, *some], tried, quiet, lambda: clock() >= ends_s)
    chosen = _best(trials)
    if chosen.number == 0:
        return Found(defaults, Verdict(Interval(0.0, 0.0, 0.0), "no other setting scored better"), tuple(trials))
    return Found(chosen.settings, judge.verdict(chosen.settings, defaults), tuple(trials))


def draws(seed: int) -> Iterator[FitSettings]:
    """Settings without end, drawn log-uniformly from `SPACE`; the first n are the same however many are taken."""
    for number in count():
        rng = np.random.default_rng((seed, number))
        values = {name: float(np.exp(rng.uniform(*np.log(limits)))) for name, limits in SPACE.items()}
        yield FitSettings.of({name: round(v) if name in WHOLE else float(f"{v:.4g}") for name, v in values.items()})


def rounds(n_settings: int, train_groups: int) -> list[tuple[int, float]]:
    """How many settings each round tries, and on which share of the training rows; the last is on all."""
    passes = 0
    while n_settings >= ETA ** (passes + 1) and train_groups >= MIN_TRAIN_GROUPS * ETA ** (passes + 1):
        passes += 1
    return [(-(-n_settings // ETA**at), ETA ** (at - passes)) for at in range(passes + 1)]


def _bracket(
    judge: Judge,
    contenders: Sequence[tuple[int, FitSettings]],
    tried: Callable[[Trial], None],
    quiet: bool,
    over: Callable[[], bool],
) -> list[Trial]:
    """One search by halving; the defaults, number 0, stay to its end. It ends early when time is over."""
    trials: list[Trial] = []
    defaults = [contender for contender in contenders if contender[0] == 0]
    for size, share in rounds(len(contenders), judge.train_groups):
        if trials:
            before = [trial for trial in trials if trial.share == trials[-1].share and trial.number]
            passed = sorted(before, key=_merit, reverse=True)[: max(size - len(defaults), 1)]
            contenders = [*defaults, *((trial.number, trial.settings) for trial in passed)]
        calls = [(judge, settings, share) for _, settings in contenders]
        with closing(spread(_score, calls, f"trials on {share:.0%} of the rows", quiet=quiet)) as scores:
            for (number, settings), score in zip(contenders, scores, strict=True):
                trials.append(Trial(number, settings, share, score))
                tried(trials[-1])
                if over():
                    return trials
    return trials


def _score(judge: Judge, settings: FitSettings, share: float) -> Score:
    return judge.score(settings, share)


def _best(trials: Sequence[Trial]) -> Trial:
    """The best of those that were fitted on the largest share that another one than the defaults came to."""
    most = max((trial.share for trial in trials if trial.number), default=0.0)
    return max((trial for trial in trials if trial.share == most or not most), key=_merit)


def _merit(trial: Trial) -> float:
    """The score; what cannot be scored is worth nothing. Of equals `max` takes the first, which is the defaults."""
    value = trial.score.interval.value
    return value if np.isfinite(value) else -np.inf
