"""What the laboratory's benchmark prints: its aims first, then every way beside its yardsticks, with intervals over seeds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, NamedTuple

from common import Table, interval
from lab_rows import NOTHING, Plan
from lab_trust import ORDERS, TRUSTS
from lab_worth import over_seeds

MOST_SECONDS: Final = 0.5
"""Of always strong's mean seconds."""

MOST_LOST: Final = 1.0
"""Points of quality against always strong."""

MOST_BELOW_ORACLE: Final = 0.03
LEAST_AUC: Final = 0.85
LEAST_RECOVERED: Final = 0.8
MOST_ESCALATED: Final = 0.15

TRAFFICS: Final = ("routed to fast", "always fast")
"""Whose answers are escalated: those that routing leaves to the fast candidate, and all of its answers."""

NONE: Final = "–"
"""Where there was nothing to measure: no answer, or none that was wrong."""

Figures = dict[str, Any]

Starts = Mapping[str, Sequence[Figures]]
"""Of every seed, by start."""


class Aimed(NamedTuple):
    """One aim: what it is about, its figure with the interval over seeds, the aim, and whether the mean reaches it."""

    what: str
    figure: str
    aim: str
    reached: bool


def aims(starts: Starts) -> list[Aimed]:
    """All aims; each is judged by the mean over seeds. Those of trust are judged of the history that grew from nothing."""
    seeds = starts[NOTHING]
    return [
        *(aim for start in starts for aim in _routing_aims(start, starts[start])),
        _at_least(
            "AUC of the fitted confidence, fast candidate",
            _each(seeds, lambda one: one["trust"]["auc"]["fitted"]),
            LEAST_AUC,
        ),
        *(
            _at_least(
                f"{told} at {MOST_ESCALATED:.0%} escalations, {traffic}",
                _each(seeds, lambda one, traffic=traffic, key=key: at_aim(one["trust"][traffic]["by confidence"])[key]),
                LEAST_RECOVERED,
            )
            for traffic in TRAFFICS
            for key, told in (
                ("of_wrong", "of the fast one's wrong answers recovered"),
                ("of_recoverable", "of those that the strong one has right"),
            )
        ),
    ]


def _routing_aims(start: str, seeds: Sequence[Figures]) -> list[Aimed]:
    return [
        _at_most(f"{start}: mean seconds, of always strong's", _each(seeds, seconds_over_strong), MOST_SECONDS),
        _at_most(f"{start}: points of quality lost against always strong", _each(seeds, points_lost), MOST_LOST),
        *(
            _at_most(
                f"{start}: quality below the {oracle}",
                _each(seeds, lambda one, o=oracle: below(one, o)),
                MOST_BELOW_ORACLE,
            )
            for oracle in ("oracle, same shares", "oracle, same share on fast")
        ),
    ]


def seconds_over_strong(one: Figures, ways: str = "ways") -> float:
    """Of one seed: mean seconds of routing as a part of always strong's."""
    return float(one[ways]["routed"]["seconds"] / one[ways]["always strong"]["seconds"])


def points_lost(one: Figures) -> float:
    """Of one seed: quality of always strong less that of routing, in points."""
    return float(100 * (one["ways"]["always strong"]["quality"] - one["ways"]["routed"]["quality"]))


def below(one: Figures, oracle: str) -> float:
    """Of one seed: quality of an oracle that is bound to the same shares, less that of routing."""
    return float(one["ways"][oracle]["quality"] - one["ways"]["routed"]["quality"])


def at_aim(escalated: Figures) -> Figures:
    """The point of an escalation curve at the share that the aim allows."""
    point: Figures = next(one for one in escalated["curve"] if one["share"] == MOST_ESCALATED)
    return point


def tables(starts: Starts, plan: Plan) -> list[Table]:
    """Every table; the first holds the aims."""
    return [
        _aims(starts, plan),
        *(_ways(start, seeds, plan) for start, seeds in starts.items()),
        *(_curve(start, seeds, plan) for start, seeds in starts.items()),
        _aucs(starts[NOTHING]),
        _escalations(starts[NOTHING]),
        _gates(starts),
    ]


def _aims(starts: Starts, plan: Plan) -> Table:
    rows = [[one.what, one.figure, one.aim, "reached" if one.reached else "MISSED"] for one in aims(starts)]
    count = len(starts[NOTHING])
    title = f"The laboratory, live: {count} seeds, {plan.learned:,} requests to learn from, {plan.judged:,} judged"
    note = "Means over seeds [95 %, Student's t]; the mean is judged."
    return Table(title, ("what", "measured", "aim", ""), rows, note)


def _ways(start: str, seeds: Sequence[Figures], plan: Plan) -> Table:
    names = seeds[0]["candidates"]
    rows = []
    for way in seeds[0]["ways"]:
        entry = [
            _told(seeds, lambda one, way=way: one["ways"][way]["quality"]),
            _told(seeds, lambda one, way=way: 1000 * one["ways"][way]["seconds"], 1),
            _told(seeds, lambda one, way=way: 1000 * one["ways_engine"][way]["seconds"], 1),
        ]
        parts = [_mean(seeds, lambda one, way=way, k=k: one["ways"][way]["shares"][k]) for k in range(len(names))]
        rows.append([way, *entry, *(f"{part:.1%}" for part in parts)])
    engine = interval(over_seeds(_each(seeds, lambda one: seconds_over_strong(one, "ways_engine"))))
    note = (
        f"Routed at preference {plan.preferences[start]:g}, {_mean(seeds, lambda one: one['escalated']):.1%} escalated; of always "
        f"strong's seconds at the engine {engine}. Expected of them: "
        + ", ".join(
            f"{name} {1000 * _mean(seeds, lambda one, k=k: one['expected_s'][k]):.0f} ms (measured "
            f"{1000 * _mean(seeds, lambda one, k=k: one['measured_s'][k]):.0f})"
            for k, name in enumerate(names)
        )
        + "."
    )
    columns = ("way", "quality", "ms, whole call", "ms, engine", *names)
    return Table(f"Every way on the same prompts, {start}", columns, rows, note)


def _curve(start: str, seeds: Sequence[Figures], plan: Plan) -> Table:
    keys = ("seconds_over_strong", "loss_points", "below_oracle", "on_fast", "on_strong")
    rows = [
        [f"{preference:g}", *(_told(seeds, lambda one, p=preference, key=key: one["curve"][p][key]) for key in keys)]
        for preference in plan.curve
    ]
    columns = ("preference", "seconds of strong's", "points lost", "below oracle", "on fast", "on strong")
    note = "Decided about the same prompts in the same moments, without escalation: seconds and answers of whom each was for."
    return Table(f"By preference, {start}", columns, rows, note)


def _aucs(seeds: Sequence[Figures]) -> Table:
    rows = [[name, _told(seeds, lambda one, name=name: one["trust"]["auc"][name])] for name in TRUSTS]
    return Table("Is the fast candidate's answer right? AUC", ("told by", "AUC"), rows)


def _escalations(seeds: Sequence[Figures]) -> Table:
    rows = []
    for traffic in TRAFFICS:
        for place, point in enumerate(seeds[0]["trust"][traffic][ORDERS[0]]["curve"]):
            wanted = [(order, key) for order in ORDERS for key in ("of_wrong", "of_recoverable")]
            wanted += [(ORDERS[0], "possible"), (ORDERS[0], "possible_of_recoverable")]
            row = [
                _told(seeds, lambda one, t=traffic, n=place, w=which: one["trust"][t][w[0]]["curve"][n][w[1]], 2)
                for which in wanted
            ]
            rows.append([traffic, f"{point['share']:.1%}", *row])
    columns = [f"{order}: {what}" for order in ORDERS for what in ("of wrong", "of recoverable")]
    columns += ["possible: of wrong", "of recoverable"]
    note = (
        f"{'; '.join(_traffic(seeds, traffic) for traffic in TRAFFICS)}. Up to a share, whatever it is worth: by confidence the "
        "least trusted first, by expected gain (1 - confidence) times the strong one's chance. Possible is an oracle's."
    )
    return Table("What escalation to the strong candidate recovers", ("traffic", "escalated", *columns), rows, note)


def _traffic(seeds: Sequence[Figures], traffic: str) -> str:
    answers, wrong, hopeful = (
        _mean(seeds, lambda one, key=key: one["trust"][traffic][ORDERS[0]][key])
        for key in ("n", "wrong", "recoverable")
    )
    return f"{traffic}: of {answers:.0f} answers {wrong:.1%} are wrong, of those the strong one has {hopeful:.1%} right"


def _gates(starts: Starts) -> Table:
    rows = [
        [start, str(one["seed"]), one["gate"]["verdict"], one["gate"]["why"]]
        for start, seeds in starts.items()
        for one in seeds
    ]
    note = "Where the gate did not promote, the challenger was put in the champion's place by hand, and serves above."
    return Table("What the gate said", ("start", "seed", "verdict", "why"), rows, note)


def _at_most(what: str, values: Sequence[float | None], aim: float) -> Aimed:
    figure = over_seeds(values)
    return Aimed(what, interval(figure) if figure else NONE, f"≤ {aim:g}", bool(figure) and figure[0] <= aim)


def _at_least(what: str, values: Sequence[float | None], aim: float) -> Aimed:
    figure = over_seeds(values)
    return Aimed(what, interval(figure) if figure else NONE, f"≥ {aim:g}", bool(figure) and figure[0] >= aim)


def _each(seeds: Sequence[Figures], of: Callable[[Figures], float | None]) -> list[float | None]:
    return [of(one) for one in seeds]


def _mean(seeds: Sequence[Figures], of: Callable[[Figures], float | None]) -> float:
    return (over_seeds(_each(seeds, of)) or [0.0])[0]


def _told(seeds: Sequence[Figures], of: Callable[[Figures], float | None], decimals: int = 3) -> str:
    values = over_seeds(_each(seeds, of))
    if not values:
        return NONE
    mean, *bounds = (f"{value:.{decimals}f}" for value in values)
    return f"{mean} [{', '.join(bounds)}]" if bounds else mean
