"""From the history to training arrays, in one pass and in memory that does not grow with the history.

Decisions come in batches with all that is known of them. Each row that can be learned from goes through a weighted
reservoir (`reservoir`), so that of a long history a sample stays in which recent decisions are more likely; of what does
not come in, features are not even looked at.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

from tqdm import tqdm

from turnout.errors import TooFewRowsError
from turnout.features import schema_hash
from turnout.history.batches import Batch
from turnout.history.identities import changed_at
from turnout.history.packing import StoredFeatures
from turnout.history.reader import HistoryReader
from turnout.learning.history_cells import ByCandidate, Heard, heard_in
from turnout.learning.history_counts import HistoryCounts, Means
from turnout.learning.history_features import features_of
from turnout.learning.labels import Label, source_weights
from turnout.learning.logged import LoggedDecisions
from turnout.learning.logged_rows import LoggedRow, LoggedRows
from turnout.learning.reservoir import Reservoir

MIN_SUPPORT: Final = 50
"""Scored decisions that a candidate needs to be learned: with fewer its mean alone is uncertain by more than .07 (one
standard error of a share of one half)."""

MAX_ROWS: Final = 200_000
HALF_LIFE_DAYS: Final = 60.0
"""A decision of so long ago is half as likely to stay in the sample; two months see prompts and language models change."""

PINNED: Final = frozenset({"force", "only", "order", "prefer", "conversation"})
"""What leaves no choice: a rule, a caller who named the candidate, a voice, a conversation that stays."""

Beside: TypeAlias = Callable[[Batch, Mapping[str, ByCandidate]], None]
"""Who reads along: hears of each batch, and of what is known by decision and candidate."""

_DAY_S: Final = 86_400.0
_MOST_HALVINGS: Final = 900.0
_UNKNOWN: Final = float("nan")
_UNMEASURED: Final = (_UNKNOWN, _UNKNOWN)  # seconds, tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class HistorySettings:
    """What is taken from a history.

    `candidates` in their order, None for all with `min_support` scored decisions, cheapest first. At most `max_rows` rows.
    `weights` of sources in place of `labels.SOURCE_WEIGHTS`. Decisions from `since` on and before `until`, Unix seconds.
    """

    candidates: Sequence[str] | None = None
    min_support: int = MIN_SUPPORT
    max_rows: int = MAX_ROWS
    half_life_days: float = HALF_LIFE_DAYS
    weights: Mapping[str, float] = field(default_factory=dict)
    since: float = 0.0
    until: float | None = None
    seed: int = 0
    quiet: bool = False


def from_history(
    reader: HistoryReader, settings: HistorySettings = HistorySettings(), beside: Beside | None = None
) -> tuple[LoggedDecisions, HistoryCounts]:
    """The decisions of a history that can be learned from, and what was found on the way.

    Left out are decisions without a score of any candidate, without readable features or prompt, without a propensity, and
    those whose chosen candidate is none of the candidates. A score that is from before a candidate's language model
    changed counts for nobody.

    Args:
        reader: of the history.
        settings: what is taken.
        beside: reads along, so that a long history is read once.

    Raises:
        TooFewRowsError: nothing is left.
        HistoryError: the history cannot be read now.
    """
    collecting = _Collecting(reader, settings, beside)
    collecting.run()
    counts = collecting.counts
    candidates = (
        tuple(settings.candidates) if settings.candidates is not None else counts.cheapest_first(settings.min_support)
    )
    logged = collecting.rows.decisions(candidates)
    counts.kept = len(logged)
    if not candidates or not len(logged):
        raise TooFewRowsError(_nothing_left(counts, settings))
    return logged, counts


class _Collecting:
    """One pass over a history."""

    def __init__(self, reader: HistoryReader, settings: HistorySettings, beside: Beside | None) -> None:
        self.counts = HistoryCounts()
        self.rows = LoggedRows(settings.max_rows)
        self._reader = reader
        self._settings = settings
        self._beside = beside
        self._weights = source_weights(settings.weights)
        self._wanted = None if settings.candidates is None else frozenset(settings.candidates)
        self._reservoir = Reservoir(settings.max_rows, settings.seed)
        self._changed_at = changed_at(reader.language_models())
        self._seconds, self._cost_usd = Means(), Means()

    def run(self) -> None:
        """Read everything; `rows` and `counts` hold it then."""
        settings, counts = self._settings, self.counts
        total, counts.first_at, counts.last_at = self._reader.span(since=settings.since, until=settings.until)
        bar = tqdm(total=total, desc="history", unit="decision", delay=2, disable=settings.quiet)
        with bar:
            for batch in self._reader.batches(schema_hash(), since=settings.since, until=settings.until):
                heard = heard_in(batch)
                if self._beside is not None:
                    self._beside(batch, heard)
                for row in batch.decisions:
                    if reason := self._take(row, heard.get(row.id, {})):
                        counts.skipped[reason] += 1
                counts.read += len(batch.decisions)
                bar.update(len(batch.decisions))
        counts.seconds, counts.cost_usd = self._seconds.by_name(), self._cost_usd.by_name()

    def _take(self, row: Any, heard: ByCandidate) -> str:
        """Take in one decision; why not, where it cannot be learned from."""
        labels = self._labels(row, heard)
        if not labels:
            return "no outcome"
        if self._wanted is not None and row.candidate not in self._wanted:
            return "another candidate was chosen"
        if not row.candidate or row.propensity is None or not 0.0 < row.propensity <= 1.0:
            return "no propensity"
        if row.features is None and row.prompt is None:
            return "neither features nor prompt"
        key = self._reservoir.draw(self._recency(row.created_at))
        features = None if key is None else features_of(row)
        if key is not None and features is None:
            return "damaged features"
        self.counts.scored += 1
        self.counts.support.update(labels.keys())
        if key is not None and features is not None:
            self.rows.put(self._reservoir.place(key), self._row(row, features, self._cells(row, heard, labels)))
        return ""

    def _row(self, row: Any, features: StoredFeatures, cells: dict[str, list[float]]) -> LoggedRow:
        return LoggedRow(
            id=row.id,
            created_at=row.created_at,
            chosen=row.candidate,
            propensity=row.propensity,
            pinned=row.decided_by in PINNED and row.propensity >= 1.0,
            preference=row.preference or "",
            predictor=row.predictor or "",
            conversation=_digest((row.conversation or "").encode()),
            # Fingerprints are keyed by folder; of two processes with folders of their own only n-grams tell the same prompt.
            prompts=(_digest((row.prompt_hash or "").encode()), _digest(features.buckets.tobytes())),
            features=features,
            cells=cells,
        )

    def _labels(self, row: Any, heard: ByCandidate) -> dict[str, Label]:
        """The labels of the candidates that are wanted, those of an earlier language model left out and counted."""
        found = {}
        for candidate, one in heard.items():
            if self._wanted is not None and candidate not in self._wanted:
                continue
            label = one.label(self._weights)
            if row.created_at < self._changed_at.get(candidate, 0.0):
                self.counts.earlier[candidate] += label is not None
                continue
            if one.answered_s is not None:
                self._seconds.add(candidate, one.answered_s)
            if label is not None:
                found[candidate] = label
        return found

    def _cells(self, row: Any, heard: ByCandidate, labels: Mapping[str, Label]) -> dict[str, list[float]]:
        """All that is known of each candidate: `logged_rows.CELL`."""
        cells = {}
        for entry in row.ranking or ():
            candidate = entry["candidate"]
            cells[candidate] = [1.0, _UNKNOWN, 0.0, _learned(entry), _number(entry.get("expected_s")), *_UNMEASURED]
            if (cost := entry.get("cost_usd")) is not None:
                self._cost_usd.add(candidate, cost)
        for candidate in {row.candidate, *heard}:
            was_open = float(candidate == row.candidate)  # others are in the ranking, if they could have been chosen
            cell = cells.setdefault(candidate, [was_open, _UNKNOWN, 0.0, _UNKNOWN, _UNKNOWN, *_UNMEASURED])
            if row.created_at >= self._changed_at.get(candidate, 0.0):
                one = heard.get(candidate, _NOBODY)
                cell[5], cell[6] = _number(one.answered_s), _number(one.answer_tokens)
            if (label := labels.get(candidate)) is not None:
                cell[1], cell[2] = label
        if self._wanted is not None:
            return {name: cell for name, cell in cells.items() if name in self._wanted}
        return cells

    def _recency(self, created_at: float) -> float:
        """The weight of a decision in the sample: half of the newest one's for each half-life."""
        age_s = max(0.0, self.counts.last_at - created_at)
        return float(2.0 ** -min(age_s / (self._settings.half_life_days * _DAY_S), _MOST_HALVINGS))


_NOBODY: Final = Heard()


def _learned(entry: Mapping[str, Any]) -> float:
    """The chance that a predictor gave; where nobody knew the candidate, the others' mean stood in for one."""
    return _number(entry.get("p_success")) if entry.get("learned", True) else _UNKNOWN


def _number(value: float | None) -> float:
    return _UNKNOWN if value is None else value


def _digest(content: bytes) -> int:
    """64 bits that stand for content, 0 for none."""
    return int.from_bytes(hashlib.blake2b(content, digest_size=8).digest()) or 1 if content else 0


def _nothing_left(counts: HistoryCounts, settings: HistorySettings) -> str:
    told = ", ".join(f"{count:,} with {reason}" for reason, count in counts.skipped.most_common()) or "none skipped"
    most = ", ".join(f"{name} {count:,}" for name, count in counts.support.most_common(6)) or "nobody"
    return (
        f"the history has nothing to learn from: {counts.read:,} decisions read, {told}; scored decisions by candidate: "
        f"{most}; needed are {settings.min_support:,} unless candidates are named"
    )
