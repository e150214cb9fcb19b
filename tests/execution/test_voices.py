"""A voice over a request: what it adds, what it leaves to the caller, and how it is found."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.default_voices import default_voices
from turnout.config.schema import Configuration
from turnout.config.voices import Voice
from turnout.errors import RequestError
from turnout.execution.asked import Asked
from turnout.execution.voices import find_voice, voiced, voices
from turnout.types import Message, Request, Sampling

TESTER = Voice(system_prompt="You test.", temperature=0.2, preference="quality", candidates=("ollama",))
MUTE = Voice(system_prompt="You say little.")


def roles(asked: Asked) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in asked.request.messages]


def test_the_voice_speaks_before_a_plain_prompt() -> None:
    assert roles(voiced(Asked.of("try it"), TESTER, "tester")) == [("system", "You test."), ("user", "try it")]


def test_the_callers_own_system_message_comes_after_the_voice_in_one_message() -> None:
    asked = Asked.of([{"role": "system", "content": "Answer in French."}, {"role": "user", "content": "try it"}])
    assert roles(voiced(asked, TESTER, "tester")) == [
        ("system", "You test.\n\nAnswer in French."),
        ("user", "try it"),
    ]


@pytest.mark.parametrize("role", ["system", "developer"])
def test_a_leading_instruction_keeps_its_role(role: str) -> None:
    asked = Asked.of([{"role": role, "content": "Be brief."}, {"role": "user", "content": "try it"}])
    assert roles(voiced(asked, TESTER, "tester"))[0] == (role, "You test.\n\nBe brief.")


def test_an_empty_system_message_leaves_the_voice_alone() -> None:
    asked = Asked.of([{"role": "system", "content": " "}, {"role": "user", "content": "try it"}])
    assert roles(voiced(asked, TESTER, "tester"))[0] == ("system", "You test.")


def test_the_rest_of_a_conversation_is_untouched() -> None:
    turns: list[dict[str, Any]] = [
        {"role": "user", "content": "one"},
        {"role": "assistant", "content": "two", "tool_calls": [{"id": "1", "function": {"name": "f"}}]},
        {"role": "tool", "content": "three", "tool_call_id": "1"},
        {"role": "system", "content": "four"},
        {"role": "user", "content": "five"},
    ]
    asked = Asked.of(turns, files=("a.py",), tool_choice="none")
    spoken = voiced(asked, TESTER, "tester").request
    assert spoken.messages[1:] == asked.request.messages
    assert (spoken.files, spoken.tool_choice) == (("a.py",), "none")


def test_the_voice_sets_temperature_and_preference_where_the_caller_sets_none() -> None:
    spoken = voiced(Asked.of("x", sampling=Sampling(max_tokens=9)), TESTER, "tester")
    assert spoken.request.sampling == Sampling(temperature=0.2, max_tokens=9)
    assert spoken.preference == "quality"


def test_the_caller_s_own_temperature_and_preference_stand() -> None:
    spoken = voiced(Asked.of("x", sampling=Sampling(temperature=0.0), preference=0.0), TESTER, "tester")
    assert spoken.request.sampling.temperature == 0.0
    assert spoken.preference == 0.0


def test_a_voice_that_sets_nothing_changes_only_the_system_prompt() -> None:
    asked = Asked.of("x", user="u", conversation="c", metadata={"a": 1}, deadline_s=3.0)
    spoken = voiced(asked, MUTE, "mute")
    assert spoken.request.sampling == asked.request.sampling and spoken.preference is None
    assert (spoken.hints, spoken.metadata, spoken.deadline_s) == (asked.hints, asked.metadata, 3.0)


def test_the_request_says_which_voice_it_is_in() -> None:
    assert voiced(Asked.of("x"), TESTER, "tester").voice == "tester"


contents = st.text(max_size=40)


@given(st.lists(st.tuples(st.sampled_from(["system", "developer", "user", "assistant"]), contents), max_size=5))
def test_the_same_request_is_voiced_equally_each_time_and_only_once(turns: list[tuple[str, str]]) -> None:
    asked = Asked(request=Request(tuple(Message(role, content) for role, content in turns)))
    once = voiced(asked, TESTER, "tester")
    assert voiced(asked, TESTER, "tester") == once
    assert voiced(once, TESTER, "tester") == once


@given(contents)
def test_nothing_a_caller_says_is_lost(content: str) -> None:
    asked = Asked(request=Request((Message("system", content), Message("user", content))))
    first, last = voiced(asked, TESTER, "tester").request.messages
    assert first.content.startswith("You test.") and (content in first.content or not content.strip())
    assert last.content == content


def test_built_in_voices_are_there_without_configuration() -> None:
    assert find_voice(Configuration(), "security") is default_voices()["security"]
    assert dict(voices(Configuration())) == dict(default_voices())


def test_a_configured_voice_takes_the_place_of_a_built_in_one() -> None:
    configuration = Configuration(voices={"security": TESTER, "pirate": MUTE})
    assert find_voice(configuration, "security") is TESTER
    assert voices(configuration)["security"] is TESTER and voices(configuration)["pirate"] is MUTE
    assert voices(configuration)["writer"] is default_voices()["writer"]


@pytest.mark.parametrize(
    ("name", "meant"), [("securty", "security"), ("Analyser", "analyzer"), ("implementer", "implementor")]
)
def test_an_unknown_voice_names_the_nearest_one(name: str, meant: str) -> None:
    with pytest.raises(RequestError, match=f"no voice is named '{name}'; did you mean {meant}"):
        find_voice(Configuration(), name)


def test_a_name_near_to_nothing_lists_all_voices() -> None:
    with pytest.raises(RequestError, match=r"there are explorer, .*, writer, pirate$"):
        find_voice(Configuration(voices={"pirate": MUTE}), "qqq")


def test_a_configured_voice_is_found_without_reading_yaml() -> None:
    script = (
        "import sys\n"
        "from turnout.config.schema import Configuration\nfrom turnout.config.voices import Voice\n"
        "from turnout.execution.voices import find_voice\n"
        "find_voice(Configuration(voices={'mine': Voice(system_prompt='x')}), 'mine')\n"
        "print('yaml' in sys.modules)\n"
        "find_voice(Configuration(), 'writer')\n"
        "print('yaml' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.split() == ["False", "True"]
