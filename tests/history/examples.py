"""Records to keep, ordinary and strange ones, and a store that keeps them in memory."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from hypothesis import strategies as st
from sqlalchemy import Table
from sqlalchemy.exc import OperationalError

from turnout.history import AttemptRecord, DecisionRecord, FeedbackRecord, LanguageModelRecord, OutcomeRecord, Record
from turnout.history.encoding import Encoder
from turnout.history.fingerprints import Fingerprints
from turnout.history.rows import Row, read_line
from turnout.types import Excluded, Ranked

ENCODER = Encoder("full", Fingerprints(b"k" * 32))
_NUMBER = itertools.count(1)


def name() -> str:
    return f"id-{next(_NUMBER):06d}"


def decision(**changes: Any) -> DecisionRecord:
    fields: dict[str, Any] = {
        "id": name(),
        "candidate": "local/small",
        "confidence": 0.75,
        "ranking": (Ranked("local/small", 0.75, 1.5, None, 0.7), Ranked("cloud/large", 0.875, None, 0.25, 0.5)),
        "excluded": (Excluded("local/tiny", "its window is too small", "long"),),
        "rules": ("long",),
        "prompt": "rename x to y",
    }
    return DecisionRecord(**{**fields, **changes})


def attempt(decision_id: str, **changes: Any) -> AttemptRecord:
    return AttemptRecord(**{"id": name(), "decision_id": decision_id, "candidate": "local/small", **changes})


def outcome(decision_id: str, **changes: Any) -> OutcomeRecord:
    fields = {"id": name(), "decision_id": decision_id, "candidate": "local/small", "source": "verifier", "score": 1.0}
    return OutcomeRecord(**{**fields, **changes})  # type: ignore[arg-type]


def feedback(decision_id: str, **changes: Any) -> FeedbackRecord:
    return FeedbackRecord(**{"id": name(), "decision_id": decision_id, "kind": "good", **changes})


def language_model(**changes: Any) -> LanguageModelRecord:
    fields: dict[str, Any] = {"id": name(), "candidate": "local/small", "identity": "a.b.c.d.e"}
    return LanguageModelRecord(**{**fields, **changes})


def family(**changes: Any) -> list[Record]:
    """A decision with an attempt, an outcome and feedback."""
    first = decision(**changes)
    return [first, attempt(first.id), outcome(first.id), feedback(first.id)]


def named(line: bytes) -> tuple[Table, dict[str, Any]]:
    """A line's table, and its row by the names of the columns."""
    table, found = read_line(line.removesuffix(b"\n"))
    return table, dict(zip(table.columns.keys(), found, strict=True))


def row(record: Record) -> tuple[Table, dict[str, Any]]:
    """A record's table, and its row by the names of the columns."""
    return named(ENCODER.line(record))


def rows(*records: Record) -> list[tuple[Table, Row]]:
    return [read_line(ENCODER.line(record).removesuffix(b"\n")) for record in records]


class Kill(BaseException):
    """The process dies here."""


class MemoryStore:
    """Keeps ids in memory. `fails` makes it refuse everything, `dies_after_commit` ends the process after the next."""

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.fails = False
        self.dies_after_commit = False
        self.swept: list[float] = []
        self.transactions = 0
        self.database = self

    def insert(self, found: Iterable[tuple[Table, Row]]) -> int:
        if self.fails:
            raise OperationalError("INSERT", {}, RuntimeError("the database is away"))
        new = [row[0] for _, row in found]
        self.transactions += 1
        self.ids += [one for one in dict.fromkeys(new) if one not in self.ids]
        if self.dies_after_commit:
            self.dies_after_commit = False
            raise Kill
        return len(new)

    def sweep(self, before: float) -> int:
        self.swept.append(before)
        return 0

    def doubt(self) -> None:
        pass

    def close(self) -> None:
        pass


ODD_CHARACTERS = st.sampled_from('\0\ud800\udfff\n\r"\\%{}\u2028é漢😀\x7f')
texts = st.text(st.one_of(st.characters(), ODD_CHARACTERS), max_size=30)
names = st.one_of(texts.filter(bool), st.text(min_size=250, max_size=400))
numbers = st.floats(allow_nan=True, allow_infinity=True)
maybe_numbers = st.none() | numbers
values = st.recursive(
    st.none() | st.booleans() | numbers | st.integers() | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(texts, values, max_size=4)
times = st.floats(0, 4e9)
ids = st.builds(lambda head: f"{head}{name()}", texts)

ranked = st.builds(
    Ranked,
    candidate=texts,
    p_success=numbers,
    expected_s=maybe_numbers,
    cost_usd=maybe_numbers,
    utility=numbers,
    learned=st.booleans(),
    inherited=numbers,
)
decisions = st.builds(
    DecisionRecord,
    id=ids,
    created_at=times,
    request_id=names,
    conversation=names,
    user=names,
    candidate=texts,
    confidence=numbers,
    propensity=numbers,
    reason=texts,
    rules=st.lists(texts, max_size=3).map(tuple),
    ranking=st.lists(ranked, max_size=3).map(tuple),
    excluded=st.lists(st.builds(Excluded, texts, texts, texts), max_size=3).map(tuple),
    complexity_score=maybe_numbers,
    novelty=numbers,
    out_of_depth=st.booleans(),
    prompt=st.none() | texts,
)
attempts = st.builds(
    AttemptRecord,
    id=ids,
    decision_id=names,
    number=st.integers(),
    candidate=texts,
    started_at=times,
    queue_s=maybe_numbers,
    total_s=maybe_numbers,
    prompt_tokens=st.none() | st.integers(0, 2**70),
    error=texts,
    message=texts,
    confidence=maybe_numbers,
    signals=mappings,
    streamed=st.booleans(),
    chosen=st.booleans(),
)
outcomes = st.builds(
    OutcomeRecord,
    id=ids,
    decision_id=names,
    candidate=texts,
    source=texts,
    score=numbers,
    weight=numbers,
    created_at=times,
    details=mappings,
)
feedbacks = st.builds(
    FeedbackRecord,
    id=ids,
    decision_id=names,
    user=names,
    kind=texts,
    value=maybe_numbers,
    comment=texts,
    created_at=times,
)
language_models = st.builds(LanguageModelRecord, id=ids, candidate=texts, identity=texts, first_seen_at=times)
strange_records = st.one_of(decisions, attempts, outcomes, feedbacks, language_models)
