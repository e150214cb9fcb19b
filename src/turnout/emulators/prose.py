"""The words that answers are made of: sentences, code, refusals, and characters that break careless parsers."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping
from typing import Final

from turnout.emulators.chance import draw, pick

_SENTENCES: Final = (
    "Start from the smallest case that still shows it, then widen one step at a time.",
    "Two things decide the matter: what comes in, and the order in which it is read.",
    "The usual mistake is to change both ends at once and to measure neither.",
    "Keep the names short, say the units, and let the type checker do the reading.",
    "If the first attempt fails, write down what was expected before trying again.",
    "Most of the time is spent waiting, so look at the queue before the work itself.",
    "A test that fails for the right reason is worth more than three that pass.",
    "It helps to draw the states on paper and to count the arrows between them.",
    "Where two rules disagree, the stricter one is easier to loosen later.",
    "Nothing here depends on the clock, which makes it simple to repeat.",
)
_UNUSUAL_SENTENCES: Final = (
    "A café in Zürich, a naïve plan and 東京駅 keep their letters on every line.",
    "Small wins count 🚆🎉 and so do the tracks behind them.",
    "First half\u2028second half: U+2028 parts them, and that is no new line of the protocol.",
    "An old mainframe parts lines\u0085with U+0085, which belongs to the text as well.",
)
_UNUSUAL_SHARE: Final = 0.12

_REFUSALS: Final = (
    "I'm sorry, but I can't help with that request.",
    "As a language model I am not able to answer this.",
)
_HEDGES: Final = ("I am not sure, but ", "This is only a guess: ", "It might be the case that ")

_ASKS_FOR_CODE: Final = re.compile(
    r"\b(code|function|class|script|implement|program|refactor|snippet|regex|query|unit tests?|method|algorithm)\b",
    re.I,
)
_LANGUAGE: Final = re.compile(
    r"\b(python|javascript|typescript|rust|golang|go|java|sql|bash|c\+\+|ruby|kotlin|swift|php|html|css|yaml)(?![\w+])",
    re.I,
)
_BODIES: Final[Mapping[str, str]] = {
    "python": 'def solve(items: list[str]) -> str:\n    """Name the track."""\n    return "{word}" if items else ""',
    "javascript": 'export function solve(items) {\n  return items.length ? "{word}" : "";\n}',
    "typescript": 'export function solve(items: string[]): string {\n  return items.length ? "{word}" : "";\n}',
    "rust": 'pub fn solve(items: &[String]) -> &str {\n    if items.is_empty() { "" } else { "{word}" }\n}',
    "go": 'func Solve(items []string) string {\n\tif len(items) == 0 {\n\t\treturn ""\n\t}\n\treturn "{word}"\n}',
    "java": 'static String solve(List<String> items) {\n    return items.isEmpty() ? "" : "{word}";\n}',
    "sql": "SELECT track, count(*) AS trains\nFROM departures\nWHERE track = '{word}'\nGROUP BY track;",
    "bash": '#!/usr/bin/env bash\nset -euo pipefail\necho "{word}"',
}
_OTHER_BODY: Final = 'solve = "{word}"'
_LANGUAGE_NAMES: Final = {"golang": "go", "c++": "cpp"}


def topic_of(prompt: str) -> str:
    """A few words of the prompt that say what it is about."""
    words = dict.fromkeys(re.findall(r"[^\W\d_]{5,20}", prompt[:2000].lower()))
    return " ".join(sorted(words, key=len, reverse=True)[:3]) or "this"


def sentences(*purpose: object) -> Iterator[str]:
    """Sentences without end; about one in eight holds characters beyond ASCII."""
    before = ""
    for place in itertools.count():
        unusual = draw("unusual", place, *purpose) < _UNUSUAL_SHARE
        some = [sentence for sentence in (_UNUSUAL_SENTENCES if unusual else _SENTENCES) if sentence != before]
        before = pick(some, "sentence", place, *purpose)
        yield before


def code_language(prompt: str) -> str | None:
    """The language in which code is asked for, python unless one is named; None when no code is asked for."""
    named = _LANGUAGE.search(prompt)
    if named is None:
        return "python" if _ASKS_FOR_CODE.search(prompt) else None
    language = named[0].lower()
    if language == "go" and not _ASKS_FOR_CODE.search(prompt):
        return None  # far more often the verb
    return _LANGUAGE_NAMES.get(language, language)


def code_block(language: str, word: str) -> str:
    """A fenced block that holds the code word."""
    return f"```{language}\n{_BODIES.get(language, _OTHER_BODY).replace('{word}', word)}\n```"


def refusal(*purpose: object) -> str:
    """A polite no."""
    return pick(_REFUSALS, "refusal", *purpose)


def hedge(*purpose: object) -> str:
    """The beginning of a sentence that its speaker does not believe."""
    return pick(_HEDGES, "hedge", *purpose)
