"""Who can and may serve a request, with what serving would take; who cannot keeps the reason."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from turnout.policy.candidates import Candidate, Needs
from turnout.policy.conversations import Turn
from turnout.policy.standings import Standing
from turnout.policy.verdict import Verdict
from turnout.types import Excluded, ExpectedSeconds


class Entry(NamedTuple):
    """One candidate that can serve, and what serving would take.

    `share` is what reading and writing take of what they would, were the answer not limited.
    """

    candidate: Candidate
    expected: ExpectedSeconds | None
    cost_usd: float | None
    share: float = 1.0


def shortlist(
    standings: Sequence[Standing],
    needs: Needs,
    verdict: Verdict,
    read: Turn | None,
    answer_tokens: Mapping[str, float],
) -> tuple[list[Entry], list[Excluded]]:
    """Those who can and may serve, with what serving would take, and those who cannot, with the reason.

    Args:
        standings: of all candidates, in the configured order.
        needs: of the request.
        verdict: what the rules say about it.
        read: the turn before, where the request holds it: whoever answered has read it.
        answer_tokens: how long the answer of each candidate will be, where that was learned.
    """
    require_local, prompt_tokens = verdict.require_local, needs.prompt_tokens
    ruled = verdict.forced is not None or bool(verdict.forbidden)
    entries: list[Entry] = []
    excluded: list[Excluded] = []
    for standing in standings:
        candidate = standing.candidate
        kept_out = _kept_out(candidate.name, verdict) if ruled else None
        if kept_out is not None:
            excluded.append(kept_out)
            continue
        reason = standing.abilities.obstacle(needs, require_local) or standing.crowded
        if reason:
            excluded.append(Excluded(candidate.name, reason))
            continue
        expected, tokens, share = None, answer_tokens.get(candidate.name), 1.0
        if standing.pace is not None:
            known = read.tokens if read is not None and read.candidate == candidate.name else 0
            expected = standing.pace.expected(needs, known, tokens)
            if tokens is not None and needs.allowed(tokens) < tokens:
                share = expected.answer_s / standing.pace.expected(needs.unlimited, known, tokens).answer_s
        cost_usd = candidate.cost_usd(prompt_tokens, needs.allowed(needs.answer_tokens if tokens is None else tokens))
        entries.append(Entry(candidate, expected, cost_usd, share))
    return entries, excluded


def _kept_out(name: str, verdict: Verdict) -> Excluded | None:
    """The candidate as the rule that keeps it out leaves it; None where no rule does."""
    rule = verdict.forbidden.get(name)
    if rule is not None:
        return Excluded(name, f"the rule {rule!r} forbids it", rule)
    if verdict.forced is not None and name not in verdict.forced.candidates:
        return Excluded(name, f"the rule {verdict.forced.rule!r} forces another", verdict.forced.rule)
    return None
