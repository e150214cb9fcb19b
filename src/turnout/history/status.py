"""What the history says of itself."""

from __future__ import annotations

from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryStatus:
    """Where the records of this process are.

    `waiting` are not in the database yet, `buffered` of these in memory only; `committed` counts what was brought in,
    from dead processes too; `dropped` what is lost for lack of room or because it could not be written down at all;
    `skipped` what could not be read back or was refused by the database. `journal_bytes` is the size of all journals in
    the folder. `problem` is empty while all is well.
    """

    recorded: int
    waiting: int
    buffered: int
    committed: int
    dropped: int
    skipped: int
    journal_bytes: int
    problem: str

    def to_json(self) -> dict[str, int | str]:
        """Plain values by name."""
        return asdict(self)
