"""Retraining again and again: at an interval, or when drift says so. What fails is told, and the next turn comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from turnout_pipelines import drift, retrain
from turnout_pipelines.sources import say

from turnout.errors import TurnoutError

_GROWN: Final = 1.5
"""By how much what is known must have grown before a question that could not be concluded is asked again: its interval is
then a fifth narrower (1/sqrt(1.5))."""


def run(
    *,
    every_s: float,
    on_drift: bool = False,
    turns: int | None = None,
    history: str = "",
    config: Path | None = None,
    sleep: Callable[[float], None] = time.sleep,
    told: Callable[[dict[str, Any]], None] = lambda _: None,
    **options: Any,
) -> dict[str, Any]:
    """Take turns until interrupted; returns how many retrainings there were and how many promoted.

    Args:
        every_s: seconds from the start of one turn to the start of the next.
        on_drift: look for drift at each turn, and retrain only where there are alarms that no retraining has answered;
            after one that could not conclude, once another comes or half as many decisions again are known.
        turns: stop after so many.
        told: gets the result of each retraining.
        options: of `retrain.run`.
    """
    done = {"turns": 0, "retrained": 0, "promoted": 0}
    answered = tried = 0.0
    enough = 0.0
    while turns is None or done["turns"] < turns:
        started = time.monotonic()
        done["turns"] += 1
        try:
            noted = drift.run(history=history, config=config)
            since = max((alarm["since"] for alarm in noted["alarms"]), default=0.0)
            if not on_drift or (since > answered and (since > tried or noted["decisions"] >= enough)):
                result = retrain.run(history=history, config=config, **options)
                if result["verdict"] == "inconclusive":
                    tried, enough = since, noted["decisions"] * _GROWN
                else:
                    answered = max(answered, since, float(result["history"]["last_at"]))
                done["retrained"] += 1
                done["promoted"] += result["promoted"]
                told(result)
            else:
                say(
                    "no drift: nothing to do" if since <= answered else "drift, but hardly more is known than last time"
                )
        except Exception as error:  # a full disk or an absent server may be over at the next turn
            say(f"{_told(error)}; trying again in {every_s:,.0f} s")
        if turns is None or done["turns"] < turns:
            sleep(max(0.0, every_s - (time.monotonic() - started)))
    return done


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, TurnoutError) else f"{type(error).__name__}: {error}"
