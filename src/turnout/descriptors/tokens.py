"""From a name as people write it to its tokens: what it carries besides words taken out first."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from turnout.descriptors import dates, quantisation
from turnout.descriptors.dates import Month
from turnout.descriptors.descriptor import Effort

LONGEST: Final = 200
"""Characters. Whatever is longer, its folders left out, is not the name of a language model."""

_FILE: Final = re.compile(r"(?:-[0-9]{5}-of-[0-9]{5})?\.(?:gguf|ggml|bin|safetensors|llamafile)$")
_BEDROCK: Final = re.compile(r"-v(?:0:([0-9])|[1-9]:[0-9])(?::([0-9]+k))?$")
_SERVED: Final = frozenset("free nitro floor beta extended online exacto thinking".split())
_LIBRARY: Final = frozenset(["", "ollama", "library"])
_RUNS: Final = re.compile(r"\(\s*n\s*=\s*[0-9]+\s*\)")
_EFFORT: Final = re.compile(r"[(:\s-](high|med|medium|low)\)?$")
_NEGATIVE: Final = re.compile(r"(?:^|[^a-z0-9)\] ])\s?-\s?[0-9.]+[a-z]*")
_HYPHENATED: Final = re.compile(r"(?<![0-9a-z.])(v?[0-9])[-_]([0-9])(?![0-9a-z.])")
_NUMBER_THEN_LINE: Final = re.compile(r"(?<![0-9a-z.])([0-9](?:\.[0-9])?)(vl|v|n)(?![0-9a-z.])")
_P_FOR_POINT: Final = re.compile(r"(?<=[0-9])p(?=[0-9])")
_SENTENCE_DOT: Final = re.compile(r"(?<=[a-z])\.(?=[a-z])|\.(?![0-9])|(?<![0-9])\.")
_WORD_THEN_NUMBER: Final = re.compile(r"(?<=[a-z]{2})(?=[0-9])")
_TOKEN: Final = re.compile(r"[a-z0-9.]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Name:
    """A name taken apart.

    `tokens` are its lower-case words and numbers in order, "qwen2.5" as two. `tag` are those after the colon where it
    is written as Ollama's library writes names, "llama3.1:8b"; None where it is not. `dated` is the date in it, `effort`
    what stands at its end; some lines call their size so.
    """

    tokens: tuple[str, ...] = ()
    tag: tuple[str, ...] | None = None
    quantisation: str | None = None
    dated: Month | None = None
    effort: Effort | None = None


def taken_apart(name: str) -> Name:
    """The parts of a name; nothing at all where it cannot be one."""
    path = name.strip().replace("\\", "/").rstrip("/")
    publisher, _, last = path.rpartition("/")
    if not 0 < len(last) <= LONGEST or not last.isprintable():
        return Name()
    text = last.lower()
    if not text.isascii():
        if any(each.isnumeric() for each in text if not each.isascii()):
            return Name()  # half of a number would be another number
        text = "".join(each if each.isascii() else " " for each in text)
    text = _FILE.sub("", text)
    text = text.replace("claude-v2:1", "claude-2.1").replace("olmoe-1b-7b", "olmoe-7b-a1b")
    text = _BEDROCK.sub(
        lambda match: (f"-v0.{match[1]}" if match[1] else "") + (f"-{match[2]}" if match[2] else ""), text
    )
    stem, _, tag = text.partition(":")
    if tag in _SERVED:
        text, tag = (f"{stem}-thinking" if tag == "thinking" else stem), ""
    elif len(tag) == 1 and tag.isdigit():  # LM Studio's second copy of a loaded one
        text, tag = stem, ""
    text = _RUNS.sub("", text).rstrip()
    effort: Effort | None = None
    if match := _EFFORT.search(text):
        effort = "medium" if match[1] == "med" else match[1]  # type: ignore[assignment]
    found, text = quantisation.found_in(_NEGATIVE.sub(" ", text))
    dated, text = dates.found_in(text)
    text = text.replace("+", "-plus ")
    text = _WORD_THEN_NUMBER.sub("-", _SENTENCE_DOT.sub("-", text))
    text = _P_FOR_POINT.sub(".", _HYPHENATED.sub(r"\1.\2", text))
    text = _NUMBER_THEN_LINE.sub(r"\1-\2", text)
    owner = publisher.rpartition("/")[2].lower()
    return Name(
        tokens=tuple(_TOKEN.findall(text)),
        tag=tuple(_TOKEN.findall(tag)) if tag and owner in _LIBRARY else None,
        quantisation=found,
        dated=dated,
        effort=effort,
    )
