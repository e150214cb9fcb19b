"""Dates in names, long and short."""

from __future__ import annotations

import pytest

from turnout.descriptors.dates import Month, found_in, month


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("gpt-4o-2024-05-13", Month(2024, 5)),
        ("claude-3-haiku-20240307", Month(2024, 3)),
        ("command-r-08-2024", Month(2024, 8)),
        ("mistral-large-2407", Month(2024, 7)),
        ("gpt-4-0613", Month(None, 6)),
        ("gemini-2.5-pro-preview-05-06", Month(None, 5)),
        ("gemini-flash-1.5-may", Month(None, 5)),
        ("qwen2.5-7b", None),
        ("deepseek-coder-6.7b", None),
        ("model-20249999", None),
        ("model-2413", None),
        ("model-120240307", None),
        ("mayflower", None),
    ],
)
def test_the_date_of_a_name(text: str, found: Month | None) -> None:
    assert found_in(text)[0] == found


def test_a_short_date_is_within_a_year_of_the_first_version() -> None:
    assert Month(None, 1).not_before(Month(2023, 3)) == Month(2024, 1)
    assert Month(None, 6).not_before(Month(2023, 3)) == Month(2023, 6)
    assert Month(None, 6).not_before(None) is None
    assert Month(2024, 6).not_before(None) == Month(2024, 6)


def test_a_month_is_a_twelfth_of_a_year() -> None:
    assert month("2024-07").fraction == 2024.5
    assert month("2024-01").fraction == 2024.0
    assert Month(None, 7).fraction is None
