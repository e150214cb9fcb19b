"""Records as those who execute requests build them."""

from __future__ import annotations

import pytest

from turnout.history import DecisionRecord, new_id
from turnout.types import Decision, Excluded, Ranked, Task


def test_ids_differ_and_lie_in_the_order_of_time() -> None:
    made = [new_id() for _ in range(1000)]
    assert len(set(made)) == 1000
    assert [one[:16] for one in made] == sorted(one[:16] for one in made)
    assert all(len(one) == 32 for one in made)


def test_a_decision_brings_all_it_knows_into_its_record() -> None:
    task = Task("edit", {}, "simple", 2.5, {}, "fast", 0.25)
    ranking = (Ranked("local/small", 0.75, 1.5, None, 0.7),)
    excluded = (Excluded("cloud/large", "the prompt is private"),)
    made = Decision(
        "local/small",
        0.75,
        "fast enough",
        ranking,
        task,
        novelty=0.5,
        out_of_depth=True,
        propensity=0.9,
        excluded=excluded,
        rules=("private",),
        preference="fast",
        decided_by="force",
        configuration="abc",
    )
    record = DecisionRecord.of(made, request_id="r", conversation="c", user="u", predictor="7", prompt="hello")
    assert (record.candidate, record.confidence, record.propensity) == ("local/small", 0.75, 0.9)
    assert (record.ranking, record.excluded, record.rules) == (ranking, excluded, ("private",))
    assert (record.task_type, record.complexity, record.complexity_score) == ("edit", "simple", 2.5)
    assert (record.tier, record.tier_score, record.novelty, record.out_of_depth) == ("fast", 0.25, 0.5, True)
    assert (record.decided_by, record.reason, record.preference) == ("force", "fast enough", "fast")
    assert (record.request_id, record.conversation, record.user) == ("r", "c", "u")
    assert (record.predictor, record.configuration, record.prompt) == ("7", "abc", "hello")
    assert DecisionRecord.of(made, id="1", created_at=2.5).created_at == 2.5
    assert DecisionRecord.of(made, id="1").id == "1" != record.id


def test_a_record_does_not_change() -> None:
    record = DecisionRecord(candidate="local/small", confidence=1.0)
    with pytest.raises(AttributeError):
        record.candidate = "cloud/large"  # type: ignore[misc]
