"""No fold splits a prompt or a conversation."""

from __future__ import annotations

import numpy as np

from turnout.learning.groups import MOST_JOINED, group_rows


def groups(conversations: list[int], *prompts: list[int]) -> list[int]:
    return group_rows(np.array(conversations, np.uint64), np.array(prompts, np.uint64).T).tolist()


def test_rows_of_a_conversation_or_a_prompt_are_one_group_also_through_others() -> None:
    found = groups([7, 7, 0, 0, 8], [1, 2, 2, 3, 4])
    assert found[0] == found[1] == found[2] and len(set(found)) == 3


def test_either_key_of_a_prompt_is_enough() -> None:
    found = groups([0, 0, 0, 0], [1, 1, 2, 3], [9, 0, 9, 5])
    assert found[0] == found[1] == found[2] != found[3]


def test_rows_without_a_key_are_on_their_own() -> None:
    assert groups([0, 0, 0], [0, 0, 0]) == [0, 1, 2]


def test_equal_keys_of_different_kinds_join_nothing() -> None:
    assert len(set(groups([5, 0], [0, 5]))) == 2


def test_a_prompt_of_many_conversations_joins_none_of_them() -> None:
    many = MOST_JOINED + 1
    conversations = [*range(1, many + 1), 0, 0]
    found = groups(conversations, [77] * (many + 2))
    assert len(set(found[:many])) == many and found[-1] == found[-2]


def test_no_rows_have_no_groups() -> None:
    assert group_rows(np.zeros(0, np.uint64), np.zeros((0, 2), np.uint64)).tolist() == []
