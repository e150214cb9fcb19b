"""The tables are well formed, and hold what is public of a release."""

from __future__ import annotations

from collections import Counter

from turnout.descriptors.catalogue import Sought, published, snapped
from turnout.descriptors.families import LINES, family_in
from turnout.descriptors.releases_cloud import CLOUD
from turnout.descriptors.releases_open import OPEN

ROWS = [row.split() for row in (OPEN + CLOUD).splitlines() if row]


def test_no_release_stands_twice() -> None:
    keys = Counter(tuple(row[:4]) for row in ROWS)
    assert not [key for key, times in keys.items() if times > 1]


def test_every_family_of_a_release_is_one_that_names_can_tell() -> None:
    told = {family_in((family,))[0] for family, *_ in ROWS}
    assert {found.family for found in told if found} == {family for family, *_ in ROWS}


def test_a_line_is_spelled_in_the_order_in_which_names_are_read() -> None:
    for family, line, *_ in ROWS:
        words = line.split("-") if line != "-" else []
        assert words == [word for word in LINES.get(family, ()) if word in words]


def test_no_more_is_active_than_there_is() -> None:
    for size in (size for row in ROWS for size in row[4:]):
        total, _, active = size.partition("/")
        assert 0.001 <= float(total if active in ("", "-") else active) <= float(total) <= 5000


def sought(family: str, line: str = "", generation: str | None = None, size_b: float | None = None) -> Sought:
    return Sought(family, line, generation, size_b, None, None)


def test_a_size_tells_the_line_that_a_name_leaves_out() -> None:
    assert published(sought("phi", generation="3", size_b=14)).line == "medium"
    assert published(sought("deepseek", generation="v2", size_b=16)).line == "lite"


def test_several_sizes_tell_none() -> None:
    found = published(sought("llama", generation="3.1"))
    assert (found.total_b, found.released) == (None, 2024.5)


def test_what_is_not_in_the_tables_stays_as_the_name_has_it() -> None:
    found = published(sought("llama", generation="9", size_b=3))
    assert (found.generation, found.total_b, found.active_b, found.released) == ("9", 3, 3, None)


def test_a_providers_count_is_called_by_the_makers_size() -> None:
    assert snapped("qwen", "2.5", 7.62) == 7
    assert snapped("qwen", "2.5", 14.8) == 14
    assert snapped(None, None, 7.62) == 7.6
