"""What a client says beside its request, as options of one."""

from __future__ import annotations

import pytest

from turnout.gateway.refusals import FieldError
from turnout.gateway.targets import Target
from turnout.gateway.wanted import Wanted
from turnout.types import Request

AUTO = Target("auto")


def wanted(user: str = "") -> Wanted:
    return Wanted("auto", Request.of("x"), user=user)


@pytest.mark.parametrize(
    ("target", "told"),
    [
        (Target("auto-fast", preference="fast"), {"preference": "fast"}),
        (Target("a/b", candidate="a/b"), {"candidate": "a/b"}),
        (Target("developer", voice="developer"), {"voice": "developer"}),
        (Target("pair", ensemble="pair"), {"ensemble": "pair"}),
        (AUTO, {}),
    ],
)
def test_a_name_becomes_an_option(target: Target, told: dict[str, str]) -> None:
    assert wanted().options(target, {}, "") == {**told, "headers": {}}


def test_headers_of_ours_become_options_in_any_case() -> None:
    said = {
        "X-Turnout-Preference": "0.5",
        "x-turnout-conversation": "c",
        "x-turnout-user": "u",
        "x-turnout-candidate": "a/b",
        "x-turnout-deadline": "2.5",
        "x-turnout-hold": "Yes",
        "x-turnout-cache": "0",
    }
    assert wanted().options(AUTO, said, "") == {
        "preference": 0.5,
        "conversation": "c",
        "user": "u",
        "candidate": "a/b",
        "deadline_s": 2.5,
        "hold": True,
        "use_cache": False,
        "headers": {},
    }


def test_a_header_counts_more_than_a_name() -> None:
    said = {"x-turnout-preference": "quality"}
    assert wanted().options(Target("auto-fast", preference="fast"), said, "")["preference"] == "quality"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("preference", "nan"),
        ("preference", "-1"),
        ("deadline", "0"),
        ("deadline", "nan"),
        ("deadline", "inf"),
        ("cache", "x"),
    ],
)
def test_a_header_of_no_use_is_refused_by_its_name(name: str, value: str) -> None:
    with pytest.raises(FieldError) as refused:
        wanted().options(AUTO, {f"x-turnout-{name}": value}, "")
    assert refused.value.param == f"x-turnout-{name}"


def test_an_unknown_header_of_ours_is_told() -> None:
    asked = wanted()
    asked.options(AUTO, {"x-turnout-mood": "good"}, "")
    assert asked.warnings == ["the header x-turnout-mood is unknown"]


def test_users_of_two_keys_never_meet() -> None:
    assert wanted("u").options(AUTO, {}, "")["user"] == "u"
    assert wanted("u").options(AUTO, {}, "key")["user"] == "key/u"
    assert wanted("u").options(AUTO, {"x-turnout-user": "v"}, "key")["user"] == "key/v"
    assert wanted().options(AUTO, {}, "key")["user"] == "key"
    assert "user" not in wanted().options(AUTO, {}, "")


def test_rules_see_headers_without_secrets() -> None:
    said = {"X-Team": "blue", "X-Api-Key": "s", "Authorization": "Bearer s", "Cookie": "s", "User-Agent": "ide/1"}
    assert wanted().options(AUTO, said, "")["headers"] == {"x-team": "blue", "user-agent": "ide/1"}


def test_who_makes_embeddings_does_not_answer() -> None:
    with pytest.raises(FieldError, match="makes embeddings"):
        wanted().options(Target("a/e", candidate="a/e", embeds=True), {}, "")
