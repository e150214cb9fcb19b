"""What a prompt mentions: keywords and programming languages, found word by word."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from turnout import kernel
from turnout.config.expression_variables import KEYWORDS, LANGUAGES

HEAD_CHARS: Final = 1_500
TAIL_CHARS: Final = 500
"""What is asked stands at the head or at the tail of a prompt; nothing between is read."""

_KEPT: Final = frozenset(b"abcdefghijklmnopqrstuvwxyz0123456789+#")
_CUT: Final = bytes(byte if byte in _KEPT or byte >= 128 else 32 for byte in bytes(range(256)).lower())
_FENCE: Final = re.compile(r"```([A-Za-z+#0-9]{1,12})")


def _by_form(table: Mapping[str, str]) -> dict[bytes, str]:
    return {form.encode(): name for name, forms in table.items() for form in forms.split()}


_KEYWORD_OF: Final = _by_form(KEYWORDS)
_LANGUAGE_OF: Final = _by_form(LANGUAGES)
_KEYWORD_FORMS: Final = frozenset(_KEYWORD_OF)
_LANGUAGE_FORMS: Final = frozenset(_LANGUAGE_OF)
_FORMS: Final = _KEYWORD_FORMS | _LANGUAGE_FORMS
_LEXICON: Final = (
    kernel.native.make_lexicon({form.decode(): 1 for form in _FORMS}, max(map(len, _FORMS))) if kernel.COMPILED else b""
)


def words_of(prompt: str) -> list[bytes]:
    """Lower-case words at the head and the tail of a prompt, in UTF-8."""
    return _raw(prompt).translate(_CUT).split()


def known_words(prompt: str) -> frozenset[bytes]:
    """Those of its words that mean a keyword or a language."""
    if kernel.COMPILED:
        return frozenset(kernel.native.listed_words(_raw(prompt), _LEXICON))
    return _FORMS.intersection(words_of(prompt))


def keywords(words: Iterable[bytes]) -> list[str]:
    """Keywords among some words, in whatever form they stand there; sorted."""
    forms = _KEYWORD_FORMS.intersection(words)
    return sorted({_KEYWORD_OF[form] for form in forms}) if forms else []


def languages(prompt: str, words: Iterable[bytes]) -> list[str]:
    """Programming languages that a prompt names, in prose or behind the fences of code; sorted.

    Names that are also words or letters (go, c, r) count only behind a fence.
    """
    found = {_LANGUAGE_OF[form] for form in _LANGUAGE_FORMS.intersection(words)}
    if "```" in prompt:
        for fence in _FENCE.findall(_ends(prompt)):
            name = fence.lower()
            found.add(name if name in LANGUAGES else _LANGUAGE_OF.get(name.encode(), ""))
        found.discard("")
    return sorted(found)


def _raw(prompt: str) -> bytes:
    return _ends(prompt).encode("utf-8", "replace")


def _ends(prompt: str) -> str:
    if len(prompt) <= HEAD_CHARS + TAIL_CHARS:
        return prompt
    return f"{prompt[:HEAD_CHARS]} {prompt[-TAIL_CHARS:]}"
