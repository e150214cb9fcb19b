"""Surface, context and keyword features of a request: cheap counts, one pass, no learned weights.

Counts enter as log(1 + n), shares as fractions of characters, words or lines, so that trees and linear models can
both use them. The order of `SURFACE_NAMES` is the order of the vector.
"""

from __future__ import annotations

import math
import re
from typing import Final

import numpy as np
from numpy.typing import NDArray

from turnout.features.lexicon import (
    CODE_LANGUAGES,
    COMPARATIVES,
    CONDITIONALS,
    FOREIGN_STOP_WORDS,
    KEYWORD_GROUPS,
    NEGATIONS,
    PRONOUNS,
    QUESTION_WORDS,
    STOP_WORDS,
    index_groups,
)
from turnout.features.text import MAX_CHARS, PromptText
from turnout.types import Request

_BYTE_CLASSES: Final[dict[str, bytes]] = {
    "upper": bytes(range(65, 91)),
    "digit": bytes(range(48, 58)),
    "space": b" \t",
    "newline": b"\n",
    "parenthesis": b"()",
    "brace": b"{}",
    "bracket": b"[]",
    "angle": b"<>",
    "quote": b"\"'",
    "backtick": b"`",
    "semicolon": b";",
    "comma": b",",
    "colon": b":",
    "period": b".",
    "operator": b"=+*/%|&^~",
    "hyphen": b"-",
    "dollar": b"$",
    "backslash": b"\\",
    "underscore": b"_",
    "question": b"?",
    "exclamation": b"!",
    "hash": b"#",
    # Lead bytes of UTF-8 tell the script without decoding.
    "latin_accented": bytes(range(0xC3, 0xC9)),
    "greek": b"\xce\xcf",
    "cyrillic": b"\xd0\xd1\xd2\xd3",
    "arabic_hebrew": bytes(range(0xD6, 0xDC)),
    "indic_thai": b"\xe0",
    "han_kana": bytes(range(0xE3, 0xEA)),
    "hangul": b"\xea\xeb\xec\xed",
    "symbol": b"\xe2\xf0",
}

_LETTERS = np.zeros((256, len(_BYTE_CLASSES)), dtype=np.float32)
for _column, _members in enumerate(_BYTE_CLASSES.values()):
    _LETTERS[np.frombuffer(_members, np.uint8), _column] = 1.0

_FILE = re.compile(
    r"(?<![\w.])[\w/\\-]+\.(?:py|pyi|js|jsx|ts|tsx|java|kt|go|rs|c|h|cc|cpp|hpp|cs|rb|php|swift|dart|sql|sh|ps1|ya?ml|json|toml"
    r"|md|txt|csv|html|s?css|vue|xml|ini|cfg|conf|env|lock|tf|proto|ipynb|tex|log|gd|lua|ex|hs|scala|r|jl)\b"
)
_STACK = re.compile(
    r"Traceback|^\s+at \S+\(|File \".*\", line \d|Exception in|panicked at|goroutine \d|Segmentation|#\d+ 0x", re.M
)
_OPTION = re.compile(r"^\(?[A-J][.)] ", re.M)
_BULLET = re.compile(r"^\s*(?:[-*•]|\d+[.)]) ", re.M)
_SENTENCE = re.compile(r"[.!?。！？](?:\s|$)")
_LATEX = re.compile(r"\$[^$\n]{1,80}\$|\\(?:frac|sum|int|sqrt|le|ge|leq|geq|times|ldots|cdot|begin)\b")

_WORD_CLASSES: Final[dict[str, frozenset[str]]] = {
    "stop_word_share": STOP_WORDS,
    "foreign_stop_word_share": FOREIGN_STOP_WORDS,
    "question_words": QUESTION_WORDS,
    "negations": NEGATIONS,
    "conditionals": CONDITIONALS,
    "comparatives": COMPARATIVES,
    "pronouns": PRONOUNS,
}
_SIZES: Final = (
    "log_chars log_words log_lines log_sentences words_per_sentence chars_per_word long_word_share unique_word_share "
    "instruction_share log_instruction_words truncated"
).split()
_COUNTS: Final = (
    "numbers log_largest_number decimals files_named urls stack_trace options bullets latex fences "
    "code_line_share log_line_share table_line_share code_language_count ends_with_question ends_with_colon"
).split()
_CONTEXT: Final = "turns assistant_turns log_system_words log_history_words files tools images".split()

_GROUPS: Final = (
    *(f"kw_{name}" for name in KEYWORD_GROUPS),
    *(f"lang_{name}" for name in CODE_LANGUAGES),
)
SURFACE_NAMES: Final[tuple[str, ...]] = (
    *_SIZES,
    *(f"char_{name}" for name in _BYTE_CLASSES),
    *_WORD_CLASSES,
    *_COUNTS,
    *_CONTEXT,
    *_GROUPS,
    *(f"asks_{name}" for name in KEYWORD_GROUPS),
)
"""`kw_` counts a keyword group over the whole prompt, `asks_` over its instruction alone, `lang_` code languages."""

_N_KEYWORDS = len(KEYWORD_GROUPS)
_N_GROUPS = len(_GROUPS)
_INDEX = index_groups(KEYWORD_GROUPS)
for _word, _positions in index_groups(CODE_LANGUAGES, _N_KEYWORDS).items():
    _INDEX[_word] = _INDEX.get(_word, ()) + _positions
for _position, _members_of in enumerate(_WORD_CLASSES.values(), _N_GROUPS):
    for _word in _members_of:
        _INDEX[_word] = (*_INDEX.get(_word, ()), _position)
_N_INDEXED = _N_GROUPS + len(_WORD_CLASSES)


def _group_counts(words: list[str]) -> list[int]:
    """How often each indexed group occurs. Each distinct word is looked up once."""
    counts = [0] * _N_INDEXED
    index = _INDEX
    for word in words:
        if word in index:
            for position in index[word]:
                counts[position] += 1
    return counts


def surface_vector(text: PromptText, request: Request) -> NDArray[np.float32]:
    """Surface features of one request.

    Returns:
        float32 array of shape (len(SURFACE_NAMES),), finite, in the order of `SURFACE_NAMES`.
    """
    body, words, instruction_words = text.text, text.words, text.instruction_words
    raw = body.encode("utf-8", "replace")
    n_bytes = max(len(raw), 1)
    classes = np.bincount(np.frombuffer(raw, np.uint8), minlength=256).astype(np.float32) @ _LETTERS / n_bytes

    n_words = len(words)
    per_word = 1.0 / max(n_words, 1)
    counts = _group_counts(words)
    asked = counts if instruction_words is words else _group_counts(instruction_words)
    groups, classes_of_words = counts[:_N_GROUPS], counts[_N_GROUPS:]

    numbers = [word for word in words if word[0] in "0123456789"]
    largest = 0.0
    for number in numbers[:64]:
        digits = number.replace(",", "")
        if digits.count(".") <= 1 and len(digits) <= 18:
            largest = max(largest, float(digits))
    sentences = len(_SENTENCE.findall(body)) + 1
    lines = max(text.lines, 1)
    stripped = body.rstrip()
    last = stripped[-1:]

    sizes = (
        math.log1p(text.length),
        math.log1p(n_words),
        math.log1p(text.lines),
        math.log1p(sentences),
        n_words / sentences,
        sum(map(len, words)) * per_word,
        sum(len(word) > 9 for word in words) * per_word,
        len(set(words)) * per_word,
        len(instruction_words) * per_word,
        math.log1p(len(instruction_words)),
        float(text.length > MAX_CHARS),
    )
    languages = groups[_N_KEYWORDS:]
    found = (
        math.log1p(len(numbers)),
        math.log1p(largest),
        math.log1p(sum("." in number for number in numbers)),
        math.log1p(len(_FILE.findall(body))) if "." in body else 0.0,
        math.log1p(body.count("://")),
        math.log1p(len(_STACK.findall(body))),
        math.log1p(len(_OPTION.findall(body))),
        math.log1p(len(_BULLET.findall(body))),
        math.log1p(len(_LATEX.findall(body))) if "$" in body or "\\" in body else 0.0,
        math.log1p(text.fences),
        text.code_lines / lines,
        text.log_lines / lines,
        text.table_lines / lines,
        float(sum(count > 1 for count in languages)),
        float(last in ("?", "？")),
        float(last in (":", "：")),
    )
    word_shares = (
        classes_of_words[0] * per_word,
        classes_of_words[1] * per_word,
        *(math.log1p(count) for count in classes_of_words[2:]),
    )
    return np.concatenate(
        (
            sizes,
            classes,
            word_shares,
            found,
            _context(request),
            np.log1p(np.array(groups + asked[:_N_KEYWORDS], np.float32)),
        ),
        dtype=np.float32,
        casting="unsafe",
    )


def _context(request: Request) -> tuple[float, ...]:
    messages = request.messages
    system = history = 0
    if len(messages) > 1:
        prompt = request.prompt
        for message in messages:
            if message.role in ("system", "developer"):
                system += message.content.count(" ") + 1
            elif message.content is not prompt:
                history += message.content.count(" ") + 1
    return (
        float(len(messages)),
        float(sum(message.role == "assistant" for message in messages)),
        math.log1p(system),
        math.log1p(history),
        math.log1p(len(request.files)),
        math.log1p(request.tools),
        math.log1p(sum(message.images for message in messages)),
    )
