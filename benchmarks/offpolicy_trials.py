"""Estimators against a truth that is known, and the gate against challengers whose worth is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from offpolicy_log import Truth, logged

from turnout.learning.direct import expected_scores
from turnout.learning.gate import Contender, judge
from turnout.learning.logged import LoggedDecisions
from turnout.learning.offpolicy import ESTIMATORS, estimate

DRAWS = 400
DECISIONS = 5_000

Array = NDArray[np.float64]


def coverage(truth: Truth, trials: int, say: Callable[[str], None]) -> dict[str, Any]:
    """How often each estimator's 95 % interval covers what a policy is worth on the whole pool.

    The policy sends the half with the largest noisy gain to the best candidate; each trial draws prompts, with
    replacement, and a log of them.
    """
    rng = np.random.default_rng(5)
    wanted = _choices(truth, strength=0.5, rng=rng)
    worth = float(truth.scores[np.arange(len(truth)), wanted].mean())
    inside = dict.fromkeys(ESTIMATORS, 0)
    error: dict[str, list[float]] = {name: [] for name in ESTIMATORS}
    for trial in range(trials):
        rows = rng.integers(0, len(truth), min(len(truth), DECISIONS))
        log = logged(truth.take(rows), trial)
        found = estimate(log, _certain(wanted[rows], log), expected_scores(log, seed=trial), seed=trial, draws=DRAWS)
        for name in ESTIMATORS:
            figure = getattr(found, name)
            inside[name] += figure.low <= worth <= figure.high
            error[name].append(figure.value - worth)
    say(f"{truth.name}: intervals of {trials} logs")
    return {
        "pool": truth.name,
        "decisions": min(len(truth), DECISIONS),
        "trials": trials,
        "worth": worth,
        **{f"{name}_coverage": inside[name] / trials for name in ESTIMATORS},
        **{f"{name}_rmse": float(np.sqrt(np.mean(np.square(error[name])))) for name in ESTIMATORS},
    }


def gate(truth: Truth, trials: int, say: Callable[[str], None]) -> list[dict[str, Any]]:
    """How often the gate promotes challengers that are worse, equal and better by a known number of points."""
    found = []
    for points in (-3.0, -1.0, 0.0, 3.0):
        promoted = [_promoted(truth, points / 100, trial) for trial in range(trials)]
        share = float(np.mean([gain is not None and verdict for gain, verdict in promoted]))
        gains = [gain for gain, _ in promoted if gain is not None]
        found.append(
            {
                "pool": truth.name,
                "points": points,
                "true_points": 100 * float(np.mean(gains)),
                "trials": trials,
                "promoted": share,
                "interval": _binomial(share, trials),
            }
        )
        say(f"{truth.name}: {points:+.0f} points, promoted {share:.1%}")
    return found


def _promoted(truth: Truth, points: float, trial: int) -> tuple[float, bool]:
    """One champion, one challenger that is so much better on the whole pool, one log of 5,000; what the gate says."""
    rng = np.random.default_rng([7, trial])
    champion = _choices(truth, strength=0.5, rng=rng)
    challenger = _better(truth, champion, points, rng)
    gain = float((_scores(truth, challenger) - _scores(truth, champion)).mean())
    rows = rng.integers(0, len(truth), DECISIONS)
    log = logged(truth.take(rows), trial)
    model = expected_scores(log, seed=trial)
    one, other = (
        Contender(name, _certain(wanted[rows], log), model)
        for name, wanted in (("champion", champion), ("challenger", challenger))
    )
    return gain, judge(log, one, other, model, seed=trial, draws=DRAWS).promote


def _choices(truth: Truth, *, strength: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """A router of limited insight: the half of the prompts with the largest noisy gain goes to the last candidate."""
    gain = truth.scores[:, -1].astype(np.float64) - truth.scores[:, 0]
    seen = strength * gain + rng.normal(size=len(truth))
    return np.where(seen >= np.median(seen), len(truth.candidates) - 1, 0)


def _better(truth: Truth, champion: NDArray[np.int64], points: float, rng: np.random.Generator) -> NDArray[np.int64]:
    """The champion with a fifth of its choices changed, helpful changes and harmful ones in the mix that gives the points."""
    k = len(truth.candidates)
    other = np.where(champion == 0, k - 1, 0)
    gain = _scores(truth, other) - _scores(truth, champion)
    order = rng.permutation(len(truth))
    changed = np.zeros(len(truth), bool)
    changed[order[: len(truth) // 5]] = True
    # Swap changes of one kind for unchanged prompts of another until the mean gain is what is wanted.
    missing = points * len(truth) - float(gain[changed].sum())
    for prompt in rng.permutation(len(truth)):
        if abs(missing) < 1.0:
            break
        if gain[prompt] * missing * (-1 if changed[prompt] else 1) > 0:
            changed[prompt] = not changed[prompt]
            missing -= gain[prompt] if changed[prompt] else -gain[prompt]
    return np.where(changed, other, champion)


def _scores(truth: Truth, choice: NDArray[np.int64]) -> Array:
    return truth.scores[np.arange(len(truth)), choice].astype(np.float64)


def _certain(choice: NDArray[np.int64], log: LoggedDecisions) -> Array:
    target = np.zeros((len(log), len(log.candidates)))
    target[np.arange(len(log)), choice] = 1.0
    return target


def _binomial(share: float, trials: int) -> list[float]:
    """Wilson's 95 % interval (1927)."""
    z = 1.96
    middle = (share + z**2 / (2 * trials)) / (1 + z**2 / trials)
    half = z * float(np.sqrt(share * (1 - share) / trials + z**2 / (4 * trials**2))) / (1 + z**2 / trials)
    return [max(0.0, middle - half), min(1.0, middle + half)]
