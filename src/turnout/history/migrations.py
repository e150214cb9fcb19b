"""How the tables came to be: numbered steps, each applied once. A released step never changes; new ones are appended.

The statements are written for PostgreSQL; SQLite takes all their types by these names but for JSONB.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, func, insert, inspect, select

from turnout.errors import HistoryError
from turnout.history.tables import schema_version

_INITIAL: Final = (
    """CREATE TABLE decisions (
        id TEXT NOT NULL PRIMARY KEY,
        created_at DOUBLE PRECISION NOT NULL,
        request_id TEXT,
        conversation TEXT,
        "user" TEXT,
        preference TEXT,
        candidate TEXT,
        confidence DOUBLE PRECISION,
        propensity DOUBLE PRECISION,
        decided_by TEXT,
        reason TEXT,
        rules JSONB,
        ranking JSONB,
        excluded JSONB,
        task_type TEXT,
        complexity TEXT,
        complexity_score DOUBLE PRECISION,
        tier TEXT,
        tier_score DOUBLE PRECISION,
        novelty DOUBLE PRECISION,
        out_of_depth BOOLEAN,
        predictor TEXT,
        configuration TEXT,
        prompt TEXT,
        prompt_hash TEXT,
        prompt_chars BIGINT,
        features TEXT,
        features_schema TEXT
    )""",
    "CREATE INDEX decisions_by_time ON decisions (created_at)",
    "CREATE INDEX decisions_by_request ON decisions (request_id)",
    "CREATE INDEX decisions_by_conversation ON decisions (conversation, created_at)",
    'CREATE INDEX decisions_by_user ON decisions ("user", created_at)',
    """CREATE TABLE attempts (
        id TEXT NOT NULL PRIMARY KEY,
        decision_id TEXT,
        number BIGINT,
        role TEXT,
        candidate TEXT,
        started_at DOUBLE PRECISION NOT NULL,
        queue_s DOUBLE PRECISION,
        load_s DOUBLE PRECISION,
        first_token_s DOUBLE PRECISION,
        total_s DOUBLE PRECISION,
        prompt_tokens BIGINT,
        completion_tokens BIGINT,
        tokens_per_s DOUBLE PRECISION,
        streamed BOOLEAN,
        error TEXT,
        message TEXT,
        confidence DOUBLE PRECISION,
        signals JSONB,
        chosen BOOLEAN,
        answer TEXT
    )""",
    "CREATE INDEX attempts_by_decision ON attempts (decision_id)",
    "CREATE INDEX attempts_by_time ON attempts (started_at)",
    """CREATE TABLE outcomes (
        id TEXT NOT NULL PRIMARY KEY,
        decision_id TEXT,
        candidate TEXT,
        source TEXT,
        score DOUBLE PRECISION,
        weight DOUBLE PRECISION,
        created_at DOUBLE PRECISION NOT NULL,
        details JSONB
    )""",
    "CREATE INDEX outcomes_by_decision ON outcomes (decision_id)",
    "CREATE INDEX outcomes_by_time ON outcomes (created_at)",
    """CREATE TABLE feedback (
        id TEXT NOT NULL PRIMARY KEY,
        decision_id TEXT,
        "user" TEXT,
        kind TEXT,
        value DOUBLE PRECISION,
        comment TEXT,
        created_at DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX feedback_by_decision ON feedback (decision_id)",
    "CREATE INDEX feedback_by_time ON feedback (created_at)",
    'CREATE INDEX feedback_by_user ON feedback ("user")',
    "CREATE TABLE erasures (subject TEXT NOT NULL PRIMARY KEY, erased_at DOUBLE PRECISION NOT NULL)",
)

_LANGUAGE_MODELS: Final = (
    """CREATE TABLE language_models (
        id TEXT NOT NULL PRIMARY KEY,
        candidate TEXT,
        identity TEXT,
        first_seen_at DOUBLE PRECISION NOT NULL
    )""",
    "CREATE INDEX language_models_by_time ON language_models (first_seen_at)",
    # Whoever reads everything goes on after (created_at, id); who asks for the time alone is served by it as well.
    "CREATE INDEX decisions_in_order ON decisions (created_at, id)",
    "DROP INDEX decisions_by_time",
)

MIGRATIONS: Final[tuple[Sequence[str], ...]] = (_INITIAL, _LANGUAGE_MODELS)
"""Step n, counted from 1, brings version n - 1 to version n."""

_VERSIONS: Final = (
    "CREATE TABLE schema_version (version BIGINT NOT NULL PRIMARY KEY, applied_at DOUBLE PRECISION NOT NULL)"
)


def version_of(connection: Connection) -> int:
    """The version of a database; 0 for an empty one."""
    if not inspect(connection).has_table(schema_version.name):
        return 0
    return connection.scalar(select(func.max(schema_version.c.version))) or 0


def is_current(connection: Connection, steps: Sequence[Sequence[str]] = MIGRATIONS) -> bool:
    """Whether no step is to be taken.

    Raises:
        HistoryError: the database is of a later version than this one knows.
    """
    version = version_of(connection)
    if version > len(steps):
        raise HistoryError(
            f"the history in this database has schema version {version}, and this Turnout knows versions up to "
            f"{len(steps)}: update Turnout, or name another database"
        )
    return version == len(steps)


def migrate(connection: Connection, steps: Sequence[Sequence[str]] = MIGRATIONS) -> None:
    """Take the steps that are missing. To be called in a transaction that nobody else writes beside.

    Raises:
        HistoryError: the database is of a later version than this one knows.
    """
    if is_current(connection, steps):
        return
    before = version_of(connection)
    if not before and not inspect(connection).has_table(schema_version.name):
        _run(connection, _VERSIONS)
    for version, statements in enumerate(steps[before:], before + 1):
        for statement in statements:
            _run(connection, statement)
        connection.execute(insert(schema_version).values(version=version, applied_at=time.time()))


def _run(connection: Connection, statement: str) -> None:
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(statement.replace("JSONB", "TEXT") if sqlite else statement)
