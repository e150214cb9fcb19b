"""Word pieces: those of the tokenizer that the weights were trained with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.word_pieces import MAX_WORD_CHARACTERS, WordPieces

VOCABULARY = [
    "[PAD]",
    "[UNK]",
    "[CLS]",
    "[SEP]",
    "un",
    "##believ",
    "##able",
    "able",
    "naive",
    "!",
    "?",
    "你",
    "a",
    "##a",
    "ss",
]
UNKNOWN, BEGIN, END = 1, 2, 3


@pytest.fixture(scope="module")
def pieces(tmp_path_factory: pytest.TempPathFactory) -> WordPieces:
    path = tmp_path_factory.mktemp("words") / "vocab.txt"
    path.write_text("\n".join(VOCABULARY) + "\n", encoding="utf-8")
    return WordPieces(path)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("unbelievable", ["un", "##believ", "##able"]),
        ("UNBELIEVABLE!?", ["un", "##believ", "##able", "!", "?"]),
        ("un able", ["un", "able"]),
        ("naïve", ["naive"]),
        ("nai\u0308ve", ["naive"]),
        ("你a你", ["你", "a", "你"]),
        ("un\u200bable\x07", ["un", "##able"]),
        ("un\u00a0able\tun\nable", ["un", "able", "un", "able"]),
        ("unx", ["[UNK]"]),
        ("ß", ["[UNK]"]),
        ("a" * MAX_WORD_CHARACTERS, ["a"] + ["##a"] * (MAX_WORD_CHARACTERS - 1)),
        ("a" * (MAX_WORD_CHARACTERS + 1), ["[UNK]"]),
    ],
)
def test_words_are_cut_into_the_longest_pieces(pieces: WordPieces, text: str, expected: list[str]) -> None:
    assert pieces(text) == [BEGIN, *map(VOCABULARY.index, expected), END]


@given(st.text())
def test_any_text_has_pieces(pieces: WordPieces, text: str) -> None:
    found = pieces(text)
    assert found[0] == BEGIN and found[-1] == END and all(0 <= number < len(VOCABULARY) for number in found)


def test_a_vocabulary_without_marks_is_refused(tmp_path: Path) -> None:
    (tmp_path / "vocab.txt").write_text("a\nb\n")
    with pytest.raises(ValueError, match=r"has no \[CLS\], \[SEP\], \[UNK\]"):
        WordPieces(tmp_path / "vocab.txt")
