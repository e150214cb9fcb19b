"""Names of n-gram buckets: the words of the prompt at hand, cut exactly as the features cut them."""

from __future__ import annotations

from binascii import crc32
from itertools import combinations, count

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.features import extract
from turnout.features.ngrams import MAX_WORDS, ngram_buckets
from turnout.features.terms import name_buckets, spell_words
from turnout.features.text import read_prompt
from turnout.features.words import read_words

TEXT = st.text(st.characters()) | st.lists(
    st.sampled_from(
        ["Don't", "c++", "3.14", "1,000", "a.b-c'd", "für", "Straße", "İ", "ΑΣ", "ǰ", "変数", "é", "한국어", "-", "ไทย"]
    )
).map(" ".join)


def bucket_of(word: str) -> int:
    return int(ngram_buckets(np.array([crc32(word.encode())], np.uint32))[0][0])


def first_names(prompt: str) -> set[str]:
    return {terms[0] for terms in name_buckets(prompt).values()}


def agrees(prompt: str) -> None:
    """Every word has the hash of its record; every bucket has a name, and each name hashes to its bucket."""
    raw = read_prompt(prompt).raw
    assert [crc32(word.encode()) for word in spell_words(raw)] == read_words(raw)["hash"].tolist()
    named = name_buckets(prompt)
    assert sorted(named) == extract(prompt).buckets.tolist()
    for bucket, terms in named.items():
        assert len(set(terms)) == len(terms) > 0
        for term in terms:
            words = spell_words(term.encode())
            hashed = ngram_buckets(np.array([crc32(word.encode()) for word in words], np.uint32))[0]
            assert bucket in hashed and len(words) in (1, 2)


@given(TEXT)
def test_any_text_is_named_as_it_was_hashed(prompt: str) -> None:
    agrees(prompt)


def test_hostile_prompts_are_named_as_they_were_hashed(hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        agrees(prompt)


def test_real_prompts_are_named_as_they_were_hashed(prompts: tuple[str, ...]) -> None:
    for prompt in prompts[::5]:
        agrees(prompt)


@pytest.mark.parametrize(
    ("prompt", "names"),
    [
        ("Race, RACE condition!", {"race", "condition", "race race", "race condition"}),
        ("don't (use) C++", {"don't", "use", "c++", "don't use", "use c++"}),
        ("Grüße\u00a0aus KÖLN", {"grüße", "aus", "köln", "grüße aus", "aus köln"}),
        ("Почему МЬЮТЕКС", {"почему", "мьютекс", "почему мьютекс"}),
        ("变量 usr", {"变", "量", "usr", "变量", "量 usr"}),
        ("락이 왜", {"락이", "왜", "락이 왜"}),
        ("لماذا القفل", {"لماذا", "القفل", "لماذا القفل"}),
        ("3.14 🐛 7", {"3.14", "7", "3.14 7"}),
        ("x", {"x"}),
        ("", set()),
        (" ... \ud800 \x00", set()),
    ],
)
def test_names_are_the_words_of_the_prompt_in_any_script(prompt: str, names: set[str]) -> None:
    assert first_names(prompt) == names


def test_of_several_terms_in_one_bucket_the_most_frequent_comes_first() -> None:
    by_bucket: dict[int, str] = {}
    for number in count():
        word = f"w{number}"
        other = by_bucket.setdefault(bucket_of(word), word)
        if other != word:
            break
    assert name_buckets(f"{word} {other} {word}")[bucket_of(word)] == (word, other)
    assert name_buckets(f"{word} {other} {other}")[bucket_of(word)] == (other, word)
    assert name_buckets(f"{word} {other}")[bucket_of(word)] == (word, other), "equally many: the first"


def test_a_long_prompt_is_named_by_its_head_and_its_tail() -> None:
    words = [f"{chr(97 + number // 26 % 26)}{chr(97 + number % 26)}" for number in range(26 * 26)]
    prompt = " ".join([*words, *(f"{first}{first}x" for first in words)])
    agrees(prompt)
    kept = [*spell_words(read_prompt(prompt).raw)]
    assert len(kept) > MAX_WORDS
    head, tail = kept[: MAX_WORDS * 2 // 3], kept[-(MAX_WORDS // 3) :]
    named = {term for terms in name_buckets(prompt).values() for term in terms}
    assert {*head, *tail, f"{head[-1]} {tail[0]}"} <= named
    assert not named & {*kept} - {*head, *tail}


def test_few_buckets_of_a_long_prompt_hold_two_terms() -> None:
    rng = np.random.default_rng(0)
    prompt = " ".join("".join(rng.choice(list("bcdfghklmnprst"), 6)) for _ in range(MAX_WORDS))
    shared = [terms for terms in name_buckets(prompt).values() if len(terms) > 1]
    assert len(shared) < 20
    assert all(first != second for terms in shared for first, second in combinations(terms, 2))
