"""What one candidate is worth now, from what is expected of it at this moment."""

from __future__ import annotations

from turnout.config.rules import ExchangeRates


def worth(
    p_success: float,
    seconds: float | None,
    cost_usd: float | None,
    rate: float | ExchangeRates,
    *,
    most_seconds: float,
    most_cost_usd: float,
) -> float:
    """Utility of one candidate among those that can serve, from what is expected of it now.

    Args:
        p_success: calibrated probability of success.
        seconds, cost_usd: expected; None where nobody knows, which counts as the most.
        rate: probability of success that the most expensive candidate's call is worth, or worths of a second and a cent.
        most_seconds, most_cost_usd: of the candidates that can serve; 0 where none is known.

    Seconds and money each count as a share of the most among the candidates; where both are known, half each.
    """
    if isinstance(rate, ExchangeRates):
        time = rate.success_per_second * (most_seconds if seconds is None else seconds)
        return p_success - time - rate.success_per_cent * 100 * (most_cost_usd if cost_usd is None else cost_usd)
    shares = []
    if most_seconds > 0:
        shares.append(1.0 if seconds is None else seconds / most_seconds)
    if most_cost_usd > 0:
        shares.append(1.0 if cost_usd is None else cost_usd / most_cost_usd)
    return p_success - rate * (sum(shares) / len(shares) if shares else 0.0)
