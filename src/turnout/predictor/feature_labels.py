"""What a person calls each dense feature. Features of one label are told as one: `kw_` and `asks_` of a subject, say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from turnout.features import FEATURE_NAMES
from turnout.types import Task

TASK_LABELS: Final[Mapping[str, str]] = {
    "task_": "task: type {type}",
    "complexity_linear": "task: complexity {complexity}",
    "tier_score": "task: tier {tier}",
}
"""These name what the request was judged to be; `task_` stands for all types."""

_OWN: Final[Mapping[str, str]] = {
    "log_chars": "surface: characters",
    "log_words": "surface: words",
    "log_lines": "surface: lines",
    "log_sentences": "surface: sentences",
    "words_per_sentence": "surface: words in a sentence",
    "chars_per_word": "surface: characters in a word",
    "long_word_share": "surface: share of long words",
    "unique_word_share": "surface: share of distinct words",
    "instruction_share": "surface: share of the instruction",
    "log_instruction_words": "surface: words of the instruction",
    "truncated": "surface: too long to be read whole",
    "char_upper": "characters: capital letters",
    "char_digit": "characters: digits",
    "char_space": "characters: blanks",
    "char_newline": "characters: line ends",
    "char_parenthesis": "characters: parentheses",
    "char_brace": "characters: braces",
    "char_bracket": "characters: square brackets",
    "char_angle": "characters: angle brackets",
    "char_quote": "characters: quotation marks",
    "char_backtick": "characters: backticks",
    "char_semicolon": "characters: semicolons",
    "char_comma": "characters: commas",
    "char_colon": "characters: colons",
    "char_period": "characters: full stops",
    "char_operator": "characters: operators",
    "char_hyphen": "characters: hyphens",
    "char_dollar": "characters: dollar signs",
    "char_backslash": "characters: backslashes",
    "char_underscore": "characters: underscores",
    "char_question": "characters: question marks",
    "char_exclamation": "characters: exclamation marks",
    "char_hash": "characters: number signs",
    "char_latin_accented": "characters: accented Latin letters",
    "char_greek": "characters: Greek letters",
    "char_cyrillic": "characters: Cyrillic letters",
    "char_arabic_hebrew": "characters: Arabic and Hebrew letters",
    "char_indic_thai": "characters: Indic and Thai letters",
    "char_han_kana": "characters: Chinese and Japanese characters",
    "char_hangul": "characters: Korean syllables",
    "char_symbol": "characters: symbols and emoji",
    "stop_word_share": "surface: share of English stop words",
    "foreign_stop_word_share": "surface: share of stop words of other languages",
    "question_words": "surface: question words",
    "negations": "surface: negations",
    "conditionals": "surface: conditions",
    "comparatives": "surface: comparisons",
    "pronouns": "surface: pronouns",
    "numbers": "surface: numbers",
    "log_largest_number": "surface: largest number",
    "decimals": "surface: decimal numbers",
    "files_named": "surface: file names",
    "urls": "surface: web addresses",
    "stack_trace": "surface: stack trace",
    "options": "surface: answers to choose from",
    "bullets": "surface: list items",
    "latex": "surface: formulas",
    "fences": "surface: code fences",
    "code_line_share": "surface: share of code lines",
    "log_line_share": "surface: share of log lines",
    "table_line_share": "surface: share of table lines",
    "code_language_count": "surface: programming languages",
    "ends_with_question": "surface: ends with a question mark",
    "ends_with_colon": "surface: ends with a colon",
    "turns": "conversation: messages",
    "assistant_turns": "conversation: answers so far",
    "log_system_words": "conversation: words of the system prompt",
    "log_history_words": "conversation: words before this prompt",
    "files": "request: files",
    "tools": "request: tools",
    "images": "request: images",
    "lang_javascript": "code: JavaScript or TypeScript",
    "lang_java": "code: Java or Kotlin",
    "lang_csharp": "code: C#",
    "lang_c_family": "code: C or C++",
    "lang_sql": "code: SQL",
    "lang_markup": "code: HTML or CSS",
    "lang_settings": "code: settings",
    "lang_other_code": "code: other languages",
}


def _label(name: str) -> str:
    """The label of one feature, with fields of `Task` in braces where it names what was judged.

    Raises:
        KeyError: a feature without a label; tests keep that from happening.
    """
    if name.startswith("task_"):
        return TASK_LABELS["task_"]
    prefix, _, rest = name.partition("_")
    if prefix in ("kw", "asks"):
        return f"keywords: {rest.replace('_', ' ')}"
    if prefix == "lang" and name not in _OWN:
        return f"code: {rest.capitalize()}"
    return TASK_LABELS.get(name) or _OWN[name]


FEATURE_LABELS: Final[Mapping[str, str]] = {name: _label(name) for name in FEATURE_NAMES}
"""The label of every feature, in the order of the vector."""


def for_task(label: str, task: Task) -> str:
    """Put what a request was judged to be into a label."""
    return label.format(type=task.type, complexity=task.complexity, tier=task.tier)
