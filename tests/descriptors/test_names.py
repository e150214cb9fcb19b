"""Names as people and providers write them, against values that were written down by hand."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from turnout.descriptors import Descriptor, describe

FIELDS = (
    "family",
    "generation",
    "variant",
    "instruct",
    "parameters_b",
    "active_parameters_b",
    "quantisation",
    "context_tokens",
)
SIZES = ("parameters_b", "active_parameters_b")

with (Path(__file__).parent / "names.csv").open(encoding="utf-8", newline="") as file:
    ROWS = list(csv.DictReader(file))


def written(found: Descriptor, field: str) -> str:
    """The value as the file writes it, empty where unknown."""
    value = getattr(found, field)
    if value is None:
        return ""
    return str(value).lower() if field == "instruct" else str(value)


def agrees(field: str, expected: str, got: str) -> bool:
    if field in SIZES and expected and got:
        return float(got) == pytest.approx(float(expected), rel=0.03)
    return expected == got


def differing() -> Iterator[tuple[str, str, str, str]]:
    """Name, field, expected and found value of each cell that differs."""
    for row in ROWS:
        found = describe(row["name"])
        for field in FIELDS:
            if not agrees(field, row[field], got := written(found, field)):
                yield row["name"], field, row[field], got


CELLS = list(differing())
WRONG = [cell for cell in CELLS if cell[2] and cell[3]]


def listed(cells: list[tuple[str, str, str, str]]) -> str:
    return "\n".join(f"{name}: {field} is {expected!r}, found {got!r}" for name, field, expected, got in cells)


def test_there_are_many_names_and_none_twice() -> None:
    assert len(ROWS) == len({row["name"] for row in ROWS}) >= 340


def test_nearly_every_name_is_right_in_all_that_it_claims() -> None:
    assert len({name for name, *_ in WRONG}) <= 0.02 * len(ROWS), listed(WRONG)


def test_what_differs_is_rather_unknown_than_wrong() -> None:
    assert len(WRONG) <= len(CELLS) - len(WRONG), listed(CELLS)


@pytest.mark.parametrize("field", FIELDS)
def test_nearly_every_cell_of_a_field_is_right(field: str) -> None:
    cells = [cell for cell in CELLS if cell[1] == field]
    assert len(cells) <= 0.02 * len(ROWS), listed(cells)
