"""What stands where in a line of the journal.

A line is ASCII, in parts between tabs: the name of its layout, all numbers packed (float64 in base64, NaN for unknown),
the features of a decision (empty if there are none), a JSON list of texts, then values of any shape, each in JSON.
Printing numbers is most of what JSON costs, so they are not printed; what is in base64 already needs no JSON either; and
a value in a part of its own can go into the database as it stands. A layout never changes once it was released: a
journal may be read by a later version than the one that wrote it.
"""

from __future__ import annotations

import binascii
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

_NAN: Final = float("nan")


@dataclass(frozen=True, slots=True)
class Layout:
    """The columns of one table in the order of a line; numbers beyond `numbers` belong to the ranking.

    Features and ranking make a line of its own kind, which decisions alone have.
    """

    name: str
    table: str
    texts: tuple[str, ...]
    numbers: tuple[str, ...]
    values: tuple[str, ...]


DECISION: Final = Layout(
    "decision.1",
    "decisions",
    (
        "id",
        "request_id",
        "conversation",
        "user",
        "preference",
        "candidate",
        "decided_by",
        "reason",
        "task_type",
        "complexity",
        "tier",
        "predictor",
        "configuration",
        "prompt",
        "prompt_hash",
        "features_schema",
    ),
    (
        "created_at",
        "confidence",
        "propensity",
        "complexity_score",
        "tier_score",
        "novelty",
        "out_of_depth",
        "prompt_chars",
    ),
    ("features", "rules", "ranking", "excluded"),
)
ATTEMPT: Final = Layout(
    "attempt.1",
    "attempts",
    ("id", "decision_id", "role", "candidate", "error", "message", "answer"),
    (
        "number",
        "started_at",
        "queue_s",
        "load_s",
        "first_token_s",
        "total_s",
        "prompt_tokens",
        "completion_tokens",
        "tokens_per_s",
        "streamed",
        "confidence",
        "chosen",
    ),
    ("signals",),
)
OUTCOME: Final = Layout(
    "outcome.1",
    "outcomes",
    ("id", "decision_id", "candidate", "source"),
    ("score", "weight", "created_at"),
    ("details",),
)
FEEDBACK: Final = Layout(
    "feedback.1",
    "feedback",
    ("id", "decision_id", "user", "kind", "comment"),
    ("value", "created_at"),
    (),
)
LANGUAGE_MODEL: Final = Layout(
    "language_model.1", "language_models", ("id", "candidate", "identity"), ("first_seen_at",), ()
)
LAYOUTS: Final = {layout.name: layout for layout in (DECISION, ATTEMPT, OUTCOME, FEEDBACK, LANGUAGE_MODEL)}

RANKING: Final = ("p_success", "expected_s", "cost_usd", "utility", "learned", "inherited")
"""The numbers of each candidate in a ranking."""


def pack_numbers(numbers: Iterable[float | None]) -> bytes:
    """Numbers as text."""
    packed = array("d", [_NAN if number is None else number for number in numbers])
    return binascii.b2a_base64(packed, newline=False)


def unpack_numbers(text: str) -> list[float]:
    """What `pack_numbers` made a text of.

    Raises:
        ValueError: the text is damaged.
    """
    numbers = array("d")
    numbers.frombytes(binascii.a2b_base64(text))
    return numbers.tolist()
