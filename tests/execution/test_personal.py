"""Users and what they said: kept apart, kept over a restart, shown, taken back, bounded."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.execution.fakes import decided

from turnout.errors import RequestError
from turnout.execution.leaning import KINDS, NEUTRAL, WINDOW
from turnout.execution.personal import KEPT_EVENTS, MAX_USERS, Personal, preference_for
from turnout.execution.wishes import shift
from turnout.policy.utility import exchange_rate
from turnout.policy.worth import worths
from turnout.types import Decision, Ranked

SMALL, LARGE = "lms/small", "ollama/large"


def decision_for(personal: Personal, user: str) -> Decision:
    """A balanced decision between a fast candidate and a strong one, as this user's feedback turns it."""
    leaning = personal.leaning(user)
    preference = preference_for(leaning, None, "balanced")
    assert isinstance(preference, str | float)
    rate = exchange_rate(preference)
    (low, high), (short, long) = (0.70, 0.80), (1.0, 20.0)
    small, large = worths([(low, short, None), (high, long, None)], rate)
    ranking = [Ranked(SMALL, low, short, None, small), Ranked(LARGE, high, long, None, large)]
    ranking.sort(key=lambda entry: -entry.utility)
    return shift(decided(*ranking), leaning.offsets)


def test_a_user_whose_fast_answers_are_bad_moves_to_quality_within_ten_events_and_back() -> None:
    personal = Personal()
    assert decision_for(personal, "ada").candidate == SMALL
    needed = 0
    while decision_for(personal, "ada").candidate == SMALL:
        personal.heard("ada", "bad", None, SMALL, 1.0, False)
        needed += 1
        assert needed <= 10
    assert needed >= 3, "nothing changes before three events"
    personal.reset("ada")
    assert decision_for(personal, "ada").candidate == SMALL and personal.leaning("ada") == NEUTRAL


def test_a_user_who_finds_strong_answers_slow_moves_to_speed() -> None:
    personal = Personal()
    for _ in range(6):
        personal.heard("ada", "bad", None, SMALL, 1.0, False)
    assert decision_for(personal, "ada").candidate == LARGE
    for _ in range(10):
        personal.heard("ada", "too_slow", None, LARGE, 40.0, True)
    assert decision_for(personal, "ada").candidate == SMALL


said = st.one_of(
    st.tuples(st.sampled_from([kind for kind in KINDS if kind not in ("score", "edit_kept")]), st.none()),
    st.tuples(st.sampled_from(["score", "edit_kept"]), st.floats(0, 1)),
)
event = st.tuples(said, st.sampled_from([SMALL, LARGE, ""]), st.none() | st.floats(0, 1e6), st.booleans())


def tell(personal: Personal, user: str, told: Any) -> None:
    (kind, value), candidate, seconds, strong = told
    personal.heard(user, kind, value, candidate, seconds, strong)


@given(st.lists(event, max_size=20), st.lists(event, max_size=20))
def test_two_users_do_not_touch_each_other(first: list[Any], second: list[Any]) -> None:
    together, alone = Personal(now=lambda: 1.0), Personal(now=lambda: 1.0)
    for place in range(max(len(first), len(second))):
        for user, told in (("ada", first), ("bob", second)):
            if place < len(told):
                tell(together, user, told[place])
    for told in first:
        tell(alone, "ada", told)
    assert together.leaning("ada") == alone.leaning("ada")
    together.reset("bob")
    assert together.export() == alone.export()


@given(st.lists(event, max_size=WINDOW + 10), event)
def test_undo_takes_back_the_last_event_exactly(before: list[Any], last: Any) -> None:
    personal = Personal(now=lambda: 1.0)
    for told in before:
        tell(personal, "ada", told)
    state, leaning = personal.export(), personal.leaning("ada")
    tell(personal, "ada", last)
    assert personal.undo("ada")
    assert (personal.export(), personal.leaning("ada")) == (state, leaning)


def test_undo_is_exact_where_old_events_have_been_dropped() -> None:
    personal = Personal(now=lambda: 1.0)
    for place in range(KEPT_EVENTS + 30):
        personal.heard("ada", "score", (place % 7) / 7, SMALL)
    states = []
    for _ in range(15):
        states.append(personal.export())
        personal.heard("ada", "bad", candidate=LARGE)
    for state in reversed(states):
        assert personal.undo("ada") and personal.export() == state


def test_undo_and_reset_say_whether_there_was_anything() -> None:
    personal = Personal()
    assert not personal.undo("ada") and not personal.reset("ada")
    personal.heard("ada", "good")
    assert personal.undo("ada") and not personal.undo("ada")
    assert personal.export() == {}
    personal.heard("ada", "good")
    assert personal.reset("ada") and personal.export() == {}


def test_heard_gives_the_leaning_after_it() -> None:
    personal = Personal()
    assert personal.heard("ada", "bad").events == 1
    assert personal.heard("ada", "bad") == personal.leaning("ada")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "nice"}, "feedback 'nice' is none of good, bad"),
        ({"kind": "score"}, "score needs a value from 0 to 1"),
        ({"kind": "score", "value": 1.5}, "score needs a value from 0 to 1"),
        ({"kind": "score", "value": True}, "score needs a value from 0 to 1"),
        ({"kind": "edit_kept", "value": float("nan")}, "edit_kept needs a value"),
        ({"kind": "bad", "seconds": -1.0}, "seconds is -1.0"),
        ({"kind": "bad", "seconds": float("inf")}, "seconds is inf"),
        ({"kind": "bad", "seconds": 10**400}, "seconds is 1000"),
        ({"kind": "bad", "user": "u" * 201}, "user is no text of at most 200"),
        ({"kind": "bad", "candidate": "c" * 201}, "candidate is no text of at most 200"),
    ],
)
def test_feedback_that_makes_no_sense_is_refused_and_changes_nothing(fields: dict[str, Any], words: str) -> None:
    personal = Personal()
    with pytest.raises(RequestError, match=words):
        personal.heard(**({"user": "ada"} | fields))
    assert personal.export() == {}


def test_no_more_users_and_events_are_kept_than_allowed() -> None:
    personal = Personal()
    for user in range(MAX_USERS + 5):
        personal.heard(str(user), "good")
        personal.heard("faithful", "good")
    known = personal.export()
    assert len(known) == MAX_USERS and "0" not in known and str(MAX_USERS + 4) in known
    assert known["faithful"]["events"] == len(known["faithful"]["heard"]) == WINDOW


def test_an_export_is_plain_data_that_tells_where_a_leaning_comes_from() -> None:
    personal = Personal(now=lambda: 7.0)
    for _ in range(3):
        personal.heard("ada", "score", 0.0, SMALL, 1.5)
    told = json.loads(json.dumps(personal.export()))["ada"]
    assert told["rate_factor"] < 1 and told["offsets"][SMALL] < 0 and told["events"] == 3
    assert told["heard"][0] == {
        "kind": "score",
        "value": 0.0,
        "candidate": SMALL,
        "seconds": 1.5,
        "strong": False,
        "at": 7.0,
    }


# Over a restart


@given(st.dictionaries(st.text(max_size=5), st.lists(event, min_size=1, max_size=4), max_size=3))
def test_what_was_saved_is_there_again(tmp_path_factory: pytest.TempPathFactory, users: dict[str, list[Any]]) -> None:
    path = tmp_path_factory.mktemp("state") / "personal.json"
    personal = Personal(path)
    for user, told in users.items():
        for entry in told:
            tell(personal, user, entry)
    personal.save()
    assert Personal(path).export() == personal.export()
    assert path.exists() == bool(users)


def test_names_of_any_script_survive(tmp_path: Path) -> None:
    personal = Personal(tmp_path / "personal.json")
    personal.heard("Ада \ud800\x00", "bad", candidate="lms/模型")
    personal.save()
    assert Personal(tmp_path / "personal.json").export() == personal.export()


def test_what_did_not_change_is_not_written(tmp_path: Path) -> None:
    path = tmp_path / "personal.json"
    personal = Personal(path)
    personal.save()
    assert not path.exists()
    personal.heard("ada", "bad")
    personal.save()
    path.unlink()
    personal.save()
    assert not path.exists()


def test_a_disk_that_refuses_is_logged_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "state").write_text("a file where a folder should be")
    personal = Personal(tmp_path / "state" / "personal.json")
    personal.heard("ada", "bad")
    with caplog.at_level(logging.WARNING):
        personal.save()
    assert "are not saved" in caplog.text
    (tmp_path / "state").unlink()
    personal.save()
    assert (tmp_path / "state" / "personal.json").exists()


EVENT = ["bad", None, SMALL, 1.0, False, 1.0]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b"null",
        b"[" * 100_000,
        *(
            json.dumps(document).encode()
            for document in (
                {"version": 2, "users": {}},
                {"version": 1},
                {"version": 1, "users": []},
                {"version": 1, "users": {"ada": []}},
                {"version": 1, "users": {"ada": 3}},
                {"version": 1, "users": {"ada": [["bad"]]}},
                {"version": 1, "users": {"ada": [{"kind": "bad"}]}},
                {"version": 1, "users": {"u" * 1000: [EVENT]}},
                {"version": 1, "users": {"ada": [["__class__", *EVENT[1:]]]}},
                {"version": 1, "users": {"ada": [[["bad"], *EVENT[1:]]]}},
                {"version": 1, "users": {"ada": [["score", 1e9, *EVENT[2:]]]}},
                {"version": 1, "users": {"ada": [["bad", None, 5, *EVENT[3:]]]}},
                {"version": 1, "users": {"ada": [["bad", None, SMALL, float("nan"), False, 1.0]]}},
                {"version": 1, "users": {"ada": [["bad", None, SMALL, 1.0, 1, 1.0]]}},
                {"version": 1, "users": {"ada": [["bad", None, SMALL, 1.0, False, 10**400]]}},
            )
        ),
    ],
    ids=lambda content: repr(content[:60]),
)
def test_a_hostile_file_is_set_aside_with_a_warning(
    tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "personal.json"
    path.write_bytes(content)
    with caplog.at_level(logging.WARNING):
        personal = Personal(path)
    assert personal.export() == {} and "cannot be used" in caplog.text
    assert (tmp_path / "personal.json.refused").read_bytes() == content and not path.exists()
    personal.heard("ada", "bad")
    personal.save()
    assert Personal(path).leaning("ada").events == 1


def test_a_file_with_too_much_in_it_is_cut_to_what_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "personal.json"
    users = {str(user): [EVENT] * (2 * KEPT_EVENTS if user == MAX_USERS else 1) for user in range(MAX_USERS + 1)}
    path.write_text(json.dumps({"version": 1, "users": users}))
    known = Personal(path).export()
    assert len(known) == MAX_USERS and "0" not in known
    assert known[str(MAX_USERS)]["events"] == WINDOW


# Several processes with one file


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every look at the file is a fresh one."""
    monkeypatch.setattr("turnout.execution.personal.LOOK_EVERY_S", 0.0)


@pytest.mark.usefixtures("at_once")
def test_what_one_process_hears_counts_at_the_others(tmp_path: Path) -> None:
    here, there = Personal(tmp_path / "personal.json"), Personal(tmp_path / "personal.json")
    for _ in range(4):
        here.heard("ada", "bad", None, SMALL, 1.0, False)
        here.save()
    assert there.leaning("ada") == here.leaning("ada") != NEUTRAL
    there.reset("ada")
    there.save()
    assert here.leaning("ada") == NEUTRAL


def test_the_file_is_looked_at_once_a_second_at_most(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    monkeypatch.setattr("turnout.execution.personal.time.monotonic", lambda: clock[0])
    here, there = Personal(tmp_path / "personal.json"), Personal(tmp_path / "personal.json")
    here.heard("ada", "good", None, SMALL)
    here.save()
    clock[0] = 0.9
    assert there.leaning("ada").events == 0
    clock[0] = 1.1
    assert there.leaning("ada").events == 1


def test_nothing_that_two_processes_hear_is_lost_when_both_save(tmp_path: Path) -> None:
    here, there = Personal(tmp_path / "personal.json"), Personal(tmp_path / "personal.json")
    here.heard("ada", "good", None, SMALL)
    there.heard("ada", "bad", None, LARGE)
    there.heard("bob", "good", None, LARGE)
    here.save()
    there.save()
    known = Personal(tmp_path / "personal.json").export()
    assert sorted(event["kind"] for event in known["ada"]["heard"]) == ["bad", "good"]
    assert known["bob"]["events"] == 1


@pytest.mark.usefixtures("at_once")
def test_what_is_not_saved_yet_stays_when_another_process_saves(tmp_path: Path) -> None:
    here, there = Personal(tmp_path / "personal.json"), Personal(tmp_path / "personal.json")
    here.heard("ada", "good", None, SMALL)
    there.heard("bob", "good", None, SMALL)
    there.save()
    assert here.leaning("bob").events == here.leaning("ada").events == 1
