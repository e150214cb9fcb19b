"""Looking up what was published of a language model: its release, its size, and what its name leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from turnout.descriptors.dates import Month, month
from turnout.descriptors.releases_cloud import CLOUD
from turnout.descriptors.releases_open import OPEN


@dataclass(frozen=True, slots=True)
class Release:
    """One row of the tables. `sizes` maps total to active billions, None where unknown; `moves` is what "~" says in them."""

    line: str
    generation: str | None
    first: Month | None
    moves: bool
    version: str | None
    sizes: Mapping[float, float | None]


def _release(row: str) -> tuple[str, Release]:
    family, line, generation, when, *sizes = row.split()
    first, _, version = when.rstrip("~").partition("@")
    pairs = [size.partition("/") for size in sizes]
    release = Release(
        line="" if line == "-" else line,
        generation=None if generation == "-" else generation,
        first=None if first == "-" else month(first),
        moves=when.endswith("~"),
        version=version or None,
        sizes={float(total): None if active == "-" else float(active or total) for total, _, active in pairs},
    )
    return family, release


@cache
def _releases() -> Mapping[str, list[Release]]:
    table: dict[str, list[Release]] = {}
    for row in (OPEN + CLOUD).splitlines():
        if row:
            family, release = _release(row)
            table.setdefault(family, []).append(release)
    for releases in table.values():
        releases.sort(key=lambda each: (each.first.text if each.first else "", not each.moves))
    return table


@dataclass(frozen=True, slots=True)
class Sought:
    """What a name tells; `size_b` are total billions, `version` a number such as "002"."""

    family: str
    line: str
    generation: str | None
    size_b: float | None
    dated: Month | None
    version: str | None


@dataclass(frozen=True, slots=True)
class Published:
    """What the tables add; `active_b` is None where only the total is known.

    `version` is what tells this one from others under the same name, None where that moves.
    """

    line: str
    generation: str | None
    version: str | None
    released: float | None
    total_b: float | None
    active_b: float | None


def published(sought: Sought) -> Published:
    """What was published of it; what the tables do not know stays as the name has it."""
    rows = _rows(sought)
    line = rows[0].line if rows else sought.line
    generation = rows[0].generation if rows else sought.generation
    dated = sought.dated.not_before(_first(sought.family, line, generation)) if sought.dated else None
    if sought.size_b is not None:
        rows = [row for row in rows if sought.size_b in row.sizes]
    if dated is not None:
        same = [row for row in rows if row.first == dated]
        alike = same or (rows if len({tuple(row.sizes) for row in rows}) == 1 else [])
        total, active = _size(alike[:1], sought.size_b)
        return Published(line, generation, dated.text, dated.fraction, total, active)
    rows = [row for row in rows if row.version == sought.version]
    total, active = _size(rows[:1], sought.size_b)
    if not rows or (generation is None and sought.size_b is None and len(rows[0].sizes) > 1):
        return Published(line, generation, sought.version, None, total, active)
    first = rows[0].first
    if first is None:
        return Published(line, generation, None, None, total, active)
    return Published(line, generation, None if rows[0].moves else first.text, first.fraction, total, active)


def snapped(family: str | None, generation: str | None, told_b: float) -> float:
    """The size by which its maker calls what a provider counts: 7.6 is Qwen 2.5's 7. Else two digits of it."""
    sizes = {size for row in _releases().get(family or "", ()) if row.generation == generation for size in row.sizes}
    near = min(sizes, key=lambda size: abs(size - told_b), default=None)
    return near if near is not None and abs(near - told_b) <= 0.16 * told_b else float(f"{told_b:.2g}")


def _rows(sought: Sought) -> list[Release]:
    """Rows of one line and one generation, those too that the name leaves to its size or its date to tell."""
    all_of_it = _releases().get(sought.family, [])
    rows = [row for row in all_of_it if (row.line, row.generation) == (sought.line, sought.generation)]
    size, dated = sought.size_b, sought.dated
    if size is not None and sought.generation is not None and not any(size in row.sizes for row in rows):
        within = [row for row in all_of_it if _widens(sought, row) and size in row.sizes]
        fewest = min((row.line.count("-") for row in within), default=0)
        within = [row for row in within if row.line.count("-") == fewest]
        if len({row.line for row in within}) == 1:
            return within
    if sought.generation is not None:
        return rows
    numbered = [row for row in all_of_it if row.line == sought.line and row.generation is not None]
    if dated is not None and not any(row.first == dated for row in rows):
        told = [row for row in numbered if row.first == dated and (size is None or size in row.sizes)]
        return told if len(told) == 1 else rows
    if not rows and sought.line:
        told = [row for row in numbered if size is None or size in row.sizes]
        return told if len(told) == 1 else rows
    return rows


def _widens(sought: Sought, row: Release) -> bool:
    """Whether a row's line is the sought one with more words: "phi3:14b" is Phi-3 medium."""
    mine = set(filter(None, sought.line.split("-")))
    return row.generation == sought.generation and mine <= set(row.line.split("-"))


def _first(family: str, line: str, generation: str | None) -> Month | None:
    """When the first of a generation came out; the whole generation's where the line itself is not known."""
    rows = [row for row in _releases().get(family, []) if row.generation == generation]
    own = [row for row in rows if row.line == line]
    return next((row.first for row in own or rows), None)


def _size(rows: list[Release], told: float | None) -> tuple[float | None, float | None]:
    for row in rows:
        if told is not None:
            return told, row.sizes.get(told, told)
        if len(row.sizes) == 1:
            ((total, active),) = row.sizes.items()
            return total, active
    return told, told
