"""What matters of a prompt: the words and literals that two prompts must share before one gets the other's answer.

Similarity of sentence vectors does not tell a paraphrase from a prompt that asks for something else: "sort in Java" and
"sort in JavaScript", "accept the offer" and "decline the offer", "from A to B" and "from B to A" lie closer together than
most paraphrases do (`make bench-semantic`). So everything that carries meaning is kept: numbers, code, file names,
quotations, names, negations, quantities, every content word. What falls away is what a polite or hurried person adds or
leaves out: courtesies, articles, auxiliary verbs, capital letters, punctuation, abbreviations.

The word lists are English. In other languages the words have to be the same, capital letters and punctuation aside.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Final

from turnout.execution.cache.courtesy import plain_words, trimmed
from turnout.execution.cache.gist_words import BOUND, DOING, EXPANDED, NAMES, SAME, SOFT

MAX_CHARACTERS: Final = 8000
"""Longer prompts have no gist: what they paste is the question, and two people hardly paste the same."""

_MARK: Final = re.compile("\x00(\\d+)\x00")
_FENCE: Final = re.compile(r"```.*?(?:```|\Z)", re.DOTALL)
_CODE_LINE: Final = re.compile(r"^(?:[ \t]{2,}\S|[^\n]*(?:[{}=;<>|\\$#\[\]]|\w\())[^\n]*$", re.MULTILINE)
_QUOTED: Final = re.compile(
    r"`([^`\n]+)`"
    r'|"([^"\n]+)"'
    r"|“([^“”\n]+)”|„([^„“”\n]+)[“”]|«([^«»\n]+)»|「([^「」\n]+)」|『([^『』\n]+)』"
    r"|(?<![\w=])'([^'\n]+)'(?!\w)"
)
_BEHIND_MARK: Final = re.compile("(?<=\x00) [.,;:?!)]+(?=\\s|$)")
_WORD: Final = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_THOUSANDS: Final = re.compile(r"[1-9]\d{0,2}(?:,\d{3})+")


@dataclass(frozen=True, slots=True)
class Gist:
    """What matters of a prompt.

    `words` are its content words and literals in their order, a quotation or code behind a mark that no word has.
    `bound` are pairs of a word that tells which way or how many, and the word behind it. `wanted` says what is asked for
    where a verb says it: something made, something explained. `literals` are those of the words that are more than
    letters: numbers, code, quotations, names with marks in them.
    """

    words: tuple[str, ...]
    bound: tuple[tuple[str, str], ...] = ()
    wanted: frozenset[str] = frozenset()
    literals: tuple[str, ...] = ()


def gist(prompt: str) -> Gist | None:
    """What matters of a prompt; None where that is nothing, or it is longer than `MAX_CHARACTERS`."""
    if len(prompt) > MAX_CHARACTERS or "\x00" in prompt:
        return None
    aside: list[str] = []
    text = _set_aside(unicodedata.normalize("NFC", prompt).strip(), aside)
    words: list[str] = []
    bound: list[tuple[str, str]] = []
    wanted: set[str] = set()
    waiting: list[str] = []
    for number, raw in enumerate(plain_words(text)):
        mark = _MARK.fullmatch(raw)
        for word, soft in [("\x00" + aside[int(mark[1])], False)] if mark else _read(raw, first=number == 0):
            if word in DOING:
                wanted.add(DOING[word])
            if not soft:
                words.append(word)
                bound += [(way, word) for way in waiting]
                waiting = []
            if word in BOUND:
                waiting.append(word)
    if not words:
        return None
    literals = tuple(word for word in words if not word.isalpha())
    return Gist(tuple(words), tuple(bound), frozenset(wanted), literals)


def _set_aside(text: str, aside: list[str]) -> str:
    """The text with a mark for each literal: blocks of code, lines that look like code among several, quotations."""

    def mark(match: re.Match[str]) -> str:
        inner = next(filter(None, match.groups()), match[0])  # one kind of quotation mark is as good as another
        aside.append(_MARK.sub(lambda nested: aside[int(nested[1])], inner))
        return f" \x00{len(aside) - 1}\x00 "

    text = _FENCE.sub(mark, text)
    if "\n" in text:
        text = _CODE_LINE.sub(mark, text)
    return _BEHIND_MARK.sub(" ", _QUOTED.sub(mark, text))


def _read(raw: str, *, first: bool) -> list[tuple[str, bool]]:
    """The words that one piece of text stands for, each with whether it may come and go."""
    kept = trimmed(raw)
    word = kept.lower()
    if word in EXPANDED and (kept.isupper() or kept == word):
        return [(_stem(part), part in SOFT) for part in EXPANDED[word]]
    if kept.isupper() and word in NAMES and (len(kept) > 1 or not first):
        return [(kept, False)]  # the department IT, vitamin A
    if word in SAME or _WORD.fullmatch(kept):
        known = SAME.get(word) or SAME.get(word.removesuffix("s"), word)
        return [(_stem(known), known in SOFT or word in SOFT)]
    if _THOUSANDS.fullmatch(kept):
        return [(kept.replace(",", ""), False)]
    return [(kept, False)] if kept not in ("", "-", "–", "—") else []


def _stem(word: str) -> str:
    """Without the endings that change with the way a thing is asked: -s, -ing, -ed."""
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-3] + "y" if word.endswith("ies") and len(word) > 4 else word[:-1]
    for ending in ("ing", "ed"):
        if word.endswith(ending) and len(word) - len(ending) >= 4:
            word = word[: -len(ending)]
            return (word[:-1] if word[-1] == word[-2] and word[-1] not in "ls" else word).rstrip("e")
    return word.rstrip("e") if len(word) > 4 else word
