"""Why a decision came out as it did, and what would have changed it: as text for people and as JSON."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from turnout.features import Features
from turnout.policy.utility import EXCHANGE_RATES
from turnout.predictor import Predictor
from turnout.predictor.contributions import POINTS, Breakdown, Part, contributions
from turnout.types import Decision, Ranked, RequestLike

_SHOWN: Final = 6
_WIDTH: Final = 98
_INHERITED: Final = "the turn before"


@dataclass(frozen=True, slots=True)
class Flip:
    """An exchange rate at which another candidate would have been chosen, all else equal."""

    candidate: str
    rate: float
    preference: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """A decision with what pushed it.

    `pushes` splits each candidate's probability of success into exact contributions of features, `over_next` what
    pushed the chosen one over the runner-up; both are empty where no predictor spoke. `flips` are changes of
    preference that would have changed the choice.
    """

    decision: Decision
    pushes: tuple[Breakdown, ...] = ()
    over_next: Breakdown | None = None
    flips: tuple[Flip, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        # `asdict` copies whatever it does not know, and behind these stand arrays and whole predictors.
        decision = asdict(replace(self.decision, features=None, predictor=None, explainer=None, shadow=None))
        del decision["features"], decision["predictor"], decision["explainer"], decision["shadow"]
        for entry, ranked in zip(decision["ranking"], self.decision.ranking, strict=True):
            if ranked.expected is not None:
                entry["expected"]["total_s"] = ranked.expected.total_s
        return {
            **decision,
            "pushes": [asdict(breakdown) for breakdown in self.pushes],
            "over_next": None if self.over_next is None else asdict(self.over_next),
            "flips": [asdict(flip) for flip in self.flips],
        }

    def text(self) -> str:
        """A card for a terminal of 100 columns."""
        decision = self.decision
        lines = [
            f"{decision.candidate}  ({decision.confidence:.0%} sure of success)",
            *_wrapped(f"because {decision.reason}"),
            *self._table(),
        ]
        if decision.rules:
            lines.append(f"  rules that spoke: {', '.join(decision.rules)}")
        if decision.secrets:
            lines.append(f"  secrets in the prompt: {', '.join(decision.secrets)}")
        for entry in decision.excluded:
            lines += _wrapped(f"not {entry.candidate}: {entry.reason}")
        chosen = next((entry for entry in self.pushes if entry.candidate == decision.candidate), None)
        if chosen is not None:
            lines.append(
                f"  what pushed {decision.candidate}, in points of success from a usual {chosen.base_points:.0f}:"
            )
            lines += _pushes(chosen)
        if self.over_next is not None:
            lines.append(f"  what pushed it over {self.over_next.over}:")
            lines += _pushes(self.over_next)
        for flip in self.flips:
            lines.append(f"  at an exchange rate of {flip.rate:.4f} ({flip.preference}) it would be {flip.candidate}")
        if drawn := _drawn(decision):
            lines += _wrapped(drawn)
        task = decision.task
        lines += _wrapped(
            f"task: {task.type}, {task.complexity} ({task.complexity_score:.1f} of 10), {task.tier} tier "
            f"({task.tier_score:.0%} strong); new to the predictor {decision.novelty:.0%}"
            f"{', out of its depth' if decision.out_of_depth else ''}; chosen with probability {_rounded(decision.propensity)}"
        )
        return "\n".join(lines)

    def _table(self) -> list[str]:
        width = max(len(entry.candidate) for entry in self.decision.ranking)
        head = f"  {'candidate':{width}}  success  seconds (load wait read write swap)      cost  utility"
        return [head, *(_row(entry, width) for entry in self.decision.ranking)]


def _drawn(decision: Decision) -> str:
    """What was left to chance, in words; empty where nothing was."""
    told = []
    if decision.arm == "challenger":
        told.append("the challenger decided")
    if decision.exploration:
        usual = decision.ranking[1 if decision.decided_by == "explore" else 0].candidate
        told.append(f"another candidate than {usual} is explored with probability {decision.exploration:.2%}")
    return "; ".join(told)


def _rounded(probability: float) -> str:
    """Two decimals, or two digits of what is small."""
    return f"{probability:.2f}" if probability >= 0.1 else f"{probability:.2g}"


def _row(entry: Ranked, width: int) -> str:
    return f"  {entry.candidate:{width}}  {_chance(entry)}  {_seconds(entry):35} {_cost(entry)}  {entry.utility:7.3f}"


def _chance(entry: Ranked) -> str:
    return f"{entry.p_success:6.1%} " if entry.learned else f"{entry.p_success:6.1%}?"


def _seconds(entry: Ranked) -> str:
    if entry.expected_s is None:
        return "      –"
    parts = entry.expected
    if parts is None:
        return f"{entry.expected_s:7.1f}"
    split = (parts.load_s, parts.queue_s, parts.prefill_s, parts.decode_s, parts.evict_s)
    return f"{entry.expected_s:7.1f} ({' '.join(f'{part:.1f}' for part in split)})"


def _wrapped(text: str) -> list[str]:
    return textwrap.wrap(text, _WIDTH, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _cost(entry: Ranked) -> str:
    return "       –" if entry.cost_usd is None else f"{entry.cost_usd:8.4f}"


def _pushes(breakdown: Breakdown) -> list[str]:
    return [
        f"    {part.points:+6.1f}  {part.label}{f' ({part.level})' if part.level else ''}" for part in breakdown.parts
    ] + [f"    {breakdown.calibration_points:+6.1f}  calibration"]


def explain(
    decision: Decision,
    predictor: Predictor | None,
    features: Features,
    request: RequestLike,
    *,
    in_conversation: bool = False,
) -> Explanation:
    """Explain a decision that this predictor made for this request."""
    # In a conversation the turn before weighs in, so another rate alone need not change the choice.
    flips = () if in_conversation else _flips(decision)
    known = [entry.candidate for entry in decision.ranking if entry.learned]
    if predictor is None or not known:
        return Explanation(decision, flips=flips)
    found = contributions(predictor, features, request)
    added = {entry.candidate: entry.inherited for entry in decision.ranking}
    pushes = tuple(_with_turn(found.of(candidate, shown=_SHOWN), added[candidate]) for candidate in known)
    over = None
    if decision.candidate in known and len(known) > 1 and decision.decided_by != "explore":
        other = next(candidate for candidate in known if candidate != decision.candidate)
        difference = found.difference(decision.candidate, other, shown=_SHOWN)
        over = _with_turn(difference, added[decision.candidate] - added[other])
    return Explanation(decision, pushes, over, flips)


def _with_turn(breakdown: Breakdown, inherited: float) -> Breakdown:
    """What the turn before added stands beside the parts, and counts in the score like them."""
    if not inherited:
        return breakdown
    points = inherited * POINTS
    return replace(
        breakdown,
        parts=(*breakdown.parts, Part(_INHERITED, points)),
        score_points=breakdown.score_points + points,
        success_points=breakdown.success_points + points,
    )


def _flips(decision: Decision) -> tuple[Flip, ...]:
    """Rates at which the utilities of the chosen and another candidate cross.

    Utility is p - rate * expense, so the expense can be read back from what the decision holds.
    """
    rate = _rate(decision.preference)
    if decision.decided_by != "utility" or not rate or len(decision.ranking) < 2:
        return ()
    chosen = decision.ranking[0]
    found: list[Flip] = []
    for other in decision.ranking[1:]:
        expense, others = (chosen.p_success - chosen.utility) / rate, (other.p_success - other.utility) / rate
        if abs(expense - others) < 1e-9:
            continue
        crossing = (chosen.p_success - other.p_success) / (expense - others)
        if crossing > 0 and _wins(other, others, decision.ranking, rate, crossing, crossing > rate):
            # Rounded away from today's rate, so that the one that is told really flips it.
            outwards = math.ceil(crossing * 1e4 + 1e-6) if crossing > rate else math.floor(crossing * 1e4 - 1e-6)
            if outwards > 0:
                found.append(Flip(other.candidate, outwards / 1e4, _nearest(crossing)))
    return tuple(found)


def _wins(other: Ranked, expense: float, ranking: Sequence[Ranked], rate: float, crossing: float, dearer: bool) -> bool:
    """Whether it would be first just beyond the crossing, not only ahead of the chosen one."""
    beyond = crossing * (1.001 if dearer else 0.999)
    own = other.p_success - beyond * expense
    return all(
        own >= entry.p_success - beyond * (entry.p_success - entry.utility) / rate
        for entry in ranking
        if entry is not other
    )


def _rate(preference: str) -> float:
    if preference in EXCHANGE_RATES:
        return EXCHANGE_RATES[preference]  # type: ignore[index]
    try:
        return float(preference)
    except ValueError:
        return 0.0


def _nearest(rate: float) -> str:
    """A rate in words."""
    order = sorted(EXCHANGE_RATES.items(), key=lambda item: item[1])
    if rate < order[0][1]:
        return f"caring for quality more than {order[0][0]}"
    if rate > order[-1][1]:
        return f"caring for speed more than {order[-1][0]}"
    below = max((item for item in order if item[1] <= rate), key=lambda item: item[1])
    above = min((item for item in order if item[1] >= rate), key=lambda item: item[1])
    return below[0] if below == above else f"between {below[0]} and {above[0]}"
