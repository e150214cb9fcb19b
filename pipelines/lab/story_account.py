"""The figures of a life: each phase beside its yardsticks, each swap and how it was noticed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from turnout_pipelines.lab.story_curves import SERVED, courses, figures, interval
from turnout_pipelines.lab.story_log import Event, Life, Row
from turnout_pipelines.lab.story_plan import Phase


def account(
    rows: Sequence[Row], events: Sequence[Event], phases: Sequence[Phase], unseen: Mapping[int, int | None]
) -> dict[str, Any]:
    """Plain values for story.json.

    Args:
        unseen: by the place of a swap, after how many requests outcomes alone would have shown it.
    """
    life = Life.of(rows)
    played = [phase.name for phase in phases if (life.phase == phase.name).any()]
    return {
        "requests": len(life),
        "phases": [{"name": name, **_worth(life.take(life.phase == name))} for name in played],
        "whole": _worth(life),
        "swaps": [
            {
                "at": event.at,
                "served": event.details["served"],
                "noticed_after": _noticed_after(events, event.at),
                "noticed_by_outcomes_after": unseen.get(event.at),
            }
            for event in events
            if event.kind == "swapped"
        ],
        "events": [event.to_json() for event in events],
    }


def _worth(life: Life) -> dict[str, Any]:
    """`gain`: served score less always strong's, with its interval; `explored`: the share of requests that were."""
    ways = courses(life)
    gain = ways[SERVED].score - ways["always strong"].score
    return {
        "requests": len(life),
        "explored": float(np.mean(life.explored)),
        "gain": list(interval(gain)),
        "ways": figures(life),
    }


def _noticed_after(events: Sequence[Event], swapped_at: int) -> int | None:
    """Requests from a swap to the first alarm after it; None where there is none before the next swap."""
    later = (event for event in events if event.at > swapped_at and event.kind in ("swapped", "alarm"))
    first = next(later, None)
    return first.at - swapped_at if first is not None and first.kind == "alarm" else None
