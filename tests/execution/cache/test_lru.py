"""Entries within their bounds, the least recently used giving way: the same as a plain list would do."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.lru import Entry, Lru

steps = st.lists(
    st.one_of(
        st.tuples(st.just("add"), st.sampled_from("abcdef"), st.integers(0, 7)),
        st.tuples(st.just("get"), st.sampled_from("abcdef"), st.just(0)),
        st.tuples(st.just("remove"), st.sampled_from("abcdef"), st.just(0)),
        st.tuples(st.just("add_oldest"), st.sampled_from("abcdef"), st.integers(0, 7)),
    ),
    max_size=40,
)


@given(steps, st.integers(1, 4), st.integers(1, 12))
def test_it_keeps_what_a_plain_list_would_keep(steps: list[tuple[str, str, int]], most: int, most_bytes: int) -> None:
    lru: Lru[str] = Lru(most, most_bytes)
    plain: list[tuple[str, int]] = []  # the least recently used first
    for step, key, size in steps:
        known = dict(plain)
        if step == "add":
            gone = [name for name, _ in lru.add(key, Entry(key, size, 0.0))]
            plain = [pair for pair in plain if pair[0] != key]
            expected = []
            if size > most_bytes:
                expected = [key]
            else:
                plain.append((key, size))
                while len(plain) > most or sum(size for _, size in plain) > most_bytes:
                    expected.append(plain.pop(0)[0])
            assert gone == expected
        elif step == "get":
            entry = lru.get(key)
            assert (entry is not None) == (key in known)
            if entry is not None:
                plain = [*[pair for pair in plain if pair[0] != key], (key, known[key])]
        elif step == "remove":
            assert (lru.remove(key) is not None) == (key in known)
            plain = [pair for pair in plain if pair[0] != key]
        elif key not in known:
            room = len(plain) < most and sum(known.values()) + size <= most_bytes
            assert lru.add_oldest(key, Entry(key, size, 0.0)) is room
            plain = [(key, size), *plain] if room else plain
        assert len(lru) == len(plain) <= most
        assert lru.size_bytes == sum(size for _, size in plain) <= most_bytes
        assert lru.beginning_with("") == [name for name, _ in plain]


def test_looking_without_using_changes_no_order() -> None:
    lru: Lru[str] = Lru(2, 100)
    lru.add("a", Entry("a", 1, 0.0))
    lru.add("b", Entry("b", 1, 0.0))
    assert lru.peek("a") is not None and "a" in lru
    assert [key for key, _ in lru.add("c", Entry("c", 1, 0.0))] == ["a"]


def test_keys_are_found_by_how_they_begin() -> None:
    lru: Lru[str] = Lru(9, 100)
    for key in ("ab1", "ab2", "b"):
        lru.add(key, Entry(key, 1, 0.0))
    assert lru.beginning_with("ab") == ["ab1", "ab2"]
