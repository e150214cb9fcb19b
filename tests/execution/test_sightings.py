"""Language models behind the candidates are recorded when they are news, once."""

from __future__ import annotations

from typing import Any

from turnout.execution.sightings import Sightings
from turnout.history import LanguageModelRecord
from turnout.history.identities import identity_of
from turnout.types import CandidateState, LanguageModel, Snapshot


class Kept:
    """A history that keeps records in a list."""

    def __init__(self) -> None:
        self.records: list[LanguageModelRecord] = []

    def record(self, entry: LanguageModelRecord) -> bool:
        self.records.append(entry)
        return True


def seen_by(history: Any, *looks: LanguageModel | None) -> list[str]:
    """The identities recorded over some looks at one candidate."""
    ahead = [Snapshot(taken_s=0, candidates={"p/m": CandidateState(candidate="p/m", model=model)}) for model in looks]
    sightings = Sightings(history, lambda: ahead.pop(0))
    for _ in looks:
        sightings.served(None)  # type: ignore[arg-type] - nothing of it is read
    return [record.identity for record in history.records]


SMALL = LanguageModel(name="m", size_bytes=1, quantization="Q4")
LARGE = LanguageModel(name="m", size_bytes=2, quantization="Q8")


def test_each_is_recorded_once_in_a_process() -> None:
    again = LanguageModel(name="m", size_bytes=1, quantization="Q4", loaded=True)
    history = Kept()
    assert seen_by(history, SMALL, SMALL, again) == [identity_of(SMALL)]
    assert history.records[0].candidate == "p/m" and history.records[0].first_seen_at > 1e9


def test_another_one_under_the_same_name_is_recorded_and_so_is_its_return() -> None:
    assert seen_by(Kept(), SMALL, LARGE, SMALL) == [identity_of(SMALL), identity_of(LARGE), identity_of(SMALL)]


def test_a_provider_that_says_less_for_a_while_is_no_news() -> None:
    assert seen_by(Kept(), SMALL, LanguageModel(name="m"), None, LanguageModel(name="m", size_bytes=1)) == [
        identity_of(SMALL)
    ]


def test_of_a_provider_that_says_nothing_nothing_is_recorded() -> None:
    assert seen_by(Kept(), None, LanguageModel(name="m")) == []
