"""Out of a history come the answers whose score is known, as they were judged at the time; what only repeats the signals
teaches nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import pytest
from tests.history.conftest import postgres, url  # noqa: F401
from tests.history.examples import attempt, decision, feedback, outcome, rows

from turnout.execution.judging import DEFAULT_CONFIDENCE, Signals
from turnout.history import Record
from turnout.history.database import Database
from turnout.history.reader import HistoryReader
from turnout.history.store import Store
from turnout.learning import confidence_history
from turnout.learning.confidence_history import ConfidenceHistory, is_fitted, told
from turnout.learning.history_cells import heard_in
from turnout.types import Ranked

SMALL, LARGE = "local/small", "cloud/large"
RANKING = (Ranked(SMALL, 0.75, 1.5, None, 0.7), Ranked(LARGE, 0.875, None, 0.25, 0.5, learned=False))
FINE = Signals(unfinished=False, refusal=False)
CUT = Signals(cut=True, logprob_mean=-0.5)

Collect: TypeAlias = Callable[..., ConfidenceHistory]


def collecting(source: str) -> Iterator[Collect]:
    database = Database(source)

    def collect(records: Sequence[Record], **options: Any) -> ConfidenceHistory:
        Store(database).insert(rows(*records))
        made = ConfidenceHistory(options.pop("weights", {}), **options)
        with HistoryReader(source) as reader:
            for batch in reader.batches("any", at_once=3):
                made.take(batch, heard_in(batch))
        return made

    yield collect
    database.close()


@pytest.fixture
def collect(url: str) -> Iterator[Collect]:  # noqa: F811
    yield from collecting(url)


@pytest.fixture
def collect_here(tmp_path: Path) -> Iterator[Collect]:
    yield from collecting(f"sqlite:///{tmp_path}/history.db")


def answered(number: int = 0, signals: Signals = FINE, **changes: Any) -> list[Any]:
    """A decision and its answer, without a score."""
    made = decision(**{"created_at": float(number), "ranking": RANKING, **changes})
    seen = attempt(made.id, candidate=made.candidate, signals=signals.to_json(), confidence=0.9, chosen=True)
    return [made, seen]


def scored(number: int, score: float, signals: Signals = FINE, **changes: Any) -> list[Record]:
    made, seen = answered(number, signals, **changes)
    return [made, seen, outcome(made.id, candidate=made.candidate, score=score)]


def test_an_answer_comes_with_what_was_seen_expected_and_said_of_it(collect: Collect) -> None:
    first, seen = answered(1, CUT, prompt="one")
    better = attempt(first.id, candidate=LARGE, signals=FINE.to_json())
    made = collect(
        [
            *(first, seen, better),
            outcome(first.id, score=0.25, source="judge"),
            outcome(first.id, candidate=LARGE, score=1.0),
            *scored(2, 0.5, candidate=LARGE, conversation="c"),
        ]
    )
    found = sorted(made._newest, key=lambda row: row.score)
    assert [(row.prior, row.score) for row in found] == [(0.75, 0.25), (0.875, 0.5), (0.875, 1.0)]
    for row, signals in zip(found, (CUT, FINE, FINE), strict=True):
        assert Signals.from_json(row.signals) == signals
    assert found[0].group == found[2].group != found[1].group


def test_feedback_is_about_the_answer_that_was_handed_out(collect_here: Collect) -> None:
    made, seen = answered(1)
    other = attempt(made.id, candidate=LARGE, signals=FINE.to_json())
    (row,) = collect_here([made, seen, other, feedback(made.id, kind="bad")])._newest
    assert (row.prior, row.score) == (0.75, 0.0)


def test_what_is_made_of_the_same_signals_is_no_score(collect_here: Collect) -> None:
    compared, code, form = answered(1), answered(2, Signals(code_missing=False, code_broken=0.0)), answered(3, CUT)
    broken = answered(4, Signals(format_broken=True))
    made = collect_here(
        [
            *(*compared, outcome(compared[0].id, source="escalation", score=0.9, weight=0.3)),
            *(*code, outcome(code[0].id, score=1.0, weight=0.2)),
            *(*form, outcome(form[0].id, source="confidence", score=0.9)),
            *(*broken, outcome(broken[0].id, score=0.0), outcome(broken[0].id, score=0.5)),
        ],
        weights={"confidence": 1.0, "escalation": 1.0},
    )
    assert [row.score for row in made._newest] == [0.5]  # a program's verdict counts, beside that on the form


def test_attempts_without_signals_score_or_prior_are_left_out(collect_here: Collect) -> None:
    failed, bare = decision(ranking=RANKING), decision(ranking=RANKING)
    unexpected = answered(1, ranking=())
    made = collect_here(
        [
            *answered(2),
            *(failed, attempt(failed.id, error="timeout", signals=FINE.to_json()), outcome(failed.id, score=0.0)),
            *(*unexpected, outcome(unexpected[0].id)),
            *(bare, attempt(bare.id, chosen=True), outcome(bare.id)),
        ]
    )
    assert len(made) == 0 and not is_fitted(made.fit())


def test_the_newest_answers_are_kept(collect_here: Collect) -> None:
    made = collect_here([each for n in range(10) for each in scored(n, n / 10)], most=4)
    assert [row.score for row in made._newest] == [0.6, 0.7, 0.8, 0.9]


def test_what_the_history_knows_better_than_the_default_is_fitted(collect_here: Collect) -> None:
    entries = [each for n in range(160) for each in scored(n, float(n % 8 != 0), CUT, prompt=f"prompt {n}")]
    model = collect_here(entries).fit()
    assert is_fitted(model) and model.figures["log_loss"] < model.figures["default_log_loss"]
    assert model.confidence(CUT, 0.75) > DEFAULT_CONFIDENCE.confidence(CUT, 0.75) + 0.3
    assert told(model).startswith("fitted to 160 answers, log loss 0.") and "(default " in told(model)


def test_too_little_leaves_the_default(collect_here: Collect) -> None:
    none = collect_here([]).fit()
    assert not is_fitted(none) and "because 0 answers have signals and a known score; needed are 60" in told(none)
    one = collect_here([each for n in range(70) for each in scored(n, n % 2, conversation="c")]).fit()
    assert not is_fitted(one) and "70 answers" in told(one) and "more than one conversation" in told(one)


def test_nothing_new_leaves_the_default(collect_here: Collect) -> None:
    usual = [each for n in range(100) for each in scored(n, float(n % 4 != 0), prompt=f"again {n}")]
    model = collect_here(usual).fit()
    assert not is_fitted(model) and "not surely better on unseen ones: log loss 0." in told(model)


def test_no_more_is_kept_than_a_fit_needs() -> None:
    assert ConfidenceHistory({})._newest.maxlen == confidence_history.MAX_ANSWERS == 20_000
