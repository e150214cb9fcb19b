"""Made-up requests of every kind: never a failure inside, never a wait without end, always what the document says."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from tests.gateway.fuzzed import fuzz
from tests.gateway.world import World, opened


@pytest.fixture
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """A gateway of its own, whose log is not read by other tests."""
    with opened(tmp_path_factory.mktemp("fuzzed")) as world:
        yield world


@pytest.mark.filterwarnings("ignore")
def test_a_few_made_up_requests_are_answered_as_the_document_says(fresh: World) -> None:
    report = fuzz(fresh, 4)
    assert report.examples >= 150, report
    assert {status for _, status in report.statuses} >= {200, 400, 404, 501}


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_thousands_are_too(fresh: World) -> None:
    report = fuzz(fresh, 85, first=1)
    print(report)
    assert report.examples >= 2000, report
