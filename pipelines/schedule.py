"""Retraining again and again: at an interval, or when drift says so. What fails is told, and the next turn comes."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from turnout_pipelines import drift, retrain
from turnout_pipelines.sources import say

from turnout.errors import TurnoutError

Turn = Callable[[], dict[str, Any]]


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
        on_drift: look for drift at each turn, and retrain only where there are alarms that no retraining has answered.
        turns: stop after so many.
        told: gets the result of each retraining.
        options: of `retrain.run`.
    """
    done = {"turns": 0, "retrained": 0, "promoted": 0}
    answered = 0.0
    while turns is None or done["turns"] < turns:
        started = time.monotonic()
        done["turns"] += 1
        try:
            noted = drift.run(history=history, config=config)
            since = [alarm["since"] for alarm in noted["alarms"] if alarm["since"] > answered]
            if not on_drift or since:
                result = retrain.run(history=history, config=config, **options)
                answered = max([answered, *since, _settled(result)])
                done["retrained"] += 1
                done["promoted"] += result["promoted"]
                told(result)
            else:
                say("no drift: nothing to do")
        except Exception as error:  # a full disk or an absent server may be over at the next turn
            say(f"{_told(error)}; trying again in {every_s:,.0f} s")
        if turns is None or done["turns"] < turns:
            sleep(max(0.0, every_s - (time.monotonic() - started)))
    return done


def _settled(result: dict[str, Any]) -> float:
    """Until when what happened is answered for: a verdict has seen it all, and what is inconclusive settles nothing."""
    return 0.0 if result["verdict"] == "inconclusive" else float(result["history"]["last_at"])


def _told(error: Exception) -> str:
    return str(error) if isinstance(error, TurnoutError) else f"{type(error).__name__}: {error}"
