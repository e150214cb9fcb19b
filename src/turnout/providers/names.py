"""Whether the language model that answered is the one that was asked for, in each provider's way of naming."""

from __future__ import annotations

import re

_INSTANCE = re.compile(r":\d+$")
_DATED = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{4})$")


def same_in_lmstudio(asked: str, answered: str) -> bool:
    """LM Studio numbers further instances (`key:2`) and marks variants (`key@q4_k_m`)."""
    return _lmstudio_key(asked) == _lmstudio_key(answered)


def _lmstudio_key(name: str) -> str:
    return _INSTANCE.sub("", name.lower()).partition("@")[0]


def same_in_ollama(asked: str, answered: str) -> bool:
    """Ollama adds `:latest` where no tag is given and ignores case."""
    return ollama_name(asked) == ollama_name(answered)


def ollama_name(name: str) -> str:
    """A name as Ollama lists it: lower case, with its tag."""
    name = name.lower()
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def same_in_openai(asked: str, answered: str) -> bool:
    """Clouds answer an alias with the dated release behind it; servers of one file answer with its path."""
    one, other = asked.lower().removesuffix("-latest"), answered.lower()
    return (
        asked.lower() == answered.lower()
        or one == other
        or one == _DATED.sub("", other)
        or one.rpartition("/")[2] == other.replace("\\", "/").rpartition("/")[2]
    )
