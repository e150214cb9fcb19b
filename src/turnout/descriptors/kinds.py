"""What a language model was made for, whether it follows instructions, and its maker's word for its size."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from turnout.descriptors.descriptor import SizeTier, Variant

_VARIANT_WORDS: Final[Mapping[Variant, frozenset[str]]] = {
    "embedding": frozenset("embed embedding embeddings embedder reranker".split()),
    "vision": frozenset("vl vision visual pixtral qvq pali multimodal omni v".split()),
    "tools": frozenset("functioncalling functions function toolcalling tool".split()),
    "coder": frozenset("coder code codex codestral devstral".split()),
    "math": frozenset("math maths mathstral prover".split()),
    "reasoning": frozenset("thinking think thinker reasoning reasoner qwq magistral".split()),
}
"""Specialities in the order in which they win."""

_VARIANT_OF: Final[Mapping[str, Variant]] = {
    **dict.fromkeys("functionary firefunction gorilla raven xlam hammer toolace watt".split(), "tools"),
    **dict.fromkeys(
        "starcoder magicoder opencodeinterpreter phind opencoder deepcoder codegeex sqlcoder codegen santacoder "
        "replit".split(),
        "coder",
    ),
    **dict.fromkeys("openthinker sky deepscaler marco bespoke r1-1776".split(), "reasoning"),
    **dict.fromkeys("llava moondream smolvlm".split(), "vision"),
    **dict.fromkeys("bge e5 nomic mxbai minilm jina gte".split(), "embedding"),
}

_REASONS: Final = frozenset(
    [("deepseek", "r1"), ("minimax", "m1"), ("minimax", "m2")] + [("gpt", each) for each in "o1 o3 o4 5 5.1".split()]
)
_REASONING_LINES: Final = frozenset(
    [
        ("gemini", "2.5", "pro"),
        ("gemini", "3", "pro"),
        ("grok", "3", "mini"),
        ("grok", "4", ""),
        ("gpt", None, "oss"),
        ("exaone", None, "deep"),
    ]
)
"""What cannot but think before it answers, though its name does not say so."""

_TUNED_WORDS: Final = frozenset("instruct ins inst chat it sft dpo instruction".split())
_BASE_WORDS: Final = frozenset("base pt pretrained foundation".split())
_LIBRARY_BASE_WORDS: Final = frozenset("text code python".split())
_ALWAYS_TUNED: Final = frozenset(
    "claude gemini command nova hermes dolphin wizard smaug dracarys magicoder opencodeinterpreter phind eurux "
    "functionary firefunction xlam gorilla raven vicuna zephyr openchat starling tulu openthinker cogito reka sonar "
    "marco sky deepcoder deepscaler r1-1776 aya".split()
)
_TUNED_GENERATIONS: Final = frozenset(
    [("deepseek", each) for each in "v2.5 v3 v3.1 v3.2 r1".split()]
    + [("phi", each) for each in "3 3.5 4".split()]
    + [("llama", "3.3"), ("qwen", "3"), ("glm", "4.5"), ("glm", "4.6"), ("jamba", "1.5"), ("smollm", "3")]
    + [("grok", each) for each in "1.5 2 3 4".split()]
    + [("minimax", "m1"), ("minimax", "m2")]
)
"""Generations whose bare name is the tuned one, the base being published as such or not at all."""
_TUNED_LINES: Final[Mapping[str, frozenset[str]]] = {
    "mistral": frozenset("tiny small medium large ministral codestral mathstral magistral devstral".split()),
    "qwen": frozenset("qwq qvq max plus turbo".split()),
    "grok": frozenset("mini fast".split()),
    "yi": frozenset("large medium spark lightning".split()),
}
_SERVED_AS: Final[Mapping[str, str]] = {"mistral": "open", "grok": "beta"}
"""Words with which a maker's own service names what it tuned."""
_OLD_BASE: Final = re.compile(r"v0\.[1-3]")

_TIERS: Final[Mapping[str, SizeTier]] = {
    **dict.fromkeys("mini nano flash haiku lite instant tiny small micro edge turbo air".split(), "small"),
    **dict.fromkeys("sonnet medium pro plus".split(), "medium"),
    **dict.fromkeys("opus ultra large max premier core heavy".split(), "large"),
}


def variant_of(family: str | None, generation: str | None, line: str, words: frozenset[str]) -> Variant | None:
    """The speciality that a name or its family tells, None where there is none."""
    told = words | frozenset(line.split("-"))
    if not words.isdisjoint(("non", "no")):  # as in "non-reasoning"
        told -= _VARIANT_WORDS["reasoning"]
    for variant, telling in _VARIANT_WORDS.items():
        if told & telling:
            return variant
    if family is not None and (always := _VARIANT_OF.get(family)):
        return always
    if line == "chat":
        return None
    reasons = (family, generation) in _REASONS or (family, generation, line) in _REASONING_LINES
    return "reasoning" if reasons else None


def instruct_of(
    family: str | None, generation: str | None, line: str, tokens: tuple[str, ...], tag: tuple[str, ...] | None
) -> bool | None:
    """Whether it was tuned to follow instructions; None where neither its name nor its family tells.

    A bare open name ("gemma-7b") tells nothing: on Hugging Face it is the base, elsewhere the tuned one. Written as a
    tag of Ollama's library ("gemma:7b") it is the tuned one, which that library serves unless the tag says otherwise.
    """
    words = frozenset(tokens)
    if words & _TUNED_WORDS:
        return True
    if words & _BASE_WORDS or tokens[-1:] == ("hf",) or not _LIBRARY_BASE_WORDS.isdisjoint(tag or ()):
        return False
    if family is None:
        return None
    if family in _ALWAYS_TUNED or (family, generation) in _TUNED_GENERATIONS:
        return True
    if (family == "gpt" and (generation is not None or line)) or _TUNED_LINES.get(family, frozenset()) & set(
        line.split("-")
    ):
        return True
    if _SERVED_AS.get(family) in words:
        return True
    if family == "starcoder" and not line:
        return False
    if tag is not None:
        return _tagged(family, generation, tag)
    joined = "-".join(tokens)
    if family == "llama" and "meta-llama-3" in joined and not line:  # as its maker names the repository of the base
        return False
    if family == "mistral" and any(_OLD_BASE.fullmatch(token) for token in tokens):
        return False
    return None


def _tagged(family: str, generation: str | None, tag: tuple[str, ...]) -> bool | None:
    """Whether a tag of Ollama's library without such a word is tuned; that of Phi-2 and the longer ones of Yi may not be."""
    untold = (family == "phi" and generation in (None, "2")) or (family == "yi" and len(tag) > 1)
    return None if untold else True


def tier_of(family: str | None, generation: str | None, line: str) -> SizeTier | None:
    """What its maker calls its size. An unmarked name beside smaller marked ones is the large one of its line."""
    words = line.split("-")
    if family == "gpt":
        if "mini" in words or "nano" in words or generation == "3.5":
            return "small"
        return "large" if generation is not None else None
    if family in ("claude", "grok") and not line:
        return "large" if generation is not None else None
    if family not in ("claude", "gemini", "mistral", "qwen", "yi", "nova", "reka", "grok", "glm", "palm"):
        return None
    smallest_first: tuple[SizeTier, ...] = ("small", "medium", "large")
    told = {_TIERS[word] for word in words if word in _TIERS}
    return next((tier for tier in smallest_first if tier in told), None)
