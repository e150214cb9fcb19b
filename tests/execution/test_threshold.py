"""The escalation threshold: bounds, the share it is steered to, a restart, a file that is damaged, other settings."""

from __future__ import annotations

import json
import logging
import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.routing import Escalation
from turnout.execution.threshold import GAIN_STEP, STEP, Threshold
from turnout.files import alone

WIDE = Escalation(threshold=0.5, min_threshold=0.0, max_threshold=1.0)


def follow(threshold: Threshold, confidences: Sequence[float]) -> float:
    """Judge all of them; the share that was below."""
    below = 0
    for confidence in confidences:
        below += confidence < threshold.value
        threshold.judged(confidence)
    return below / len(confidences)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "threshold.json"


def keep(path: Path, content: bytes | str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


# Where it moves


def test_it_begins_where_it_is_configured() -> None:
    assert Threshold(Escalation()).value == 0.7
    assert Threshold(Escalation(threshold=0.6)).value == 0.6


def test_a_trusted_answer_lifts_it_a_little_and_an_untrusted_one_lowers_it_a_lot() -> None:
    threshold = Threshold(Escalation())
    threshold.judged(0.9)
    assert threshold.value == pytest.approx(0.7 + STEP * 0.05)
    threshold.judged(0.1)
    assert threshold.value == pytest.approx(0.7 + STEP * 0.05 - STEP * 0.95)


def test_a_confidence_at_the_threshold_is_trusted() -> None:
    threshold = Threshold(Escalation())
    threshold.judged(0.7)
    assert threshold.value > 0.7


def test_escalations_that_help_lift_it_and_others_lower_it() -> None:
    threshold = Threshold(Escalation())
    threshold.escalated(helped=True)
    assert threshold.value == pytest.approx(0.7 + GAIN_STEP / 2)
    threshold.escalated(helped=False)
    threshold.escalated(helped=False)
    assert threshold.value == pytest.approx(0.7 - GAIN_STEP / 2)


def test_a_fixed_threshold_stays(path: Path) -> None:
    threshold = Threshold(Escalation(adaptive=False), path)
    follow(threshold, [0.1, 0.99] * 100)
    threshold.escalated(helped=True)
    assert threshold.value == 0.7
    threshold.save()
    assert not path.exists()


events = st.lists(st.one_of(st.floats(allow_nan=True, allow_infinity=True), st.booleans()), max_size=200)
settings = st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.floats(0, 1), st.booleans())


def made(drawn: tuple[float, float, float, float, bool]) -> Escalation:
    low, value, high = sorted(drawn[:3])
    return Escalation(threshold=value, min_threshold=low, max_threshold=high, target_share=drawn[3], adaptive=drawn[4])


@given(first=settings, then=settings, before=events, after=events)
def test_whatever_is_judged_the_bounds_hold(
    first: tuple[float, float, float, float, bool],
    then: tuple[float, float, float, float, bool],
    before: list[float | bool],
    after: list[float | bool],
) -> None:
    threshold = Threshold(made(first))
    for chosen, heard in ((made(first), before), (made(then), after)):
        threshold.configure(chosen)
        assert chosen.min_threshold <= threshold.value <= chosen.max_threshold
        for event in heard:
            if isinstance(event, bool):
                threshold.escalated(helped=event)
            else:
                threshold.judged(event)
            assert chosen.min_threshold <= threshold.value <= chosen.max_threshold


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("start", [0.05, 0.95])
@pytest.mark.parametrize("draw", ["even", "sure", "two kinds"])
def test_the_share_below_comes_to_the_wanted_one(share: float, start: float, draw: str) -> None:
    chance = random.Random(f"{share} {start} {draw}")
    kinds = {
        "even": chance.random,
        "sure": lambda: chance.betavariate(8, 2),
        "two kinds": lambda: chance.gauss(0.3, 0.05) if chance.random() < 0.2 else chance.gauss(0.8, 0.05),
    }
    threshold = Threshold(replace(WIDE, target_share=share, threshold=start))
    follow(threshold, [kinds[draw]() for _ in range(5000)])
    found = follow(threshold, [kinds[draw]() for _ in range(20_000)])
    assert found == pytest.approx(share, abs=0.01 + 0.05 * share)


def test_it_follows_a_change_of_what_is_asked() -> None:
    chance = random.Random(7)
    threshold = Threshold(WIDE)
    follow(threshold, [chance.uniform(0.6, 1.0) for _ in range(5000)])
    assert threshold.value == pytest.approx(0.62, abs=0.05)
    follow(threshold, [chance.uniform(0.0, 0.4) for _ in range(5000)])
    assert threshold.value == pytest.approx(0.02, abs=0.05)


def test_where_the_wanted_share_lies_outside_the_bounds_it_rests_at_one() -> None:
    sure, unsure = Threshold(Escalation()), Threshold(Escalation())
    follow(sure, [0.99] * 1000)
    follow(unsure, [0.2] * 1000)
    assert (sure.value, unsure.value) == (0.9, 0.5)


@pytest.mark.parametrize(("helps", "expected"), [(1.0, 0.05 / 0.75), (0.0, 0.05 / 1.25), (0.5, 0.05)])
def test_what_escalations_gain_moves_the_share_by_at_most_a_third(helps: float, expected: float) -> None:
    chance = random.Random(11)
    threshold = Threshold(WIDE)
    below = 0
    for at in range(40_000):
        confidence = chance.random()
        escalates = confidence < threshold.value
        below += escalates and at >= 10_000
        threshold.judged(confidence)
        if escalates:
            threshold.escalated(helped=chance.random() < helps)
    assert below / 30_000 == pytest.approx(expected, abs=0.008)


# A restart


def test_it_goes_on_where_it_was(path: Path) -> None:
    threshold = Threshold(Escalation(), path)
    follow(threshold, [0.95] * 50)
    threshold.save()
    again = Threshold(Escalation(), path)
    assert again.value == threshold.value > 0.7
    again.judged(0.99)
    again.save()
    assert Threshold(Escalation(), path).value == again.value


def test_what_did_not_move_is_not_written(path: Path) -> None:
    threshold = Threshold(Escalation(), path)
    threshold.save()
    assert not path.exists()
    threshold.judged(0.9)
    threshold.save()
    written = path.stat().st_mtime_ns
    threshold.save()
    assert path.stat().st_mtime_ns == written


def test_what_was_saved_outside_the_bounds_is_brought_inside(path: Path) -> None:
    keep(path, '{"threshold": 0.99, "configured": 0.7}')
    assert Threshold(Escalation(), path).value == 0.9


def test_a_fixed_threshold_does_not_read_what_was_learned(path: Path) -> None:
    keep(path, '{"threshold": 0.6, "configured": 0.7}')
    assert Threshold(Escalation(adaptive=False), path).value == 0.7


DAMAGED = {
    "empty": b"",
    "half": b'{"thresho',
    "another value": b"[0.6]",
    "a number": b"0.6",
    "a text": b'"threshold"',
    "null": b"null",
    "no field": b"{}",
    "null inside": b'{"threshold": null}',
    "a list inside": b'{"threshold": [0.6]}',
    "words inside": b'{"threshold": "high"}',
    "not a number": b'{"threshold": NaN}',
    "infinite": b'{"threshold": Infinity}',
    "above 1": b'{"threshold": 1.5}',
    "below 0": b'{"threshold": -0.1}',
    "binary": bytes(range(256)),
    "no UTF-8": b'\xff\xfe{"threshold": 0.6}',
    "deep": b"[" * 100_000,
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED.keys())
def test_a_damaged_file_is_told_and_begun_anew(path: Path, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    keep(path, content)
    with caplog.at_level(logging.WARNING):
        threshold = Threshold(Escalation(), path)
    assert threshold.value == 0.7 and "cannot be used" in caplog.text and str(path) in caplog.text
    threshold.judged(0.9)
    threshold.save()
    assert json.loads(path.read_bytes()) == {"threshold": threshold.value, "configured": 0.7}


def test_a_number_too_large_for_a_float_is_a_damaged_file_too(path: Path) -> None:
    keep(path, '{"threshold": 1' + "0" * 400 + ', "configured": 0.7}')
    assert Threshold(Escalation(), path).value == 0.7


@given(content=st.binary(max_size=60) | st.text(max_size=40).map(str.encode))
def test_no_file_can_stop_a_client(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    path = tmp_path_factory.mktemp("state") / "threshold.json"
    path.write_bytes(content)
    assert Threshold(Escalation(), path).value == 0.7


def test_a_folder_in_the_files_place_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "threshold.json"
    path.mkdir()
    threshold = Threshold(Escalation(), path)
    threshold.judged(0.9)
    threshold.save()
    assert "cannot be used" in caplog.text and "is not saved" in caplog.text


def test_what_could_not_be_written_is_written_the_next_time(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    blocker = tmp_path / "state"
    blocker.write_text("a file where a folder should be")
    threshold = Threshold(Escalation(), blocker / "threshold.json")
    threshold.judged(0.9)
    threshold.save()
    assert "is not saved" in caplog.text
    blocker.unlink()
    threshold.save()
    assert json.loads((blocker / "threshold.json").read_bytes())["threshold"] == threshold.value


# Other settings


def test_what_was_learned_stays_within_other_bounds() -> None:
    threshold = Threshold(Escalation())
    follow(threshold, [0.95] * 100)
    learned = threshold.value
    threshold.configure(Escalation(target_share=0.1))
    assert threshold.value == learned
    threshold.configure(Escalation(max_threshold=0.75))
    assert threshold.value == 0.75
    threshold.configure(Escalation(min_threshold=0.7, max_threshold=0.95))
    assert threshold.value == 0.75


def test_another_configured_value_counts_at_once() -> None:
    threshold = Threshold(Escalation())
    follow(threshold, [0.95] * 100)
    threshold.configure(Escalation(threshold=0.55))
    assert threshold.value == 0.55


def test_a_threshold_that_is_fixed_from_now_on_is_the_configured_one() -> None:
    threshold = Threshold(Escalation())
    follow(threshold, [0.95] * 100)
    threshold.configure(Escalation(adaptive=False))
    assert threshold.value == 0.7
    threshold.judged(0.1)
    assert threshold.value == 0.7


def test_the_same_settings_again_change_nothing() -> None:
    threshold = Threshold(Escalation())
    follow(threshold, [0.95] * 10)
    learned = threshold.value
    threshold.configure(Escalation())
    assert threshold.value == learned


def test_another_configured_value_counts_after_a_restart_too(path: Path) -> None:
    threshold = Threshold(Escalation(), path)
    follow(threshold, [0.95] * 100)
    threshold.save()
    assert Threshold(Escalation(threshold=0.55), path).value == 0.55


def test_a_while_with_a_fixed_value_does_not_cost_what_was_learned(path: Path) -> None:
    threshold = Threshold(Escalation(), path)
    follow(threshold, [0.95] * 100)
    threshold.save()
    learned = threshold.value
    threshold.configure(Escalation(adaptive=False))
    threshold.save()
    assert Threshold(Escalation(), path).value == learned


# Several processes with one file


def test_each_process_adds_its_moves_to_those_of_the_others(path: Path) -> None:
    settings = replace(WIDE, adaptive=True)
    here, there = Threshold(settings, path), Threshold(settings, path)
    for _ in range(3):
        here.judged(1.0)
        there.judged(1.0)
    here.save()
    there.save()
    both = Threshold(settings, path).value
    assert both == there.value == pytest.approx(0.5 + 6 * STEP * settings.target_share)
    here.save()
    assert here.value == both, "who did not move follows the others"


def test_a_lock_that_nobody_lets_go_of_is_told_and_tried_again(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("turnout.files.LOCK_PATIENCE_S", 0.0)
    threshold = Threshold(replace(WIDE, adaptive=True), path)
    threshold.judged(1.0)
    with alone(path):
        threshold.save()
    assert "is not saved" in caplog.text and not path.exists()
    threshold.save()
    assert path.exists()
