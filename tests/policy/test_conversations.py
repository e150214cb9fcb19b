"""What is remembered of a conversation, for how long, and how much of it a follow-up inherits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from turnout.policy.conversations import INHERITED, Conversations, inherited


class Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def conversations(clock: Clock) -> Conversations:
    return Conversations(capacity=3, now=clock)


def test_the_last_turn_is_remembered(conversations: Conversations) -> None:
    assert conversations.last("c") is None
    conversations.note("c", "a/one", {"a/one": 0.4}, 10)
    conversations.note("c", "a/two", {"a/two": 0.6}, 20)
    turn = conversations.last("c")
    assert turn is not None
    assert (turn.candidate, turn.p_success, turn.tokens) == ("a/two", {"a/two": 0.6}, 20)


def test_conversations_do_not_mix(conversations: Conversations) -> None:
    conversations.note("c", "a/one", {}, 10)
    assert conversations.last("d") is None


def test_a_conversation_is_forgotten_after_its_time(conversations: Conversations, clock: Clock) -> None:
    conversations.note("c", "a/one", {}, 10)
    clock.now_s += 60
    assert conversations.last("c", forget_after_s=60) is not None
    clock.now_s += 0.1
    assert conversations.last("c", forget_after_s=60) is None


def test_every_turn_keeps_a_conversation_fresh(conversations: Conversations, clock: Clock) -> None:
    for _ in range(5):
        conversations.note("c", "a/one", {}, 10)
        clock.now_s += 50
        assert conversations.last("c", forget_after_s=60) is not None


def test_the_one_without_a_turn_for_longest_is_forgotten_first(conversations: Conversations) -> None:
    for name in ("c", "d", "e", "c", "f"):
        conversations.note(name, "a/one", {}, 10)
    assert [name for name in "cdef" if conversations.last(name) is not None] == ["c", "e", "f"]


def test_who_answered_in_the_end_is_who_knows_the_conversation(conversations: Conversations, clock: Clock) -> None:
    conversations.note("c", "a/one", {"a/one": 0.4}, 10)
    clock.now_s += 5
    conversations.correct("c", "a/two")
    turn = conversations.last("c")
    assert turn is not None
    assert (turn.candidate, turn.p_success, turn.tokens, turn.at_s) == ("a/two", {"a/one": 0.4}, 10, 100.0)


def test_a_correction_of_an_unknown_conversation_changes_nothing(conversations: Conversations) -> None:
    conversations.correct("c", "a/two")
    assert conversations.last("c") is None


def test_threads_may_note_at_once_and_no_more_than_the_capacity_is_kept(conversations: Conversations) -> None:
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda n: conversations.note(f"c{n}", "a/one", {}, n), range(500)))
    assert sum(conversations.last(f"c{n}") is not None for n in range(500)) == 3


# Inheriting


def test_the_longer_a_follow_up_the_less_it_inherits() -> None:
    shares = [inherited(" ".join(["word"] * count)) for count in (1, 2, 5, 10, 25, 100)]
    assert shares == sorted(shares, reverse=True)
    assert INHERITED > shares[0] > 0.6
    assert shares[2] > 0.45
    assert shares[4] < 0.15
    assert shares[5] < 0.01


@pytest.mark.parametrize("prompt", ["commit it", "yes", "go on", "do the same for the tests"])
def test_a_short_follow_up_inherits_most_of_the_turn_before(prompt: str) -> None:
    assert inherited(prompt) > 0.45


@pytest.mark.parametrize(
    "prompt",
    [
        "\n".join(f"import_{n}" for n in range(200)),
        "\t".join(["cell"] * 200),
        "请检查这个分布式锁为什么在故障转移时会死锁，并且说明如何在不停机的情况下修复它" * 5,
    ],
    ids=["lines", "tabs", "Chinese"],
)
def test_a_long_prompt_without_blanks_stands_on_its_own(prompt: str) -> None:
    assert inherited(prompt) < 0.1
