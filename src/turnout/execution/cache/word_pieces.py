"""Text to word pieces as BERT's lower-case vocabulary wants them.

Schuster and Nakajima, "Japanese and Korean Voice Search", 2012; the cleaning is that of Devlin and others' tokenizer:
control characters dropped, accents stripped, everything lower case, each punctuation mark and each Chinese character a
word, and each word cut into the longest pieces that the vocabulary has.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Final

MAX_WORD_CHARACTERS: Final = 100

_CHINESE: Final = (
    (0x4E00, 0x9FFF),
    (0x3400, 0x4DBF),
    (0x20000, 0x2A6DF),
    (0x2A700, 0x2B73F),
    (0x2B740, 0x2B81F),
    (0x2B820, 0x2CEAF),
    (0xF900, 0xFAFF),
    (0x2F800, 0x2FA1F),
)


class WordPieces:
    """The vocabulary, one piece a line, as in `vocab.txt`.

    Raises:
        OSError: the file cannot be read.
        ValueError: it holds no marks, or is no text.
    """

    def __init__(self, vocabulary: Path) -> None:
        lines = vocabulary.read_text(encoding="utf-8").split("\n")
        self._pieces = {piece: number for number, piece in enumerate(lines) if piece}
        missing = {"[CLS]", "[SEP]", "[UNK]"} - self._pieces.keys()
        if missing:
            raise ValueError(f"the vocabulary {vocabulary} has no {', '.join(sorted(missing))}")
        self._begin, self._end, self.unknown = (self._pieces[mark] for mark in ("[CLS]", "[SEP]", "[UNK]"))

    def __call__(self, text: str) -> list[int]:
        """The numbers of the pieces, between the marks of begin and end; `unknown` stands for a word it cannot cut."""
        pieces = [self._begin]
        for word in _words(text):
            pieces += self._cut(word)
        pieces.append(self._end)
        return pieces

    def _cut(self, word: str) -> list[int]:
        if len(word) > MAX_WORD_CHARACTERS:
            return [self.unknown]
        pieces: list[int] = []
        start = 0
        while start < len(word):
            prefix = "##" if start else ""
            for end in range(len(word), start, -1):
                number = self._pieces.get(prefix + word[start:end])
                if number is not None:
                    break
            else:
                return [self.unknown]
            pieces.append(number)
            start = end
        return pieces


def _words(text: str) -> Iterator[str]:
    for word in _plain(text).split():
        begun = 0
        for place, character in enumerate(word):
            if _is_punctuation(character):
                if begun < place:
                    yield word[begun:place]
                yield character
                begun = place + 1
        if begun < len(word):
            yield word[begun:]


def _plain(text: str) -> str:
    if text.isascii():
        return "".join(map(_cleaned, text)).lower()
    spaced = "".join(f" {character} " if _is_chinese(character) else _cleaned(character) for character in text)
    decomposed = unicodedata.normalize("NFD", spaced)
    return "".join(character for character in decomposed if unicodedata.category(character) != "Mn").lower()


def _cleaned(character: str) -> str:
    if character in " \t\n\r":
        return " "
    category = unicodedata.category(character)
    if category == "Zs":
        return " "
    return "" if character == "\ufffd" or category in ("Cc", "Cf", "Co", "Cs") else character


def _is_chinese(character: str) -> bool:
    return any(first <= ord(character) <= last for first, last in _CHINESE)


def _is_punctuation(character: str) -> bool:
    code = ord(character)
    ascii_mark = 33 <= code <= 47 or 58 <= code <= 64 or 91 <= code <= 96 or 123 <= code <= 126
    return ascii_mark or unicodedata.category(character).startswith("P")
