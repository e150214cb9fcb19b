"""The history in batches, oldest first, in bounded memory: what learning needs of decisions and of all that came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Connection, case, literal, select, tuple_

from turnout.history.tables import attempts, decisions, feedback, outcomes

AT_ONCE: Final = 1_000
"""Decisions in a batch: with prompts and features a few megabytes."""

_DECISION: Final = (
    *("id", "created_at", "conversation", "preference", "candidate", "propensity", "decided_by", "ranking"),
    *("predictor", "prompt_hash", "features_schema"),
)
_CHILDREN: Final = {
    attempts: (
        "decision_id",
        "candidate",
        "error",
        "confidence",
        "signals",
        "chosen",
        "queue_s",
        "load_s",
        "total_s",
        "completion_tokens",
    ),
    outcomes: ("decision_id", "candidate", "source", "score", "weight"),
    feedback: ("decision_id", "kind", "value"),
}


@dataclass(frozen=True, slots=True)
class Batch:
    """Decisions in the order of (created_at, id), and what belongs to them in no order; rows with these attributes:

    decisions: id, created_at, conversation, preference, candidate, propensity, decided_by, ranking, predictor,
    prompt_hash, features_schema; features of the schema that was asked for, else prompt, as far as either is kept.
    attempts: decision_id, candidate, error, confidence, signals, chosen, queue_s, load_s, total_s, completion_tokens.
    outcomes: decision_id, candidate, source, score, weight. feedback: decision_id, kind, value.
    """

    decisions: Sequence[Any]
    attempts: Sequence[Any]
    outcomes: Sequence[Any]
    feedback: Sequence[Any]


Place: TypeAlias = tuple[float, str]
"""Where a batch ended: created_at and id of its last decision."""


def read_batch(
    connection: Connection, where: ColumnElement[bool], after: Place | None, features_schema: str, at_once: int
) -> Batch:
    """The next decisions after a place, with everything that belongs to them."""
    order = (decisions.c.created_at, decisions.c.id)
    if after is not None:
        # A comparison of rows uses the index on both columns, which `or` would not.
        where &= tuple_(*order) > tuple_(literal(after[0]), literal(after[1]))
    usable = (decisions.c.features_schema == features_schema) & decisions.c.features.is_not(None)
    asked = select(
        *(decisions.c[name] for name in _DECISION),
        case((usable, decisions.c.features)).label("features"),
        case((usable, None), else_=decisions.c.prompt).label("prompt"),
    )
    found = connection.execute(asked.where(where).order_by(*order).limit(at_once)).all()
    ids = [row.id for row in found]
    children = [
        connection.execute(select(*(table.c[name] for name in names)).where(table.c.decision_id.in_(ids))).all()
        for table, names in _CHILDREN.items()
    ]
    return Batch(found, *children)
