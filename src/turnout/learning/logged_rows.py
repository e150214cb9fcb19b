"""Rows of a log while they are collected: arrays with slots that are filled and filled again, and `LoggedDecisions` at last.

A sample replaces rows as it goes on, and nobody knows beforehand how many rows and candidates there will be; so arrays grow
by doubling, and candidates get columns as they appear.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from sys import intern
from typing import Final

import numpy as np

from turnout.features import FEATURE_NAMES
from turnout.history.packing import StoredFeatures
from turnout.learning.dataset import FeatureTable
from turnout.learning.groups import group_rows
from turnout.learning.logged import LoggedDecisions
from turnout.learning.ngram_store import NgramStore

CELL: Final = ("eligible", "score", "weight", "predicted", "expected_s", "seconds", "answer_tokens")
"""What is kept of each (row, candidate)."""

_EMPTY: Final = np.array([0.0, np.nan, 0.0, np.nan, np.nan, np.nan, np.nan], np.float32)
_ROW: Final = np.dtype(
    [
        ("created_at", "f8"),
        ("propensity", "f8"),
        ("chosen", "i4"),
        ("pinned", "?"),
        ("conversation", "u8"),
        ("prompts", "u8", 2),
    ]
)
_LEAST_ROWS: Final = 1024


@dataclass(slots=True)
class LoggedRow:
    """One decision on its way into the arrays.

    `cells` are by candidate, in the order of `CELL`; `conversation` and `prompts` are the keys of `group_rows`.
    """

    id: str
    created_at: float
    chosen: str
    propensity: float
    pinned: bool
    preference: str
    predictor: str
    conversation: int
    prompts: tuple[int, int]
    features: StoredFeatures
    cells: dict[str, list[float]] = field(default_factory=dict)


class LoggedRows:
    """Slots for at most `size` rows; a slot is used once all before it are."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._count = 0
        self._column: dict[str, int] = {}
        self._rows = np.zeros(0, _ROW)
        self._words = np.empty((0, 3), object)
        self._dense = np.empty((0, len(FEATURE_NAMES)), np.float32)
        self._cells = np.empty((0, 4, len(CELL)), np.float32)
        self._ngrams = NgramStore(size)

    def __len__(self) -> int:
        return self._count

    def put(self, slot: int, row: LoggedRow) -> None:
        """Put a row into a slot; what was there before is gone."""
        self._count = max(self._count, slot + 1)
        if slot >= len(self._rows):
            self._grow()
        chosen = self._at(row.chosen)
        self._rows[slot] = (row.created_at, row.propensity, chosen, row.pinned, row.conversation, row.prompts)
        self._words[slot] = (row.id, intern(row.preference), intern(row.predictor))
        self._dense[slot] = row.features.vector
        self._ngrams.put(slot, row.features.buckets, row.features.counts)
        places = [self._at(candidate) for candidate in row.cells]
        self._cells[slot] = _EMPTY
        self._cells[slot, places] = list(row.cells.values())

    def decisions(self, candidates: Sequence[str]) -> LoggedDecisions:
        """The rows of these candidates, oldest first: those in which one of them was chosen and one has a score.

        The rows themselves are copied; what they were collected in can be let go of then.
        """
        columns = np.array([self._at(candidate) for candidate in candidates], np.int64)
        rows, words = self._rows[: self._count], self._words[: self._count]
        column = np.full(len(self._column), -1)
        column[columns] = np.arange(len(columns))
        chosen = column[rows["chosen"]]
        scored = (self._cells[: self._count, columns, CELL.index("weight")] > 0).any(axis=1)
        kept = np.flatnonzero((chosen >= 0) & scored)
        by_id = kept[np.argsort(words[kept, 0], kind="stable")]
        order = by_id[np.argsort(rows["created_at"][by_id], kind="stable")]
        together = self._cells[np.ix_(order, columns)]
        cells = {name: np.ascontiguousarray(together[..., at]) for at, name in enumerate(CELL)}
        return LoggedDecisions(
            candidates=tuple(candidates),
            ids=words[order, 0],
            created_at=rows["created_at"][order],
            features=FeatureTable(self._dense[order], self._ngrams.rows(order)),
            groups=group_rows(rows["conversation"][order], rows["prompts"][order]),
            chosen=chosen[order],
            propensity=rows["propensity"][order],
            pinned=rows["pinned"][order],
            eligible=cells["eligible"] > 0,
            scores=cells["score"],
            weights=cells["weight"],
            predicted=cells["predicted"],
            expected_s=cells["expected_s"],
            seconds=cells["seconds"],
            answer_tokens=cells["answer_tokens"],
            preference=words[order, 1],
            predictor=words[order, 2],
        )

    def _at(self, candidate: str) -> int:
        """The column of a candidate, made where there is none."""
        at = self._column.setdefault(candidate, len(self._column))
        if at >= self._cells.shape[1]:
            wider = np.empty((len(self._cells), 2 * self._cells.shape[1], len(CELL)), np.float32)
            wider[:, : self._cells.shape[1]] = self._cells
            wider[:, self._cells.shape[1] :] = _EMPTY
            self._cells = wider
        return at

    def _grow(self) -> None:
        """Twice as many slots."""
        more = min(self._size, max(_LEAST_ROWS, 2 * len(self._rows)))
        for name in ("_rows", "_words", "_dense", "_cells"):
            old = getattr(self, name)
            new = np.empty((more, *old.shape[1:]), old.dtype)
            new[: len(old)] = old
            setattr(self, name, new)
