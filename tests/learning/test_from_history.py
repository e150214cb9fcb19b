"""What the history knows comes out as arrays, each thing where it belongs, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pytest
from tests.history.conftest import postgres, url  # noqa: F401 - databases of either kind
from tests.history.examples import attempt, decision, feedback, language_model, outcome, rows

from turnout.errors import TooFewRowsError
from turnout.features import extract, schema_hash
from turnout.history import Record
from turnout.history.database import Database
from turnout.history.reader import HistoryReader
from turnout.history.store import Store
from turnout.learning.from_history import HistorySettings, from_history
from turnout.learning.history_counts import HistoryCounts
from turnout.learning.logged import LoggedDecisions
from turnout.types import Ranked

SMALL, LARGE = "local/small", "cloud/large"
Learned: TypeAlias = tuple[LoggedDecisions, HistoryCounts]
Learn: TypeAlias = Callable[..., Learned]


def decided(number: int, **changes: Any) -> Any:
    """A decision with features, made at this second."""
    prompt = changes.pop("prompt", f"explain number {number}")
    fields = {
        "created_at": float(number),
        "prompt": prompt,
        "features": extract(prompt),
        "features_schema": schema_hash(),
        "propensity": 0.98,
        "preference": "balanced",
        "predictor": "v1",
    }
    return decision(**{**fields, **changes})


@pytest.fixture
def learn(url: str) -> Iterator[Learn]:  # noqa: F811
    """Keeps records and learns from them."""
    database = Database(url)

    def learn(records: Sequence[Record], **settings: Any) -> Learned:
        Store(database).insert(rows(*records))
        with HistoryReader(url) as reader:
            return from_history(reader, HistorySettings(**{"min_support": 1, "quiet": True, **settings}))

    yield learn
    database.close()


@pytest.fixture
def learn_here(tmp_path: Path) -> Iterator[Learn]:
    """The same on SQLite alone, where the database makes no difference."""
    source = f"sqlite:///{tmp_path}/history.db"
    database = Database(source)

    def learn(records: Sequence[Record], **settings: Any) -> Learned:
        Store(database).insert(rows(*records))
        with HistoryReader(source) as reader:
            return from_history(reader, HistorySettings(**{"min_support": 1, "quiet": True, **settings}))

    yield learn
    database.close()


def test_everything_that_is_known_of_a_decision_is_in_its_row(learn: Learn) -> None:
    ranking = (Ranked(SMALL, 0.75, 1.5, 0.001, 0.7), Ranked(LARGE, 0.875, None, 0.25, 0.5, learned=False))
    first, second = decided(1, ranking=ranking), decided(2, ranking=ranking, candidate=LARGE)
    logged, counts = learn(
        [
            first,
            attempt(first.id, chosen=True, queue_s=0.5, load_s=1.0, total_s=3.5, completion_tokens=40),
            outcome(first.id, score=0.25, weight=0.5),
            second,
            outcome(second.id, candidate=LARGE, source="judge"),
        ]
    )
    assert logged.candidates == (SMALL, LARGE) and logged.ids.tolist() == [first.id, second.id]
    assert logged.created_at.tolist() == [1.0, 2.0] and logged.chosen.tolist() == [0, 1]
    assert logged.propensity.tolist() == [0.98, 0.98] and logged.eligible.all()
    np.testing.assert_array_equal(logged.scores, np.array([[0.25, np.nan], [np.nan, 1.0]], np.float32))
    np.testing.assert_array_equal(logged.weights, np.array([[0.5, 0], [0, 0.5]], np.float32))
    np.testing.assert_array_equal(logged.predicted, np.array([[0.75, np.nan]] * 2, np.float32))
    np.testing.assert_array_equal(logged.expected_s, np.array([[1.5, np.nan]] * 2, np.float32))
    np.testing.assert_array_equal(logged.seconds, np.array([[2.0, np.nan], [np.nan, np.nan]], np.float32))
    np.testing.assert_array_equal(logged.answer_tokens, np.array([[40.0, np.nan], [np.nan, np.nan]], np.float32))
    assert logged.preference.tolist() == ["balanced"] * 2 and logged.predictor.tolist() == ["v1"] * 2
    made = extract("explain number 1")
    np.testing.assert_array_equal(logged.features.dense[0], made.vector)
    assert dict(zip(made.buckets, made.counts, strict=True)) == dict(
        zip(logged.features.ngrams[0].indices, logged.features.ngrams[0].data, strict=True)
    )
    assert (counts.read, counts.scored, counts.kept, counts.support) == (2, 2, 2, {SMALL: 1, LARGE: 1})
    assert (counts.first_at, counts.last_at) == (1.0, 2.0)


def test_features_of_another_schema_are_extracted_from_the_prompt_again(learn_here: Learn) -> None:
    old = decided(1, features=extract("something else"), features_schema="before")
    logged, _ = learn_here([old, outcome(old.id)])
    np.testing.assert_array_equal(logged.features.dense[0], extract("explain number 1").vector)


def test_what_cannot_be_learned_from_is_skipped_and_counted(learn_here: Learn) -> None:
    good, unscored, bare, certain = (
        decided(1),
        decided(2),
        decided(3, prompt="", features=None),
        decided(4, propensity=0.0),
    )
    bare = decision(created_at=3.0, prompt=None)
    logged, counts = learn_here(
        [good, outcome(good.id), unscored, bare, outcome(bare.id), certain, outcome(certain.id)]
    )
    assert logged.ids.tolist() == [good.id]
    assert counts.skipped == {"no outcome": 1, "neither features nor prompt": 1, "no propensity": 1}


def test_a_failure_counts_where_the_candidate_is_to_blame_and_did_not_answer_after_all(learn_here: Learn) -> None:
    late, away, again, left = (decided(n) for n in range(1, 5))
    logged, counts = learn_here(
        [
            *(late, attempt(late.id, error="timeout"), attempt(late.id, error="timeout")),
            *(away, attempt(away.id, error="unreachable")),
            *(again, attempt(again.id, error="incomplete"), attempt(again.id, chosen=True)),
            *(left, attempt(left.id, error="cancelled")),
        ]
    )
    assert logged.ids.tolist() == [late.id] and counts.skipped == {"no outcome": 3}
    assert logged.score.tolist() == [0.0] and logged.weights.max() == np.float32(0.2)


def test_feedback_is_about_the_answer_handed_out_and_counts_once(learn_here: Learn) -> None:
    twice, alone = decided(1), decided(2)
    logged, _ = learn_here(
        [
            *(twice, attempt(twice.id, chosen=True), feedback(twice.id, kind="bad")),
            outcome(twice.id, source="feedback", score=0.0, weight=0.4),
            *(alone, attempt(alone.id, error="timeout"), attempt(alone.id, candidate=LARGE, chosen=True)),
            feedback(alone.id, kind="good"),
        ]
    )
    at = logged.candidates.index(LARGE), logged.candidates.index(SMALL)
    assert logged.weights[0].max() == np.float32(0.4)
    assert logged.scores[1, at[0]] == 1.0 and logged.scores[1, at[1]] == 0.0


def test_scores_of_an_earlier_language_model_are_left_out_and_counted(learn: Learn) -> None:
    made = [decided(n) for n in range(1, 5)]
    told = [outcome(one.id) for one in made]
    seen = [
        language_model(identity="a.b", first_seen_at=0.5),
        language_model(identity="a.c", first_seen_at=2.5),
        language_model(identity="-.c", first_seen_at=3.5),
        language_model(candidate=LARGE, identity="z.z", first_seen_at=9.0),
    ]
    other = outcome(made[0].id, candidate=LARGE)
    logged, counts = learn([*made, *told, other, *seen])
    assert counts.earlier == {SMALL: 2} and counts.support == {SMALL: 2, LARGE: 1}
    column = logged.candidates.index(SMALL)
    assert np.isnan(logged.scores[:, column]).tolist() == [True, False, False]


def test_prompts_and_conversations_make_groups(learn_here: Learn) -> None:
    made = [
        decided(1, prompt="again"),
        decided(2, prompt="again", conversation="c"),
        decided(3, conversation="c"),
        decided(4),
    ]
    logged, _ = learn_here([*made, *(outcome(one.id) for one in made)])
    first, second, third, fourth = logged.groups.tolist()
    assert first == second == third != fourth


def test_who_left_no_choice_is_pinned(learn_here: Learn) -> None:
    kinds = ("utility", "force", "only", "order", "prefer", "conversation", "caution", "ruled")
    made = [decided(n, decided_by=kind, propensity=1.0) for n, kind in enumerate(kinds)]
    made.append(decided(9, decided_by="prefer", propensity=0.5))  # it was explored, so there was a choice
    logged, _ = learn_here([*made, *(outcome(one.id) for one in made)])
    assert logged.pinned.tolist() == [False, True, True, True, True, True, False, False, False]


def test_candidates_are_those_with_enough_scores_cheapest_first(learn_here: Learn) -> None:
    records: list[Record] = []
    for number, name in enumerate(["slow", "slow", "fast", "fast", "rare"]):
        one = decided(number, candidate=name, ranking=())
        seconds = {"slow": 9.0, "fast": 1.0, "rare": 0.1}[name]
        call = attempt(one.id, candidate=name, chosen=True, total_s=seconds)
        records += [one, call, outcome(one.id, candidate=name)]
    logged, counts = learn_here(records, min_support=2)
    assert logged.candidates == ("fast", "slow") and len(logged) == 4 and counts.support["rare"] == 1
    named, told = learn_here([], candidates=("rare", "slow"))
    assert named.candidates == ("rare", "slow") and named.chosen.tolist() == [1, 1, 0]
    assert told.skipped == {"no outcome": 2}


def test_of_a_long_history_a_recent_sample_stays(learn_here: Learn) -> None:
    day_s = 86_400.0
    made = [decided(n, created_at=n * day_s, prompt="the same") for n in range(300)]
    records = [*made, *(outcome(one.id) for one in made)]
    logged, counts = learn_here(records, max_rows=60, half_life_days=30)
    assert len(logged) == 60 and (counts.read, counts.scored, counts.kept) == (300, 300, 60)
    assert (np.diff(logged.created_at) > 0).all() and np.median(logged.created_at) > 220 * day_s
    again, _ = learn_here([], max_rows=60, half_life_days=30)
    other, _ = learn_here([], max_rows=60, half_life_days=30, seed=1)
    assert again.ids.tolist() == logged.ids.tolist() != other.ids.tolist()


def test_damaged_features_are_skipped_and_counted(learn_here: Learn) -> None:
    good, short = decided(1), decided(2)
    vector = extract("x")
    cut = type("Cut", (), {"vector": vector.vector[:5], "buckets": vector.buckets, "counts": vector.counts})()
    short = decided(2, features=cut)
    logged, counts = learn_here([good, outcome(good.id), short, outcome(short.id)])
    assert len(logged) == 1 and counts.skipped == {"damaged features": 1} and counts.support == {SMALL: 1}


def test_a_history_with_nothing_to_learn_says_why(learn_here: Learn) -> None:
    with pytest.raises(TooFewRowsError, match=r"1 decisions read, 1 with no outcome.*by candidate: nobody"):
        learn_here([decided(1)])


def test_rows_can_be_taken_again(learn_here: Learn) -> None:
    made = [decided(n) for n in range(5)]
    logged, _ = learn_here([*made, *(outcome(one.id) for one in made)])
    some = logged.take(np.array([3, 1]))
    assert some.ids.tolist() == [made[3].id, made[1].id] and some.features.dense.shape[0] == 2
