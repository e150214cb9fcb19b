"""Had the provider said nothing: after how many requests do outcomes alone tell that another file answers?

Providers tell size and shape of a language model, so the history knows of a swap within a second, and drops what was
learned before it. A file of the same size and shape would not be told. Here the same history is read without what
providers told, by the same detectors.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from turnout_pipelines import drift
from turnout_pipelines.lab.story_log import Row

from turnout.history.reader import HistoryReader
from turnout.learning.from_history import HistorySettings, from_history

STEP: Final = 25
"""Requests between two looks."""


class Untold(HistoryReader):
    """A history in which no provider tells anything of its language models."""

    def language_models(self) -> list[tuple[str, str, float]]:
        """None."""
        return []


def noticed_by_outcomes(history: str, rows: Sequence[Row], swapped_at: int, candidate: str) -> int | None:
    """Requests from the swap to the first look with an alarm about that candidate's success.

    None where the champion of that moment was replaced before anything was noticed.

    Args:
        rows: the life's, oldest first; `swapped_at` is the place of the first one after the swap.
    """
    with Untold(history) as reader:
        logged, _ = from_history(reader, HistorySettings(quiet=True))
    champion = rows[swapped_at].predictor
    own = logged.take(logged.predictor == champion)
    order = np.argsort(own.created_at, kind="stable")
    places = [place for place, row in enumerate(rows) if row.predictor == champion]
    before = sum(place < swapped_at for place in places)
    # Requests in between that others decided, if any, are none of the champion's: only its own count.
    for seen in range(before + STEP, len(order) + 1, STEP):
        alarms = drift.changed(own.take(order[:seen]), None)
        since = own.created_at[order[max(0, before - STEP)]]
        if any(alarm.candidate == candidate and alarm.since >= since for alarm in alarms):
            return seen - before
    return None
