"""Which of several answers say the same, and how many agree (Wang et al., "Self-Consistency Improves Chain of Thought
Reasoning in Language Models", 2023).

Answers are compared by a canonical form: calls of tools and JSON by their content, the final answer where one is marked
("Answer: 12", "#### 12", a box of LaTeX), a number by its value, code without its surroundings, other text without the
marks that change nothing. Two forms that differ count as two opinions, so the forms stay cautious.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from turnout.execution.judging.fences import find_fences, outside
from turnout.types import Answer

PRIOR_VOTES: Final = 2.0
"""How many other answers a judged confidence weighs as much as. Chosen, not measured: 5 of 5 at .7 become .9, 3 of 5
.57."""

_LOOKED_AT_LINES: Final = 40
_LONGEST_LINE: Final = 500
_MOST_DIGITS: Final = 28  # as many as a decimal holds

_ANSWER_WORD: Final = r"(?:answer|antwort|réponse|respuesta|risposta|resposta|antwoord|odpowiedź)"
_MARKED: Final = re.compile(
    rf"^[\s>*_#-]{{0,12}}(?:the\s|final\s|die\s|la\s|endgültige\s){{0,3}}{_ANSWER_WORD}[*_]{{0,3}}\s?[:：=][*_]{{0,3}}(.*)$",
    re.IGNORECASE,
)
_STATED: Final = re.compile(r"\b(?:the|final)\s(?:final\s)?answer\sis:?\s+(\S.*)$", re.IGNORECASE)
_HASHES: Final = re.compile(r"^\s{0,12}####\s*(-?[\d$€£].*)$")
_BOXED: Final = re.compile(r"\\boxed\{((?:[^{}]++|\{[^{}]*+\})*+)\}")
_NUMBER: Final = re.compile(
    r"(?P<sign>[-+−]?)[$€£]?\s?(?P<digits>(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?|\.\d+)(?P<exponent>e[-+]?\d{1,3})?\s?(?P<unit>[%°]?)",
    re.IGNORECASE,
)
_CHOICE: Final = re.compile(r"\(?([A-J])[).:]\s[^\n]*")
_PAIRS: Final = (
    *(("**", "**"), ("*", "*"), ("`", "`"), ("$", "$"), ('"', '"'), ("'", "'")),
    *(("“", "”"), ("‘", "’"), ("«", "»"), ("(", ")")),
)
_EXCLAIMED: Final = re.compile(r"(?<=[^\W\d_]{2})!+\Z")  # 5! and n! are other numbers than 5 and n


@dataclass(frozen=True, slots=True)
class Vote:
    """The answers that agree, by their places, and which share of all they are (0 to 1)."""

    agreeing: tuple[int, ...]
    agreement: float


def vote(answers: Sequence[Answer], confidences: Sequence[float]) -> Vote:
    """The largest group of answers that say the same; between equal ones that whose confidences add up to more, then
    the earlier."""
    groups: dict[Hashable, list[int]] = {}
    for place, answer in enumerate(answers):
        groups.setdefault(canonical(answer), []).append(place)
    largest = max(groups.values(), key=lambda group: (len(group), sum(confidences[place] for place in group)))
    return Vote(tuple(largest), len(largest) / len(answers))


def agreed_confidence(confidence: float, votes: int, answers: int) -> float:
    """The probability that an answer is good when `votes` of `answers` answers say the same, its own among them.

    The mean of a beta distribution: the judged confidence is worth `PRIOR_VOTES` votes, every other answer is one for
    or against. One answer alone stays as it was judged.
    """
    return (votes - 1 + PRIOR_VOTES * confidence) / (answers - 1 + PRIOR_VOTES)


def canonical(answer: Answer) -> Hashable:
    """A form that is equal for answers that say the same."""
    if answer.tool_calls:
        return ("calls", *((call.name, _json_form(call.arguments) or call.arguments) for call in answer.tool_calls))
    text = unicodedata.normalize("NFC", answer.text).strip()
    fences = find_fences(text)
    code = [fence.code for fence in fences]
    whole = code[0] if len(code) == 1 else text
    if form := _json_form(whole):
        return form
    prose = outside(text, fences)
    if (final := _final(prose)) is not None:
        return _short_form(final, marked=True)
    if code:
        return ("code", *("\n".join(line.rstrip() for line in piece.strip("\n").splitlines()) for piece in code))
    return _short_form(text)


def _json_form(text: str) -> tuple[str, str] | None:
    """Objects and lists by their content: order of keys and the way numbers are written make no difference."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return "json", json.dumps(_plain(json.loads(text)), sort_keys=True)
    except (ValueError, RecursionError):
        return None


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _final(prose: str) -> str | None:
    """What is marked as the answer, the last such mark; None where nothing is."""
    below: list[str] = []
    for line in reversed(prose.splitlines()[-_LOOKED_AT_LINES:]):
        line = line[-_LONGEST_LINE:]
        if boxed := _BOXED.findall(line):
            return str(boxed[-1])
        for pattern in (_MARKED, _HASHES, _STATED):
            if found := pattern.search(line):
                said = found[1].strip() or (below[0] if len(below) == 1 else "")
                if said:
                    return said
        if line.strip():
            below.append(line.strip())
    return None


def _short_form(text: str, *, marked: bool = False) -> tuple[str, str]:
    """A number by its value, a marked choice by its letter, other text in lower case without marks around it."""
    text = _bare(text)
    if number := _NUMBER.fullmatch(text):
        return "number", _value(number) + number["unit"]
    if marked and (choice := _CHOICE.fullmatch(text)):
        text = choice[1]
    if len(text) == 2 and text[0].isalpha() and text[1] == ")":
        text = text[0]
    return "text", " ".join(text.casefold().split())


def _bare(text: str) -> str:
    """Without quotation marks, emphasis and brackets around the whole, and without what ends a sentence."""
    before = None
    while text != before:
        before = text
        text = _EXCLAIMED.sub("", text.strip().rstrip(".,;:")).rstrip()
        for opening, closing in _PAIRS:
            inner = text[len(opening) : -len(closing)]
            around = text.startswith(opening) and text.endswith(closing)
            if around and inner and opening not in inner and closing not in inner:
                text = inner
    return text


def _value(number: re.Match[str]) -> str:
    """The value in one spelling; a very long one as it stands."""
    digits = number["digits"].replace(",", "")
    sign = "-" if number["sign"] in ("-", "−") else ""
    if len(digits) > _MOST_DIGITS:
        return f"{sign}{digits}"
    value = Decimal(f"{sign}{digits}{number['exponent'] or ''}").normalize()
    return str(value if value else Decimal(0))
