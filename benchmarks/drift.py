"""How often drift detection cries wolf, and how soon it sees a candidate that lost 20 or 10 points.

    python benchmarks/drift.py [--trials 20]

False alarms: over streams in which nothing changes, of 5,000 scored requests each after a reference window of 1,000, half
of them pass or fail, half graded, mean chances .4 to .95, predictions off by a constant of up to 5 points. The whole
report is over logs of five candidates, 25,000 requests with features of real prompts, routed by their predictions.
Found: within 300 requests of the candidate after a drop at any of its first 1,500. A trial in which the alarm
came before the drop counts as missed.

The yardstick is Page's CUSUM on the same likelihood ratio (of a fall by 20 points), its threshold simulated on other
streams of the same kinds so that 5 % of them give a false alarm: without margin, and with that of the bets. Bets need no
simulation. Intervals are Wilson's, 95 %.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from common import ROOT, Table, parser, report, say
from drift_streams import LENGTH, REFERENCE, Drop, ratios, success_stream, whole_log
from joblib import Parallel, delayed
from numpy.typing import NDArray
from semantic import wilson

from turnout.learning.dataset import extract_all
from turnout.learning.drift import Allowance, watch
from turnout.learning.drift.baseline import Baseline
from turnout.learning.drift.betting import first_alarm, log_factors
from turnout.learning.drift.calibration import calibration_baseline, calibration_change
from turnout.learning.drift.features import BLOCK, Known, moved_features
from turnout.learning.drift.features import REFERENCE as FEATURE_REFERENCE
from turnout.learning.drift.speed import speed_baseline, speed_change
from turnout.learning.drift.streams import Scored
from turnout.learning.drift.success import success_baseline, success_change

Array = NDArray[np.float64]
Raised = int | None
"""The position of an alarm, None where there was none."""

ALPHA = 0.05
WITHIN = 300
LATEST = 1_500
BASES = (0.4, 0.5, 0.6, 0.7, 0.8, 0.95)
POINTS = (0.2, 0.1)
FALL = np.array([0.2])
SHARED = Allowance()


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--trials", type=int, default=200, help="streams for each figure")
    chosen = options.parse_args()
    trials = chosen.trials
    prompts = [json.loads(line)["prompt"] for line in (ROOT / "data" / "prompts.jsonl").open(encoding="utf-8")]
    dense = extract_all(prompts, quiet=True).dense
    thresholds = {way: cusum_threshold(way, trials) for way in CUSUMS}
    figures = {
        "false_alarms": false_alarms(trials, dense, thresholds),
        "found": found(trials, thresholds),
        "whole_report_found": whole_found(max(2, trials // 4), dense),
    }
    report("drift", chosen, tables(figures, trials), figures, whole=trials == options.get_default("trials"))


# Success: bets, and CUSUM beside them


def bets(reference: Scored, stream: Scored) -> Raised:
    """Alone: 5 % among 5,000 scored requests."""
    return _success(reference, stream, ALPHA, LENGTH)


def bets_shared(reference: Scored, stream: Scored) -> Raised:
    """As in the whole report: its share of 5 % among 25,000 of all candidates."""
    return _success(reference, stream, SHARED.worse, SHARED.horizon)


def _success(reference: Scored, stream: Scored, alpha: float, horizon: int) -> Raised:
    change = success_change(stream, _baseline(reference), "worse", alpha=alpha, horizon=horizon)
    return change.raised_at if change else None


def _baseline(reference: Scored) -> Baseline:
    baseline = success_baseline(reference)
    assert baseline is not None, f"{REFERENCE} reference values are enough"
    return baseline


CUSUMS: dict[str, float] = {"CUSUM": 0.0, "CUSUM with margin": 1.0}
"""Share of the bets' margin that is taken off."""


def cusum(way: str, reference: Scored, stream: Scored) -> Array:
    """Page's statistic after each request: the most that a bet on a fall by 20 points won from any start."""
    baseline = _baseline(reference)
    expected = stream.predicted + baseline.mean - CUSUMS[way] * baseline.margin
    factors = log_factors(stream.scores, expected, FALL)[:, 0]
    after = np.cumsum(factors)
    return np.asarray(after - np.minimum.accumulate(after - factors))


def cusum_threshold(way: str, trials: int) -> float:
    """What the statistic exceeds on 5 % of stationary streams, of twice as many as are judged."""
    say(f"{way}: threshold")
    peaks = [cusum(way, *stationary(np.random.default_rng((1, trial)), trial)).max() for trial in range(2 * trials)]
    return float(np.quantile(peaks, 1 - ALPHA))


def stationary(rng: np.random.Generator, trial: int) -> tuple[Scored, Scored]:
    """A reference and a stream without change: kinds of score and base rates in turn."""
    return success_stream(rng, BASES[trial // 2 % len(BASES)], graded=trial % 2 == 0)


def ways(thresholds: dict[str, float]) -> dict[str, Callable[[Scored, Scored], Raised]]:
    """Everything that finds a drop of success."""

    def by_cusum(way: str) -> Callable[[Scored, Scored], Raised]:
        return lambda reference, stream: first_alarm(cusum(way, reference, stream), float(np.exp(-thresholds[way])))

    return {"bets": bets, "bets, share of whole report": bets_shared, **{way: by_cusum(way) for way in CUSUMS}}


# False alarms


def false_alarms(trials: int, dense: NDArray[np.float32], thresholds: dict[str, float]) -> dict[str, list[float]]:
    """For each detector the share of stationary streams with an alarm; share, lower and upper end."""
    alone: dict[str, Callable[[np.random.Generator, int], bool]] = {
        **{
            f"success, {name}": lambda rng, trial, way=way: way(*stationary(rng, trial)) is not None
            for name, way in ways(thresholds).items()
        },
        "success, better": better_alarm,
        "calibration": calibration_alarm,
        "speed": speed_alarm,
        "features": lambda rng, _: feature_alarm(rng, dense),
        "whole report": lambda rng, _: bool(report_of(rng, dense, None).alarms),
    }
    figures = {}
    for name, alarm in alone.items():
        say(f"false alarms: {name}")
        figures[name] = rate(
            Parallel(n_jobs=-1)(delayed(alarm)(np.random.default_rng((2, trial)), trial) for trial in range(trials))
        )
    return figures


def better_alarm(rng: np.random.Generator, trial: int) -> bool:
    reference, stream = stationary(rng, trial)
    return success_change(stream, _baseline(reference), "better", alpha=ALPHA, horizon=LENGTH) is not None


def calibration_alarm(rng: np.random.Generator, trial: int) -> bool:
    reference, stream = stationary(rng, trial)
    baseline = calibration_baseline(reference, [success_baseline(reference)])
    assert baseline is not None
    return calibration_change(stream, baseline, alpha=ALPHA, horizon=LENGTH) is not None


def speed_alarm(rng: np.random.Generator, trial: int) -> bool:
    """Tails up to those of a log-normal with standard deviation 1.5, bursts that fade in 1 to 20 requests."""
    drawn = ratios(rng, REFERENCE + LENGTH, tail=(0.5, 1.0, 1.5)[trial % 3], memory=(0.0, 0.8, 0.95)[trial // 3 % 3])
    baseline = speed_baseline(drawn[:REFERENCE])
    return baseline is not None and speed_change(drawn[REFERENCE:], baseline, alpha=ALPHA, horizon=LENGTH) is not None


def feature_alarm(rng: np.random.Generator, dense: NDArray[np.float32]) -> bool:
    reference, *blocks = np.split(
        dense[rng.integers(0, len(dense), FEATURE_REFERENCE + LENGTH)].astype(np.float64),
        range(FEATURE_REFERENCE, FEATURE_REFERENCE + LENGTH, BLOCK),
    )
    alpha, known = ALPHA * BLOCK / LENGTH, Known.of(reference)
    return any(moved_features(known, block, alpha=alpha, rng=rng) is not None for block in blocks)


# Found


def found(trials: int, thresholds: dict[str, float]) -> list[dict[str, Any]]:
    """For each drop, base rate and kind of score: who finds it how often and, at the median, after how many requests."""
    figures = []
    for points in POINTS:
        for base in BASES:
            for graded in (False, True):
                say(f"found: {points:.0%} off {base:.0%}, {'grades' if graded else 'pass or fail'}")
                delays = {
                    name: Parallel(n_jobs=-1)(
                        delayed(delay)(np.random.default_rng((3, trial)), way, base, points, graded=graded)
                        for trial in range(trials)
                    )
                    for name, way in ways(thresholds).items()
                }
                figures.append(
                    {
                        "points": points,
                        "base": base,
                        "graded": graded,
                        **{
                            name: {"within_300": rate(hits(own)), "median": middle(own)} for name, own in delays.items()
                        },
                    }
                )
    return figures


def delay(
    rng: np.random.Generator,
    way: Callable[[Scored, Scored], Raised],
    base: float,
    points: float,
    *,
    graded: bool,
) -> float:
    """Requests from the drop to the alarm, 1 at the soonest; infinite where it came before or not within five times 300."""
    at = int(rng.integers(0, LATEST))
    reference, stream = success_stream(rng, base, graded=graded, length=at + 5 * WITHIN, drop=Drop(at, points))
    raised = way(reference, stream)
    return raised - at + 1 if raised is not None and raised >= at else float("inf")


def whole_found(trials: int, dense: NDArray[np.float32]) -> list[dict[str, Any]]:
    """How often the whole report names a candidate that lost 20 or 10 points within its next 300 requests."""
    figures = []
    for points in POINTS:
        say(f"whole report: {points:.0%}")
        hit = Parallel(n_jobs=-1)(
            delayed(named_within)(np.random.default_rng((4, trial)), dense, points) for trial in range(trials)
        )
        figures.append({"points": points, "within_300": rate(hit)})
    return figures


def named_within(rng: np.random.Generator, dense: NDArray[np.float32], points: float) -> bool:
    """The log ends with the dropped candidate's 300th scored request after the drop."""
    told = report_of(rng, dense, Drop(int(rng.integers(0, 5 * LATEST)), points))
    return any(alarm.kind == "success" and alarm.candidate == "local/candidate-0" for alarm in told.alarms)


def report_of(rng: np.random.Generator, dense: NDArray[np.float32], drop: Drop | None) -> Any:
    reference, log = whole_log(rng, dense, drop=drop)
    if drop:
        own = np.flatnonzero(log.chosen == 0)
        log = log.take(np.arange(own[own >= drop.at][WITHIN - 1] + 1))
    return watch(log, reference=reference, checked_at=0.0)


def rate(found: Sequence[bool]) -> list[float]:
    return wilson(sum(found), len(found))


def hits(delays: Sequence[float]) -> list[bool]:
    return [own <= WITHIN for own in delays]


def middle(delays: Sequence[float]) -> float | None:
    """The median delay; None where most were not found."""
    median = float(np.median(delays))
    return median if np.isfinite(median) else None


def tables(figures: dict[str, Any], trials: int) -> list[Table]:
    """What is printed."""
    names = list(ways(dict.fromkeys(CUSUMS, 0.0)))
    rows = [
        [
            f"{row['points'] * 100:.0f} off {row['base']:g}, {'grades' if row['graded'] else 'pass or fail'}",
            *(f"{row[name]['within_300'][0]:.1%}, {shown(row[name]['median'])}" for name in names),
        ]
        for row in figures["found"]
    ]
    whole = [
        [f"whole report finds {row['points'] * 100:.0f} points within {WITHIN}", share(row["within_300"])]
        for row in figures["whole_report_found"]
    ]
    alarms = [[f"false alarms: {name}", share(own)] for name, own in figures["false_alarms"].items()]
    return [
        Table(f"{trials} streams each, a quarter for what the whole report finds", ("", "share"), [*alarms, *whole]),
        Table(f"Found within {WITHIN} requests, and median delay, by drop in points", ("drop", *names), rows),
    ]


def share(figure: Sequence[float]) -> str:
    return f"{figure[0]:.1%} [{figure[1]:.1%}, {figure[2]:.1%}]"


def shown(median: float | None) -> str:
    return "–" if median is None else f"{median:.0f}"


if __name__ == "__main__":
    main()
