"""The candidates that can serve, best first: what each is likely to achieve against what it is expected to take."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import repeat
from operator import attrgetter
from typing import Final

from turnout.config.rules import ExchangeRates
from turnout.policy.case import Case
from turnout.policy.conversations import Turn, inherited
from turnout.policy.shortlist import Entry
from turnout.policy.tempo import Learned
from turnout.policy.utility import exchange_rate
from turnout.policy.worth import Prospect, worths
from turnout.types import ExpectedSeconds, Ranked

_UNLEARNED: Final = 0.5  # nothing is known of anybody: an even chance for all, so that seconds, cost and order decide


_BY_CHANCE: Final = attrgetter("p_success")
_BY_UTILITY: Final = attrgetter("utility")


def rank(
    entries: Sequence[Entry], case: Case, preference: str | float | ExchangeRates, turn: Turn | None = None
) -> list[Ranked]:
    """Best first: by utility, or by the chance of success alone where the case asks for caution.

    Args:
        entries: those that can serve, in the configured order, which decides between equals.
        case: what is asked, and what the predictor says.
        preference: the one that counts.
        turn: the turn before of the conversation, whose chances a short follow-up inherits.
    """
    predicted, usual = _predicted(case)
    others = _of_newcomers(case, entries, predicted)
    kept = inherited(case.request.prompt) if turn is not None else 0.0
    prospects: list[Prospect] = []
    expectations: list[ExpectedSeconds | None] = []
    added: list[float] = []
    for candidate, expected, cost_usd, share in entries:
        own, seconds, cost = predicted.get(candidate.name) or others.get(candidate.name, usual)
        p = own
        if kept and turn is not None:
            p = kept * turn.p_success.get(candidate.name, own) + (1 - kept) * own
        if expected is not None:
            expected = _at_tempo(case.learned, candidate.name, expected, share) if turn is None else expected
            if seconds is not None and not expected.measured and expected.learned_s is None:
                expected = expected.answering_in(seconds)  # what history measured beats a guess from the size
            seconds = expected.total_s
        expectations.append(expected)
        prospects.append((p, seconds, cost if cost_usd is None else cost_usd))
        added.append(p - own)
    rate = preference if isinstance(preference, ExchangeRates) else exchange_rate(preference)
    ranked = [
        Ranked(candidate.name, p, seconds, cost, utility, expected, candidate.name in predicted, more)
        for (candidate, *_), expected, (p, seconds, cost), utility, more in zip(
            entries, expectations, prospects, worths(prospects, rate), added, strict=True
        )
    ]
    ranked.sort(key=_BY_CHANCE if case.cautious else _BY_UTILITY, reverse=True)
    return ranked


def _at_tempo(learned: Learned | None, name: str, expected: ExpectedSeconds, share: float) -> ExpectedSeconds:
    """What history expects of this very prompt, at today's tempo; as it was where history or tempo is not known.

    Not within a conversation: there it counts who has read how much already, and history does not tell that.
    """
    seconds = None if learned is None else learned.seconds.get(name)
    if learned is None or seconds is None:
        return expected
    factor = learned.tempo.factor(name)
    if factor is not None:
        return expected.answering_in(factor * share * seconds, share * seconds)
    return expected.answering_in(expected.answer_s if expected.measured else share * seconds, share * seconds)


def _predicted(case: Case) -> tuple[Mapping[str, Prospect], Prospect]:
    """What the predictor expects of each candidate that it knows, and what stands for all others: its mean chance."""
    predictor, prediction = case.predictor, case.prediction
    if predictor is None or prediction is None:
        return {}, (_UNLEARNED, None, None)
    chances = prediction.p_success.tolist()
    seconds = repeat(None) if prediction.seconds is None else prediction.seconds.tolist()
    costs = repeat(None) if prediction.cost_usd is None else prediction.cost_usd.tolist()
    known = dict(zip(predictor.candidates, zip(chances, seconds, costs, strict=False), strict=True))
    return known, (sum(chances) / len(chances) if chances else _UNLEARNED, None, None)


def _of_newcomers(case: Case, entries: Sequence[Entry], predicted: Mapping[str, Prospect]) -> Mapping[str, Prospect]:
    """What is expected of candidates that the predictor does not know, where the base predictor can tell."""
    if case.newcomers is None:
        return {}
    names = [candidate.name for candidate, *_ in entries if candidate.name not in predicted]
    if not names:
        return {}
    known = {name: chance for name, (chance, _, _) in predicted.items()}
    return {name: (chance, None, None) for name, chance in case.newcomers.chances(case.features, names, known).items()}
