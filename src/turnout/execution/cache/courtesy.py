"""What is said for courtesy is taken off a prompt before its words are compared; English, and only where it says nothing.

A part of a sentence that holds nothing but words of courtesy goes ("Thanks in advance for any help!", "if it isn't too
much trouble"), and so do the words of courtesy that open or close what is left ("could you possibly tell me ...").
"""

from __future__ import annotations

import re
from typing import Final

from turnout.execution.cache.gist_words import CLOSING_WEIGHTY, COMPOSED, COURTESY, EXCUSING, LIMITING, OPENERS, WEIGHTY

_PART: Final = re.compile(r"(?<=[^\s.])(?:[,.;:?()…]+|(?<!\d)!+)(?=\s|$)|\s[-–—]\s|\n+")
_SMILEY: Final = re.compile(r"(?<!\S)[:;]-?[)(DP](?!\S)")
_NOT: Final = re.compile(r"\b(?:(can)not|([a-z]+)n't)\b", re.IGNORECASE)
_STEMS: Final = {"ca": "can", "wo": "will", "sha": "shall"}
_IF_YOU: Final = re.compile(r"\bif (?=(?:you|u) (?:can|could|would)\b)", re.IGNORECASE)
_HOW_TO: Final = re.compile(
    r"(?:(?:please )?explain (?:to me )?)?how (?:to|(?:do|can|could|would|should) (?:i|we|one|you)|(?:i|we|one) can) ",
    re.IGNORECASE,
)
_QUESTION: Final = re.compile(r"(?:is|are|am|do|does|can|could|should|will|would|may|must|has|have)\b", re.IGNORECASE)
_BEFORE: Final = "\"'“„«¿¡(（「『"
_BEHIND: Final = ".,;:!?…\"'”“»)）。、，！？」』"


def trimmed(word: str) -> str:
    """A word without the punctuation around it. What may be code stays: -i, .so, and the mark of a factorial."""
    kept = word.lstrip(_BEFORE).rstrip(_BEHIND)
    if not kept:
        return word if word in (".", "..") else ""
    return f"{kept}!" if kept[-1].isdigit() and word.endswith("!") else kept


def plain_words(text: str) -> list[str]:
    """The words that say something, punctuation still on them.

    "whether" comes first where a yes or no is asked for, "how-to" where it is asked how to do what an assistant could do
    itself. Elsewhere the question how something is done and the order to do it are the same.
    """
    text = _IF_YOU.sub("", _SMILEY.sub(" ", text.replace("’", "'")))
    text = _NOT.sub(lambda match: f"{_verb(match[1] or match[2])} not", text)
    parts = [words for part in _PART.split(text) if (words := part.split())]
    said = [words for words in parts if not _says_nothing(words)]
    if not said:
        return text.split()
    opening = said[0]
    begin = _opening(opening)
    spoken_to = any(trimmed(word).lower() in ("you", "u", "me") for word in opening[:begin])
    asks = not spoken_to and _QUESTION.match(opening[0]) is not None
    said[0] = [word for word in opening[:begin] if trimmed(word).lower() in WEIGHTY] + opening[begin:]
    said[-1] = _without_closing(said[-1])
    plain = " ".join(word for words in said for word in words)
    if how := _HOW_TO.match(plain):
        words = plain[how.end() :].split()
        return ["how-to", *words] if words and trimmed(words[0]).lower() in COMPOSED else words
    return ["whether", *plain.split()] if asks else plain.split()


def _is_courteous(word: str) -> bool:
    kept = trimmed(word)
    return kept.lower() in COURTESY and not (len(kept) > 1 and kept.isupper())  # IT is a department


def _says_nothing(words: list[str]) -> bool:
    if not all(map(_is_courteous, words)):
        return False
    found = {trimmed(word).lower() for word in words}
    return not found & LIMITING or bool(found & EXCUSING)


def _opening(words: list[str]) -> int:
    """How many words of courtesy stand in front."""
    count = 0
    while count < len(words) - 1 and _is_courteous(words[count]) and trimmed(words[count]).lower() not in OPENERS:
        count += 1
    return count


def _without_closing(words: list[str]) -> list[str]:
    count = len(words)
    while count > 1 and _is_courteous(words[count - 1]) and trimmed(words[count - 1]).lower() not in CLOSING_WEIGHTY:
        count -= 1
    return words[:count]


def _verb(stem: str) -> str:
    return _STEMS.get(stem.lower(), stem)
