"""What the words of a prompt let one expect of its answer: code in a named language, a length, the prompt's own script.

Only what is said plainly counts; everything else is unknown. Patterns see the head and the tail of a prompt, in lower case.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from turnout.execution.judging.fences import Fence

HEAD_CHARS: Final = 600
TAIL_CHARS: Final = 300

_LANGUAGES: Final = {
    "python": "python py python3 ipython pycon",
    "javascript": "javascript js jsx mjs node",
    "typescript": "typescript ts tsx",
    "react": "jsx tsx javascript typescript js ts react",
    "java": "java",
    "c++": "c++ cpp cc hpp cxx",
    "c#": "c# csharp cs",
    "go": "go golang",
    "rust": "rust rs",
    "kotlin": "kotlin kt kts",
    "swift": "swift",
    "ruby": "ruby rb",
    "php": "php",
    "scala": "scala",
    "haskell": "haskell hs",
    "lua": "lua",
    "bash": "bash sh shell zsh",
    "powershell": "powershell ps1 pwsh",
    "sql": "sql mysql postgresql postgres sqlite plsql tsql",
    "matlab": "matlab octave",
    "dart": "dart",
    "julia": "julia jl",
    "elixir": "elixir ex exs",
    "perl": "perl pl",
}
"""Languages as prompts name them, each with the labels of fences that are meant by it."""

_ALIASES: Final = {
    "js": "javascript",
    "ts": "typescript",
    "py": "python",
    "golang": "go",
    "csharp": "c#",
    "cpp": "c++",
    "shell": "bash",
}
_PROGRAMMING: Final = frozenset(label for labels in _LANGUAGES.values() for label in labels.split())
_HINTS: Final = (
    *(
        "python",
        "script",
        "react",
        "java",
        "golang",
        "rust",
        "kotlin",
        "swift",
        "ruby",
        "scala",
        "haskell",
        "shell",
        "bash",
    ),
    *("matlab", "dart", "julia", "elixir", "perl", "c++", "c#", "cpp", "csharp", "php", "lua", "sql"),
    *(" go ", " go\n", " js ", " ts ", " py "),
)
"""One of these stands in every prompt that asks for code in a language; looking for them is quicker than the patterns."""

_SPELLINGS: Final = sorted((re.escape(name) for name in (*_LANGUAGES, *_ALIASES)), key=len, reverse=True)
_NAMES: Final = rf"(?<![\w+#.])(?:{'|'.join(_SPELLINGS)})(?![\w+#]|\.\w)"
_NAME: Final = re.compile(_NAMES)
_THINGS: Final = tuple(
    "function script class program snippet code query method module component one-liner decorator macro hook struct enum cli "
    "funktion klasse skript programm fonction classe programme función clase funzione função consulta".split()
)
_THING: Final = rf"(?:{'|'.join(_THINGS)})\b"
_MAKE: Final = (
    r"\b(?:write|implement|create|generate|code|give me|show me|i need|make|schreib\w*|erstelle?|implementiere?|écris|écrivez"
    r"|crée|escribe|crea|implementa|scrivi|escreva|crie|napisz|schrijf|yaz)\b"
    r" (?:(?:an?|the|me|some|us|eine?n?|une?|una|een) ){0,2}"
)
_MAKERS: Final = (
    *("write", "implement", "create", "generate", "code", "give me", "show me", "i need", "make", "schreib", "erstell"),
    *("écri", "crée", "escribe", "crea", "scriv", "escrev", "crie", "napisz", "schrijf", "yaz"),
)
"""One of these stands wherever `_MAKE` matches."""

_BROKEN_THING: Final = (
    r"(?! (?:fails?|does|is|throws|returns|won't|not|gives|crash|keeps|takes|runs|that (?:fails|crash)))"
)
_CODE_ASKED: Final = re.compile(
    rf"{_MAKE}[^.?!\n]{{0,40}}?{_NAMES} (?:\w+ )?{_THING}"
    rf"|{_MAKE}(?:[\w-]+ ){{0,3}}{_THING}[^.?!\n]{{0,60}}? (?:in|using|en|with|mit) {_NAMES}"
)
_CODE_NAMED: Final = re.compile(rf" ?(?:an? )?{_NAMES} (?:\w+ )?{_THING}{_BROKEN_THING}")
"""How a prompt begins that is nothing but the name of what is wanted."""

_NO_CODE: Final = re.compile(
    r"\b(?:no|without|don't (?:write|show|give)|not) (?:any )?code\b|pseudo-?code|\bexplain|\bwhat does|\bwhy\b|\breview"
    r"|\bname (?:a|the|two|three)"
)
_CODE_LINE: Final = re.compile(
    r"^[ \t]*(?:def |class |import |from [\w.]+ import|function\b|const |let |var |#include|public |private |package |fn "
    r"|func |use |select |insert |update |create |with |<\?php|#!|[\w.]{1,60}[ \t]*=[ \t]*\S)"
    r"|[;{}][ \t]*$|\w\([^)\n]{0,80}\)|`[^`\n]{3,80}`",
    re.MULTILINE | re.IGNORECASE,
)

_LENGTH_WORDS: Final = (
    *("word", "sentence", "yes or no", "wort", "satz", "sätze", "phrase", "mot", "frase", "palabra", "ja oder nein"),
)
"""Few prompts hold one of these. The next three tell which of the slower patterns can match."""

_WORDS_NAMED: Final = (" word", "-word", " wort", " wörter", " mot", " palabra")
_YES_NO_NAMED: Final = ("yes or no", "ja oder nein")
_SENTENCES_NAMED: Final = (" sentence", " satz", " phrase", " frase")
_ONE_WORD: Final = re.compile(
    r"\b(?:in|with|using|only|just|exactly|mit|en|con) (?:only |just |exactly |nur )?"
    r"(?:one|a single|1|einem|un seul|un|una sola|una) (?:word|wort|mot|palabra)\b(?! (?:or|ou|oder|o) )"
    r"|\bone[- ]word answer\b"
)
_YES_NO: Final = re.compile(
    r"\b(?:answer|reply|respond|say)\b[^.?!\n]{0,30}\b(?:only|just|with|simply)\b[^.?!\n]{0,12}\byes or no\b"
    r"|\byes or no only\b|\bonly yes or no\b|\bnur (?:mit )?ja oder nein\b"
)
_ONE_SENTENCE: Final = re.compile(
    r"\bin (?:just |only |exactly )?(?:one|a single|1|einem|einem einzigen)(?: short)? (?:sentence|satz)\b"
    r"|\ben une (?:seule )?phrase\b|\ben una (?:sola )?frase\b"
)
_AT_MOST: Final = re.compile(
    r"\b(?:in|at most|maximum(?: of)?|max\.?|up to|no more than|under|less than|fewer than|within|höchstens|maximal)"
    r" (\d{1,4})(?: words| wörtern?)(?! (?:long|at least))"
)
_PART: Final = re.compile(r"\b(?:each|also|then|both|questions?|jede\w*|außerdem|aussi|también|anche)\b")
"""The length may be that of a part of the answer."""

_WORD: Final = re.compile(r"\S+")
_SENTENCE_END: Final = re.compile(r"[.!?。！？](?=\s|$)")


def instruction(prompt: str) -> str:
    """The head and the tail of a prompt in lower case, where what is wanted stands, with a blank before."""
    if len(prompt) > HEAD_CHARS + TAIL_CHARS:
        prompt = f"{prompt[:HEAD_CHARS]}\n{prompt[-TAIL_CHARS:]}"
    return f" {prompt.lower()}"


def code_missing(asked: str, text: str, fences: Sequence[Fence]) -> bool | None:
    """Whether code in a named language was asked for and none came, or only other languages'; None where none was.

    Args:
        asked: the prompt's `instruction`.
        text: the answer.
        fences: the answer's.
    """
    if not _asks_for_code(asked):
        return None
    if not fences:
        return _CODE_LINE.search(text[:2_000]) is None
    labels = {fence.label for fence in fences}
    if not labels <= _PROGRAMMING:
        return False
    wanted = {_ALIASES.get(name, name) for name in _NAME.findall(asked)}
    return not any(label in _LANGUAGES[name].split() for name in wanted for label in labels)


def _asks_for_code(asked: str) -> bool:
    """Whether code in a named language is asked for."""
    holds = asked.__contains__
    if not (any(map(holds, _HINTS)) and any(map(holds, _THINGS))):
        return False
    wanted = _CODE_NAMED.match(asked) or (any(map(holds, _MAKERS)) and _CODE_ASKED.search(asked))
    return bool(wanted) and _NO_CODE.search(asked) is None


def off_length(asked: str, text: str) -> bool | None:
    """Whether an answer is far longer than was plainly asked for; None where no length was."""
    holds = asked.__contains__
    if not any(map(holds, _LENGTH_WORDS)):
        return None
    words, yes_no, sentences = (any(map(holds, named)) for named in (_WORDS_NAMED, _YES_NO_NAMED, _SENTENCES_NAMED))
    if not (words or yes_no or sentences) or _PART.search(asked) is not None:
        return None
    if words and _ONE_WORD.search(asked):
        return len(text[:400].split()) > 4
    if yes_no and _YES_NO.search(asked):
        return len(text[:400].split()) > 12
    if sentences and _ONE_SENTENCE.search(asked):
        # "e.g." and "v1. " end no sentence, so three ends are needed to be sure of two sentences.
        return len(_SENTENCE_END.findall(text[:4_000])) > 3 or len(text) > 800
    if words and (found := _AT_MOST.search(asked)):
        most = int(found[1])
        return sum(1 for _ in _WORD.finditer(text[: 40 * most + 400])) > 1.3 * most + 5
    return None
