"""The tables as queries see them. What makes and changes them is in `migrations`; a test holds that both agree.

Ids are unique for ever. Children name their decision without a foreign key: feedback may reach the database before
the decision does, from another process.
"""

from __future__ import annotations

from typing import Final

from sqlalchemy import JSON, BigInteger, Boolean, Column, Double, MetaData, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

metadata: Final = MetaData()


class Key(Text):
    """A text that rows are looked up by."""


Json: Final = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

decisions: Final = Table(
    "decisions",
    metadata,
    Column("id", Key, primary_key=True),
    Column("created_at", Double, nullable=False),
    Column("request_id", Key),
    Column("conversation", Key),
    Column("user", Key),
    Column("preference", Text),
    Column("candidate", Text),
    Column("confidence", Double),
    Column("propensity", Double),
    Column("decided_by", Text),
    Column("reason", Text),
    Column("rules", Json),
    Column("ranking", Json),
    Column("excluded", Json),
    Column("task_type", Text),
    Column("complexity", Text),
    Column("complexity_score", Double),
    Column("tier", Text),
    Column("tier_score", Double),
    Column("novelty", Double),
    Column("out_of_depth", Boolean),
    Column("predictor", Text),
    Column("configuration", Text),
    Column("prompt", Text),
    Column("prompt_hash", Text),
    Column("prompt_chars", BigInteger),
    Column("features", Text),
    Column("features_schema", Text),
)

attempts: Final = Table(
    "attempts",
    metadata,
    Column("id", Key, primary_key=True),
    Column("decision_id", Key),
    Column("number", BigInteger),
    Column("role", Text),
    Column("candidate", Text),
    Column("started_at", Double, nullable=False),
    Column("queue_s", Double),
    Column("load_s", Double),
    Column("first_token_s", Double),
    Column("total_s", Double),
    Column("prompt_tokens", BigInteger),
    Column("completion_tokens", BigInteger),
    Column("tokens_per_s", Double),
    Column("streamed", Boolean),
    Column("error", Text),
    Column("message", Text),
    Column("confidence", Double),
    Column("signals", Json),
    Column("chosen", Boolean),
    Column("answer", Text),
)

outcomes: Final = Table(
    "outcomes",
    metadata,
    Column("id", Key, primary_key=True),
    Column("decision_id", Key),
    Column("candidate", Text),
    Column("source", Text),
    Column("score", Double),
    Column("weight", Double),
    Column("created_at", Double, nullable=False),
    Column("details", Json),
)

feedback: Final = Table(
    "feedback",
    metadata,
    Column("id", Key, primary_key=True),
    Column("decision_id", Key),
    Column("user", Key),
    Column("kind", Text),
    Column("value", Double),
    Column("comment", Text),
    Column("created_at", Double, nullable=False),
)

language_models: Final = Table(
    "language_models",
    metadata,
    Column("id", Key, primary_key=True),
    Column("candidate", Text),
    Column("identity", Text),
    Column("first_seen_at", Double, nullable=False),
)
"""Which language model was behind a candidate's name, from when on; see `identities`."""

erasures: Final = Table(
    "erasures",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("erased_at", Double, nullable=False),
)
"""What was erased, so that a journal which still holds it brings nothing back. A subject is a decision's id, or a
digest of a conversation or user."""

schema_version: Final = Table(
    "schema_version",
    metadata,
    Column("version", BigInteger, primary_key=True),
    Column("applied_at", Double, nullable=False),
)

RECORDED: Final = (decisions, attempts, outcomes, feedback, language_models)
CHILDREN: Final = (attempts, outcomes, feedback)
TIME_OF: Final = {
    decisions: decisions.c.created_at,
    attempts: attempts.c.started_at,
    outcomes: outcomes.c.created_at,
    feedback: feedback.c.created_at,
    language_models: language_models.c.first_seen_at,
}
