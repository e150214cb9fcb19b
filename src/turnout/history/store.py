"""What is done to the tables: rows come in batches, go when they are old, and go when somebody asks for it.

Bringing in the same record twice does nothing. What was erased stays out: a journal elsewhere may still hold it.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, TypeAlias, get_args

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    delete,
    exists,
    literal,
    select,
)
from sqlalchemy.dialects import postgresql, sqlite

from turnout.history.cleaning import clean_key
from turnout.history.database import DATA_ERRORS, Database, is_about_data
from turnout.history.rows import Row
from turnout.history.tables import CHILDREN, RECORDED, TIME_OF, decisions, erasures, feedback, language_models

Scope: TypeAlias = Literal["conversation", "user"]

_SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
_PLACES: Final = {table: {column.name: at for at, column in enumerate(table.columns)} for table in RECORDED}
_DECISION_ID: Final = {decisions: "id"} | dict.fromkeys(CHILDREN, "decision_id")
_SWEPT_AT_ONCE: Final = 1000  # rows, so that nobody waits long for the lock


class Store:
    """Changes to one database."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def insert(self, rows: Iterable[tuple[Table, Row]]) -> int:
        """Bring in rows, all or none; how many of them the database has now.

        Rows of decisions, conversations and users that were erased after the row was made are left out.
        """
        by_table: dict[Table, list[Row]] = {}
        for table, row in rows:
            by_table.setdefault(table, []).append(row)
        with self.database.writing() as connection:
            if connection.scalar(select(exists().select_from(erasures))):
                by_table = _without_erased(connection, by_table)
            for table, some in by_table.items():
                if some:
                    _insert(connection, table, some)
        return sum(map(len, by_table.values()))

    def insert_each(self, rows: Iterable[tuple[Table, Row]]) -> tuple[int, list[str]]:
        """Bring in what the database takes, row by row; how many it has now, and what was wrong with the others."""
        taken, problems = 0, []
        for table, row in rows:
            try:
                taken += self.insert([(table, row)])
            except DATA_ERRORS as error:
                if not is_about_data(error):
                    raise
                problems.append(f"{table.name} {row[_PLACES[table]['id']]}: {type(error).__name__}")
        return taken, problems

    def erase(self, scope: Scope, name: str) -> dict[str, int]:
        """Delete everything of a conversation or user that was made until now, for good; rows deleted, by table."""
        key = clean_key(name)
        now = time.time()
        chosen = decisions.c[scope] == key
        own = select(decisions.c.id).where(chosen)
        deleted = {}
        with self.database.writing(alone=True) as connection:
            _remember(connection, [{"subject": subject(scope, key), "erased_at": now}])
            _remember_all(connection, own, now)
            for table in CHILDREN:
                where: ColumnElement[bool] = table.c.decision_id.in_(own)
                if table is feedback and scope == "user":
                    where |= feedback.c.user == key
                deleted[table.name] = connection.execute(delete(table).where(where)).rowcount
            deleted[decisions.name] = connection.execute(delete(decisions).where(chosen)).rowcount
        self.database.forget_deleted()
        return deleted

    def sweep(self, before: float) -> int:
        """Delete decisions made before a moment with all that belongs to them, a thousand at a time; rows deleted."""
        total = 0
        while some := self._sweep_some(before):
            total += some
        return total

    def _sweep_some(self, before: float) -> int:
        old = decisions.c.created_at < before
        with self.database.writing() as connection:
            ids = list(connection.scalars(select(decisions.c.id).where(old).limit(_SWEPT_AT_ONCE)))
            count = 0
            for table in CHILDREN:
                # Children may be old without a decision: it was swept before they came.
                orphans = select(table.c.id).where(TIME_OF[table] < before).limit(_SWEPT_AT_ONCE)
                for where in (table.c.decision_id.in_(ids), table.c.id.in_(orphans)):
                    count += connection.execute(delete(table).where(where)).rowcount
            count += connection.execute(delete(decisions).where(decisions.c.id.in_(ids))).rowcount
            # Who was seen since then tells where the older one ended, so nothing is lost that anybody could ask for.
            connection.execute(delete(language_models).where(language_models.c.first_seen_at < before))
            # Whatever was erased before that moment would be swept itself, if a journal brought it back.
            connection.execute(delete(erasures).where(erasures.c.erased_at < before))
            return count


def subject(scope: Scope, key: str | None) -> str:
    """What a conversation or user is called among the erasures, where its name must not stand."""
    return f"{scope}:{hashlib.sha256(f'{scope}:{key}'.encode()).hexdigest()}"


def _without_erased(connection: Connection, rows: Mapping[Table, list[Row]]) -> dict[Table, list[Row]]:
    """The rows that may come in. A decision that may not is itself noted as erased, for what belongs to it."""
    rows, unowned = dict(rows), rows.get(language_models)
    rows.pop(language_models, None)  # nobody's, and so never erased
    subjects = {name for table, some in rows.items() for row in some for name in _subjects(table, row)}
    asked = select(erasures.c.subject, erasures.c.erased_at).where(erasures.c.subject.in_(subjects))
    erased: dict[str, float] = {one.subject: one.erased_at for one in connection.execute(asked)}
    kept: dict[Table, list[Row]] = {} if unowned is None else {language_models: unowned}
    if not erased:
        return rows | kept
    for table in sorted(rows, key=RECORDED.index):  # decisions first
        decision_id, time_at = _PLACES[table][_DECISION_ID[table]], _PLACES[table][TIME_OF[table].name]
        for row in rows[table]:
            at = max((erased.get(name, 0.0) for name in _subjects(table, row)), default=0.0)
            if row[decision_id] in erased or row[time_at] <= at:
                if table is decisions:
                    erased[row[decision_id]] = at
                    _remember(connection, [{"subject": row[decision_id], "erased_at": at}])
            else:
                kept.setdefault(table, []).append(row)
    return kept


def _subjects(table: Table, row: Row) -> list[str]:
    """What an erasure may name that would keep a row out."""
    places = _PLACES[table]
    names = [row[places[_DECISION_ID[table]]]]
    names += [subject(scope, row[places[scope]]) for scope in _SCOPES if scope in places and row[places[scope]]]
    return [name for name in names if name]


def _insert(connection: Connection, table: Table, rows: list[Row]) -> None:
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql(_insertion(table, "?" if sqlite else "%s"), rows)


@cache
def _insertion(table: Table, place: str) -> str:
    """The statement as the driver takes it: through SQLAlchemy's own, each row takes several times as long."""
    columns = ", ".join(f'"{column.name}"' for column in table.columns)
    places = ", ".join(place for _ in table.columns)
    return f"INSERT INTO {table.name} ({columns}) VALUES ({places}) ON CONFLICT DO NOTHING"  # noqa: S608


def _remember(connection: Connection, subjects: list[dict[str, Any]]) -> None:
    """Note what was erased; what was before is noted with the later time."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(erasures)
    later = {"erased_at": statement.excluded.erased_at}
    connection.execute(statement.on_conflict_do_update(index_elements=["subject"], set_=later), subjects)


def _remember_all(connection: Connection, ids: Select[tuple[str]], now: float) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    chosen = ids.add_columns(literal(now)).where(literal(True))
    connection.execute(dialect.insert(erasures).from_select(["subject", "erased_at"], chosen).on_conflict_do_nothing())
