"""Reading the history: one decision with all that came of it, the latest, a conversation, everything of somebody."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import TracebackType
from typing import Any, Final, Self

from sqlalchemy import ColumnElement, Connection, and_, func, or_, select, true
from sqlalchemy.exc import SQLAlchemyError

from turnout.errors import HistoryError
from turnout.history.batches import AT_ONCE, Batch, Place, read_batch
from turnout.history.cleaning import clean_key
from turnout.history.database import Database, told
from turnout.history.tables import CHILDREN, TIME_OF, decisions, feedback, language_models

_AT_ONCE: Final = 200


class HistoryReader:
    """Reads the database of a history; what still waits in a journal is not seen.

    Every method raises HistoryError where the database cannot be read now.

    Raises:
        HistoryError: the address is none, there is nothing, or a later version of Turnout has made it.
        MissingExtraError: it is PostgreSQL, and its driver is not installed.
    """

    def __init__(self, source: str | Database) -> None:
        self._owned = isinstance(source, str)
        self._database = Database(source) if isinstance(source, str) else source
        if self._owned and not self._database.exists():
            raise HistoryError(f"there is no history at {self._database}")

    def close(self) -> None:
        """Close the connections, if they are this reader's own."""
        if self._owned:
            self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def decision(self, decision_id: str) -> dict[str, Any] | None:
        """One decision as a dict of its columns, with lists of `attempts`, `outcomes` and `feedback`, oldest first."""
        found = self._decisions(decisions.c.id == clean_key(decision_id), 1)
        return found[0] if found else None

    def recent(self, limit: int = 50) -> list[dict[str, Any]]:
        """The latest decisions, newest first, each as `decision` gives it."""
        return self._decisions(true(), limit)

    def find_by_conversation(self, conversation: str, limit: int = 50) -> list[dict[str, Any]]:
        """The latest decisions of a conversation, newest first."""
        return self._decisions(decisions.c.conversation == clean_key(conversation), limit)

    def find_by_request(self, request_id: str, limit: int = 50) -> list[dict[str, Any]]:
        """The latest decisions for a request, newest first."""
        return self._decisions(decisions.c.request_id == clean_key(request_id), limit)

    def export(self, *, conversation: str = "", user: str = "") -> Iterator[dict[str, Any]]:
        """Everything of one conversation or user, oldest first, in bounded memory.

        Each dict is JSON-able: `table` and the columns of one row. A decision is followed by what belongs to it; last
        comes feedback that the user gave on decisions of others.

        Raises:
            HistoryError: neither or both are named.
        """
        scope, name = one_scope(conversation, user)
        key = clean_key(name)
        return self._export(scope, key)

    def _export(self, scope: str, key: str | None) -> Iterator[dict[str, Any]]:
        after: tuple[float, str] | None = None
        time, ident = decisions.c.created_at, decisions.c.id
        while True:
            where = decisions.c[scope] == key
            if after is not None:
                where = and_(where, or_(time > after[0], and_(time == after[0], ident > after[1])))
            with self._reading() as connection:
                asked = select(decisions).where(where).order_by(time, ident).limit(_AT_ONCE)
                some = _with_children(connection, [dict(row) for row in connection.execute(asked).mappings()])
            for one in some:
                children = {table.name: one.pop(table.name) for table in CHILDREN}
                yield {"table": decisions.name, **one}
                for name, rows in children.items():
                    for row in rows:
                        yield {"table": name, **row}
            if len(some) < _AT_ONCE:
                break
            after = (some[-1]["created_at"], some[-1]["id"])
        if scope == "user":
            yield from self._feedback_elsewhere(key)

    def _feedback_elsewhere(self, user: str | None) -> Iterator[dict[str, Any]]:
        own = select(decisions.c.id).where(decisions.c.user == user)
        where = and_(feedback.c.user == user, func.coalesce(feedback.c.decision_id, "").not_in(own))
        with self._reading() as connection:
            rows = connection.execute(select(feedback).where(where).order_by(feedback.c.created_at)).mappings().all()
        for row in rows:
            yield {"table": feedback.name, **row}

    def batches(
        self, features_schema: str, *, since: float = 0.0, until: float | None = None, at_once: int = AT_ONCE
    ) -> Iterator[Batch]:
        """All decisions with what came of them, oldest first, in bounded memory; each batch sees a moment of its own.

        Args:
            features_schema: of the features that are wanted; prompts come only where there are none of these.
            since: leave out decisions made before this moment.
            until: leave out decisions made at this moment and later.
            at_once: decisions in a batch.
        """
        where = _between(since, until)
        after: Place | None = None
        while True:
            with self._reading() as connection:
                batch = read_batch(connection, where, after, features_schema, at_once)
            if batch.decisions:
                yield batch
            if len(batch.decisions) < at_once:
                return
            last = batch.decisions[-1]
            after = (last.created_at, last.id)

    def span(self, *, since: float = 0.0, until: float | None = None) -> tuple[int, float, float]:
        """How many decisions there are, and when the first and the last were made; (0, 0, 0) where there are none."""
        time = decisions.c.created_at
        with self._reading() as connection:
            asked = select(func.count(), func.min(time), func.max(time)).where(_between(since, until))
            count, first, last = connection.execute(asked).one()
        return count, first or 0.0, last or 0.0

    def language_models(self) -> list[tuple[str, str, float]]:
        """Who was seen behind the names of candidates: candidate, identity and moment, oldest first."""
        table = language_models
        asked = select(table.c.candidate, table.c.identity, table.c.first_seen_at)
        with self._reading() as connection:
            found = connection.execute(asked.order_by(table.c.first_seen_at, table.c.id)).all()
        return [(row.candidate or "", row.identity or "", row.first_seen_at) for row in found]

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        try:
            with self._database.reading() as connection:
                yield connection
        except (SQLAlchemyError, OSError) as error:
            raise HistoryError(f"the history cannot be read now: {told(error)}") from error

    def _decisions(self, where: ColumnElement[bool], limit: int) -> list[dict[str, Any]]:
        newest = select(decisions).where(where).order_by(decisions.c.created_at.desc(), decisions.c.id.desc())
        with self._reading() as connection:
            found = [dict(row) for row in connection.execute(newest.limit(limit)).mappings()]
            return _with_children(connection, found)


def _between(since: float, until: float | None) -> ColumnElement[bool]:
    where = decisions.c.created_at >= since
    return where if until is None else and_(where, decisions.c.created_at < until)


def one_scope(conversation: str, user: str) -> tuple[Any, str]:
    """Which of the two was named, and the name.

    Raises:
        HistoryError: neither or both.
    """
    if bool(conversation) == bool(user):
        raise HistoryError("name one conversation or one user")
    return ("conversation", conversation) if conversation else ("user", user)


def _with_children(connection: Connection, found: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    by_id = {row["id"]: row for row in found}
    for table in CHILDREN:
        for row in found:
            row[table.name] = []
        asked = select(table).where(table.c.decision_id.in_(by_id)).order_by(TIME_OF[table], table.c.id)
        for child in connection.execute(asked).mappings():
            by_id[child["decision_id"]][table.name].append(dict(child))
    return list(found)
