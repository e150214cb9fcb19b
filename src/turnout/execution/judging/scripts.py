"""Whether an answer is written in another script than its prompt although nobody asked for another language."""

from __future__ import annotations

import re
from typing import Final

from turnout.types import Request

SAMPLE_CHARS: Final = 400
MIN_LETTERS: Final = 20
"""Fewer say nothing: names, commands and code are in Latin letters everywhere."""

_SCRIPTS: Final = {
    "han": r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff",  # kana too: Japanese mixes them
    "cyrillic": r"\u0400-\u052f",
    "hangul": r"\uac00-\ud7af\u1100-\u11ff",
    "arabic": r"\u0600-\u06ff",
    "hebrew": r"\u0590-\u05ff",
    "greek": r"\u0370-\u03ff",
    "devanagari": r"\u0900-\u097f",
    "thai": r"\u0e00-\u0e7f",
}
_LATIN: Final = r"A-Za-z\u00c0-\u024f"
_RUNS: Final = re.compile("|".join(f"([{letters}]+)" for letters in (*_SCRIPTS.values(), _LATIN)))
"""Letters of one script after one another; the group says which."""

_NO_LETTERS: Final = bytes(byte for byte in range(256) if not chr(byte).isalpha())
_CLEAR: Final = 0.6
"""A text is in a script if so much of its letters is; in Latin letters, nearly all."""

_LATIN_CLEAR: Final = 0.95

_LANGUAGE_NAMED: Final = re.compile(
    r"translat|übersetz|tradu|перев|翻译|翻譯|翻訳|訳し|번역|ترجم|תרגמ|μετάφρ|अनुवाद|แปล|transliterat|romaji|pinyin|unicode"
    r"|\b(?:english|chinese|mandarin|japanese|russian|ukrainian|bulgarian|serbian|arabic|persian|farsi|urdu|hebrew|korean|greek|hindi|thai"
    r"|kanji|hiragana|katakana|cyrillic|englisch|chinesisch|japanisch|russisch|arabisch|anglais|chinois|japonais|russe|arabe|inglés|chino)\b"
    r"|英語|英文|英语|中文|日本語|日语|汉语|漢字|английск|русск|영어|한국어|عربي|אנגלית|עברית|αγγλικ|ελληνικ|हिंदी|हिन्दी|अंग्रेजी|ภาษา",
)


def off_script(request: Request, asked: str, prose: str) -> bool | None:
    """Whether the answer's prose is in another script than the prompt; None where either is mixed, short or a translation.

    Args:
        request: its system messages may name the language to answer in.
        asked: the prompt's `instruction`.
        prose: the answer without its code.
    """
    if asked.isascii() and prose.isascii():
        return False if len(asked) > MIN_LETTERS < len(prose) else None
    wanted, given = _script(asked), _script(prose)
    if not wanted or not given:
        return None
    if wanted == given:
        return False
    said = [message.content[:2_000].lower() for message in request.messages if message.role in ("system", "developer")]
    return None if any(_LANGUAGE_NAMED.search(text) for text in (asked, *said)) else True


def _script(text: str) -> str:
    """The script of nearly all letters in the head of a text; empty where there are few or they are mixed."""
    sample = text[:SAMPLE_CHARS]
    western = sample.encode("latin-1", "ignore")
    if len(western) >= _LATIN_CLEAR * len(sample):
        return "latin" if len(western.translate(None, _NO_LETTERS)) >= MIN_LETTERS else ""
    sizes = [0] * (len(_SCRIPTS) + 1)
    for run in _RUNS.finditer(sample):
        sizes[run.lastindex - 1] += run.end() - run.start()  # type: ignore[operator]
    letters, latin = sum(sizes), sizes.pop()
    counts = dict(zip(_SCRIPTS, sizes, strict=True))
    most = max(counts, key=lambda name: counts[name])
    # A sign of Chinese says as much as two or three letters, so that ten are enough.
    if counts[most] * 2 >= MIN_LETTERS and counts[most] >= _CLEAR * letters:
        return most
    return "latin" if letters >= MIN_LETTERS and latin >= _LATIN_CLEAR * letters else ""
