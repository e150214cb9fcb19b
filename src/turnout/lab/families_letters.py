"""Families about the letters of one word: their order, how often they occur, what is left without some."""

from __future__ import annotations

from typing import Final

from numpy.random import Generator

from turnout.lab.family import CONSONANTS, VOWELS, Arguments, Family, Sizes, between, pick, size, word, yes_or_no

_LETTERS: Final = CONSONANTS + VOWELS
_WORD: Final[Sizes] = ((3, 3), (4, 4), (5, 5), (6, 7), (8, 9))
_LONG_WORD: Final[Sizes] = ((3, 4), (5, 5), (6, 6), (7, 8), (9, 10))
_REPEATED: Final[Sizes] = ((2, 2), (2, 3), (3, 3), (3, 4), (4, 4))

_NEXT_LETTER: Final = str.maketrans("abcdefghijklmnopqrstuvwxyz", "bcdefghijklmnopqrstuvwxyza")
_NO_VOWELS: Final = str.maketrans("", "", VOWELS)


def _word(chance: Generator, difficulty: int) -> Arguments:
    return (word(chance, size(chance, _WORD, difficulty)),)


def _long_word(chance: Generator, difficulty: int) -> Arguments:
    return (word(chance, size(chance, _LONG_WORD, difficulty)),)


def _counted(chance: Generator, difficulty: int) -> Arguments:
    """A word and a letter, which one time in five is any letter at all."""
    (text,) = _long_word(chance, difficulty)
    return text, pick(chance, _LETTERS if chance.random() < 0.2 else text)


def _replaced(chance: Generator, difficulty: int) -> Arguments:
    (text,) = _long_word(chance, difficulty)
    return text, pick(chance, text), pick(chance, _LETTERS)


def _ending(chance: Generator, difficulty: int) -> Arguments:
    count = difficulty + 1
    return word(chance, count + between(chance, 1, 3)), str(count)


def _repeated(chance: Generator, difficulty: int) -> Arguments:
    return word(chance, size(chance, _REPEATED, difficulty)), str(size(chance, _REPEATED, difficulty))


def _mirrored(chance: Generator, difficulty: int) -> Arguments:
    """A palindrome, or half the time one with a letter changed: the nearest miss."""
    length = size(chance, _WORD, difficulty)
    half = word(chance, (length + 1) // 2)
    text = half + half[::-1][length % 2 :]
    if chance.random() < 0.5:
        where = between(chance, 0, length - 1)
        text = text[:where] + pick(chance, _LETTERS) + text[where + 1 :]
    return (text,)


LETTERS: Final = (
    Family(
        "reverse",
        ("Reverse {0}.", "Spell {0} backwards.", "Write {0} from back to front."),
        _word,
        lambda text: str(text[::-1]),
    ),
    Family(
        "sort_letters",
        ("Sort the letters of {0}.", "Alphabetize {0}.", "Put the letters of {0} in order."),
        _word,
        lambda text: "".join(sorted(text)),
    ),
    Family(
        "count_letter",
        ("How many {1} are in {0}?", "Count the letter {1} in {0}.", "How often does {0} contain {1}?"),
        _counted,
        lambda text, letter: str(text.count(letter)),
    ),
    Family(
        "last_letters",
        ("Last {1} letters of {0}?", "Which {1} letters end {0}?", "Cut {0} down to its last {1} letters."),
        _ending,
        lambda text, count: str(text[-int(count) :]),
    ),
    Family(
        "remove_vowels",
        ("Remove the vowels from {0}.", "Write {0} without vowels.", "Drop a, e, i, o, u from {0}."),
        _long_word,
        lambda text: str(text.translate(_NO_VOWELS)),
    ),
    Family(
        "replace_letter",
        ("Replace {1} with {2} in {0}.", "In {0}, change {1} to {2}.", "Rewrite {0} with {2} for every {1}."),
        _replaced,
        lambda text, old, new: str(text.replace(old, new)),
    ),
    Family(
        "repeat",
        ("Repeat {0} {1} times.", "Write {0} {1} times in a row.", "Join {1} copies of {0}."),
        _repeated,
        lambda text, times: str(text) * int(times),
    ),
    Family(
        "shift",
        ("Next letter for each in {0}?", "Move each letter of {0} up by one.", "Shift {0} by one letter."),
        _word,
        lambda text: str(text.translate(_NEXT_LETTER)),
    ),
    Family(
        "palindrome",
        ("Is {0} a palindrome?", "Does {0} read the same backwards?", "Palindrome or not: {0}?"),
        _mirrored,
        lambda text: yes_or_no(text == text[::-1]),
    ),
)
