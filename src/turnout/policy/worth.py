"""What candidates are worth now, from what is expected of them at this moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

from turnout.config.rules import ExchangeRates

Prospect: TypeAlias = tuple[float, float | None, float | None]
"""Calibrated probability of success, expected seconds, expected cost in dollars; None where nobody knows."""


def worths(prospects: Sequence[Prospect], rate: float | ExchangeRates) -> list[float]:
    """Utility of each candidate that can serve, among all that can.

    Args:
        prospects: what is expected of each.
        rate: probability of success that the most expensive candidate's call is worth, or worths of a second and a cent.

    Seconds and money each count as a share of the most among the candidates; where both are known, half each. What
    nobody knows counts as the most.
    """
    most_s = most_usd = 0.0
    for _, seconds, cost in prospects:
        if seconds is not None and seconds > most_s:
            most_s = seconds
        if cost is not None and cost > most_usd:
            most_usd = cost
    if isinstance(rate, ExchangeRates):
        per_second, per_dollar = rate.success_per_second, rate.success_per_cent * 100
        return [
            p
            - per_second * (most_s if seconds is None else seconds)
            - per_dollar * (most_usd if cost is None else cost)
            for p, seconds, cost in prospects
        ]
    measures = (most_s > 0) + (most_usd > 0) or 1
    found = []
    for p, seconds, cost in prospects:
        share = 0.0
        if most_s > 0:
            share = 1.0 if seconds is None else seconds / most_s
        if most_usd > 0:
            share += 1.0 if cost is None else cost / most_usd
        found.append(p - rate * (share / measures))
    return found
