"""The whole report over a log."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from tests.learning.drift.logs import BEGUN_AT, STEP_S, log

from turnout.learning.drift import Alarm, Allowance, DriftReport, changed_success, watch
from turnout.learning.logged import LoggedDecisions

CHECKED_AT = 1_800_000_000.0
FEWER_DRAWS = Allowance(features=0.1)
"""The smaller the chance of a false alarm, the more draws does the permutation test need to be sure."""


def split(whole: LoggedDecisions, at: int = 3_000) -> tuple[LoggedDecisions, LoggedDecisions]:
    rows = np.arange(len(whole))
    return whole.take(rows[:at]), whole.take(rows[at:])


def look(whole: LoggedDecisions, allowance: Allowance | None = None) -> DriftReport:
    reference, watched = split(whole)
    return watch(watched, reference=reference, checked_at=CHECKED_AT, allowance=allowance)


def kinds(report: DriftReport) -> set[tuple[str, str | None, str]]:
    return {(alarm.kind, alarm.candidate, alarm.direction) for alarm in report.alarms}


def test_few_logs_in_which_nothing_changes_raise_an_alarm() -> None:
    assert sum(bool(look(log(np.random.default_rng(seed), 8_000)).alarms) for seed in range(20)) <= 1


def test_all_chances_of_a_false_alarm_come_to_five_in_a_hundred() -> None:
    shares = Allowance()
    assert shares.worse + shares.better + shares.calibration + shares.features + shares.speed == pytest.approx(0.05)


def test_a_candidate_that_got_worse_is_named_with_figures_and_since_when() -> None:
    whole = log(np.random.default_rng(0), 6_000)
    failed = np.arange(6_000) >= 4_500
    whole.scores[failed, 0] *= np.random.default_rng(1).random(failed.sum()) < 0.6
    report = look(whole)
    (alarm,) = (alarm for alarm in report.alarms if alarm.kind == "success")
    assert (alarm.candidate, alarm.direction) == ("local/small", "worse")
    assert abs(alarm.since - (BEGUN_AT + STEP_S * 4_500)) < 200 * STEP_S
    assert "succeeds less often than predicted" in alarm.text and "% expected" in alarm.text


def test_whose_success_has_changed_is_told_alone_too() -> None:
    whole = log(np.random.default_rng(0), 6_000)
    failed = np.arange(6_000) >= 4_500
    whole.scores[failed, 0] *= np.random.default_rng(1).random(failed.sum()) < 0.6
    reference, watched = split(whole)
    assert changed_success(watched, reference) == [alarm for alarm in look(whole).alarms if alarm.kind == "success"]


def test_a_candidate_that_got_better_is_told_as_worth_training_again() -> None:
    rng = np.random.default_rng(1)
    chance = np.full((6_000, 2), 0.7)
    chance[4_000:, 1] = 0.97
    report = look(log(rng, 6_000, chance=chance))
    (alarm,) = (alarm for alarm in report.alarms if alarm.kind == "success")
    assert (alarm.candidate, alarm.direction) == ("local/large", "better")
    assert "training again" in alarm.text


def test_another_share_of_requests_for_each_candidate_is_no_alarm() -> None:
    rng = np.random.default_rng(2)
    reference, watched = log(rng, 3_000, mix=0.7), log(rng, 5_000, mix=0.2)
    assert not watch(watched, reference=reference, checked_at=CHECKED_AT).alarms


def test_a_slow_candidate_is_named() -> None:
    whole = log(np.random.default_rng(3), 6_000)
    whole.seconds[4_000:, 1] *= 3
    report = look(whole)
    assert kinds(report) == {("speed", "local/large", "worse")}
    assert "times the expected seconds" in report.alarms[0].text


def test_other_requests_are_told_by_what_people_call_their_features() -> None:
    whole = log(np.random.default_rng(4), 6_000)
    whole.features.dense[5_000:, 0] += 1.0
    report = look(whole, FEWER_DRAWS)
    assert kinds(report) == {("features", None, "worse")}
    assert "surface: characters" in report.alarms[0].text
    assert report.alarms[0].since >= BEGUN_AT + STEP_S * 4_700


def test_one_long_conversation_is_one_request() -> None:
    whole = log(np.random.default_rng(5), 6_000)
    whole.features.dense[5_000:5_400] = 2.0
    whole.groups[5_000:5_400] = 5_000
    assert not look(whole).alarms


def test_features_can_be_held_against_what_was_trained_on() -> None:
    reference, watched = split(log(np.random.default_rng(6), 6_000))
    trained_on = reference.features.dense + np.float32(1.0)
    report = watch(watched, reference=reference, trained_on=trained_on, checked_at=CHECKED_AT, allowance=FEWER_DRAWS)
    assert kinds(report) == {("features", None, "worse")}


# Hostile input


def test_an_empty_log_is_a_report_without_alarms() -> None:
    whole = log(np.random.default_rng(7), 3_000)
    for reference, watched in (split(whole, 3_000), split(whole, 0), (whole.take(np.arange(0)),) * 2):
        report = watch(watched, reference=reference, checked_at=CHECKED_AT)
        assert not report.alarms and report.decisions == len(watched)


def test_scores_that_are_missing_or_no_numbers_are_left_out() -> None:
    whole = log(np.random.default_rng(8), 6_000)
    whole.scores[::3] = np.nan
    whole.scores[4::7] = np.inf
    whole.predicted[5::11] = np.nan
    whole.expected_s[::5], whole.seconds[1::5] = 0.0, -np.inf
    whole.features.dense[::9, 3] = np.nan
    assert not look(whole).alarms


def test_a_candidate_that_was_never_scored_hides_no_other() -> None:
    whole = log(np.random.default_rng(9), 6_000)
    whole.scores[:, 1] = np.nan
    whole.scores[4_500:, 0] = 0.0
    assert ("success", "local/small", "worse") in kinds(look(whole))


def test_features_that_never_vary_are_no_alarm() -> None:
    whole = log(np.random.default_rng(10), 6_000)
    whole.features.dense[:] = 0.3
    assert not look(whole).alarms


def test_scores_without_trust_count_for_nothing() -> None:
    whole = log(np.random.default_rng(11), 6_000)
    whole.scores[4_500:] = 0.0
    whole.weights[4_500:] = 0.0
    assert not look(whole).alarms


def test_logs_of_other_candidates_are_refused() -> None:
    whole = log(np.random.default_rng(12), 10)
    with pytest.raises(ValueError, match="candidates"):
        watch(whole, reference=replace(whole, candidates=("a", "b")), checked_at=CHECKED_AT)


# The report


def test_the_report_as_json_is_what_others_read() -> None:
    found = Alarm(kind="language_model", candidate="local/small", since=BEGUN_AT, text="another file answers")
    whole = log(np.random.default_rng(13), 100)
    report = watch(whole, reference=whole, checked_at=CHECKED_AT, others=[found])
    assert json.loads(json.dumps(report.to_json())) == {
        "checked_at": CHECKED_AT,
        "alarms": [
            {
                "kind": "language_model",
                "candidate": "local/small",
                "since": BEGUN_AT,
                "text": "another file answers",
            }
        ],
        "watched": {"decisions": 100},
    }


def test_alarms_come_in_the_order_of_what_changed_first() -> None:
    whole = log(np.random.default_rng(14), 6_000)
    whole.seconds[3_500:, 1] *= 4
    whole.scores[5_000:, 0] = 0.0
    since = [alarm.since for alarm in look(whole).alarms]
    assert len(since) >= 2 and since == sorted(since)


def test_one_log_gives_one_report() -> None:
    whole = log(np.random.default_rng(15), 6_000)
    whole.features.dense[5_750:, 7] += 0.7
    assert look(whole, FEWER_DRAWS) == look(whole, FEWER_DRAWS)
