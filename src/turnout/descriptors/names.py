"""From the name of a language model to its descriptor: its provider's words first, then the name, then the tables."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from turnout.descriptors import quantisation, sizes
from turnout.descriptors.catalogue import Published, Sought, published, snapped
from turnout.descriptors.descriptor import Descriptor, Variant
from turnout.descriptors.families import LINES, Found, family_in
from turnout.descriptors.kinds import instruct_of, tier_of, variant_of
from turnout.descriptors.metadata import Metadata, parameters_b
from turnout.descriptors.tokens import Name, taken_apart

_GENERATION: Final = re.compile(r"v?(?:0\.[0-9]|[1-9][0-9]?(?:\.[0-9]{1,2}){0,2})|[rkm][1-9](?:\.[0-9])?|o[134]|4o")
_O_SERIES: Final = re.compile(r"o[134]")
_NUMBERED: Final = re.compile(r"00[1-9]")
_LETTERED: Final[Mapping[str, str]] = {"r": "deepseek", "k": "kimi", "m": "minimax"}
"""Who counts with a letter; elsewhere "m3" is a word."""
_OF_A_TAG: Final = re.compile(r"v[0-9]{1,2}(?:\.[0-9]{1,2})?")
_SPELLED: Final[Mapping[tuple[str, str], str]] = {
    ("qwen", "15"): "1.5",
    ("qwen", "25"): "2.5",
    ("gpt", "35"): "3.5",
    ("gemini", "1"): "1.0",
    ("gemini", "2"): "2.0",
    ("granite", "3"): "3.0",
    ("exaone", "3"): "3.0",
    ("exaone", "4"): "4.0",
    ("solar", "1"): "1.0",
    ("wizard", "1"): "1.0",
    ("deepseek", "2"): "v2",
    ("deepseek", "2.5"): "v2.5",
    ("deepseek", "3"): "v3",
    ("deepseek", "3.1"): "v3.1",
}
_UNNUMBERED: Final[Mapping[tuple[str, str], str]] = {("gemini", "pro"): "1.0"}
"""Names that were given before their maker began to count."""
_TURBO_BY_DATE: Final = frozenset({"2023-11", "2024-01"})
"""GPT-4's previews of these months are the first two versions of GPT-4 Turbo."""
_MANY_SIZES: Final = frozenset({("deepseek", "r1")})
"""What Ollama's library serves under one name in sizes that its maker names otherwise."""
_MIXTURES: Final = re.compile("moe|mixtral|deepseek[23]|gpt-?oss|llama4|dbrx|jamba|next")
"""Architectures whose experts are not all active."""
_UNTOLD: Final = Metadata()
_MOST_BITS: Final = 64.0
_THINKING_BUDGET: Final = frozenset({"minimax"})
"""Whose "80k" is how long it may think, not its window."""
_TELLS_EFFORT: Final = frozenset("gpt grok claude gemini".split())
_ARCHITECTURES: Final[Mapping[str, str]] = {
    "qwen": "qwen",
    "gemma": "gemma",
    "phi": "phi",
    "gptoss": "gpt",
    "deepseek": "deepseek",
    "command": "command",
    "cohere": "command",
    "granite": "granite",
    "glm": "glm",
    "olmo": "olmo",
    "starcoder": "starcoder",
    "stablelm": "stablelm",
    "falcon": "falcon",
    "internlm": "internlm",
    "exaone": "exaone",
}


def describe(name: str, *, metadata: Metadata | None = None) -> Descriptor:
    """What is known of the language model that people or providers call by this name.

    Any text is allowed; what does not look like a name leaves every field unknown.
    """
    told = metadata or _UNTOLD
    apart = taken_apart(name)
    tokens = apart.tokens
    found, others = family_in(tokens)
    family = found.family if found else _family_of(told.architecture)
    named = sizes.size_in(tokens)
    counted, counted_active = parameters_b(told.parameters)
    known = _known(family, found, others, apart, named.total_b, counted)
    total = known.total_b if counted is None else counted
    active = parameters_b(told.active_parameters)[0] or counted_active or named.active_b
    if active is None:
        active = _active(known, total, dense=named.dense and not _MIXTURES.search((told.architecture or "").lower()))
    nominal = known.total_b
    if nominal is None and total is not None:
        nominal = snapped(family, known.generation, total)

    effort = apart.effort if family in _TELLS_EFFORT else None
    variant = _speciality(told, variant_of(family, known.generation, known.line, frozenset(tokens)))
    if variant is None and effort is not None:
        variant = "reasoning"
    instruct = instruct_of(family, known.generation, known.line, tokens, apart.tag)
    if variant == "embedding":
        instruct = None
    elif instruct is None and variant in ("reasoning", "tools"):
        instruct = True
    if variant is None and instruct is not None:
        variant = "instruct" if instruct else "base"

    quantised = (quantisation.canonical(told.quantisation) if told.quantisation else None) or apart.quantisation
    return Descriptor(
        family=family,
        generation=known.generation,
        line=known.line,
        variant=variant,
        instruct=instruct,
        tier=tier_of(family, known.generation, known.line) if total is None else None,
        effort=effort,
        parameters_b=total,
        active_parameters_b=active,
        nominal_b=nominal,
        quantisation=quantised,
        bits_per_weight=_bits(told, quantised),
        context_tokens=_context(told, tokens, family),
        version=known.version,
        released=known.released,
    )


def _family_of(architecture: str | None) -> str | None:
    """The family of an architecture that only one maker uses; half of the world trains what is built like a Llama."""
    word = re.match(r"[a-z]*", (architecture or "").lower())
    return _ARCHITECTURES.get(word.group()) if word else None


def _known(
    family: str | None,
    found: Found | None,
    others: frozenset[int],
    apart: Name,
    named_b: float | None,
    counted_b: float | None,
) -> Published:
    """The line, the generation and what was published of them, found by the provider's count where no size is named."""
    if family is None or found is None:
        return Published("", None, None, None, named_b, named_b)
    tokens = apart.tokens
    line = _line(found, tokens)
    generation = _generation(found, others, tokens, line) or _generation_of_tag(found.family, apart.tag)
    number = next((token for token in tokens if _NUMBERED.fullmatch(token)), None)
    if "latest" in tokens and apart.tag is None:  # the name alone does not say what it stands for today
        return Published(line, generation, "latest", None, named_b, named_b)
    size_b = named_b if named_b is not None or counted_b is None else snapped(family, generation, counted_b)
    known = published(Sought(family, line, generation, size_b, apart.dated, number))
    if family == "gpt" and not line and generation == "4" and known.version in _TURBO_BY_DATE:
        known = replace(known, line="turbo")
    if apart.tag is not None and size_b is None and (family, generation) in _MANY_SIZES:
        known = replace(known, total_b=None, active_b=None, version=None, released=None)
    return known


def _line(found: Found, tokens: tuple[str, ...]) -> str:
    """The line as its words in the order of the table, "flash-lite"."""
    told = {word for line in found.lines for word in line.split("-")} | set(tokens)
    words = [word for word in LINES.get(found.family, ()) if word in told]
    if found.family == "gpt" and not told & {"o1", "chat"}:  # elsewhere a preview is the same one, only early
        words = [word for word in words if word != "preview"]
    return "-".join(words)


def _generation(found: Found, others: frozenset[int], tokens: tuple[str, ...], line: str) -> str | None:
    """The first number after the family's word that can count generations, up to another family's word."""
    family = found.family
    begin = found.begin if family == "gpt" and _O_SERIES.fullmatch(tokens[found.begin]) else found.end
    for at in range(begin, len(tokens)):
        if at in others:
            break
        letter, counts = tokens[at][0], not tokens[at].isalpha() and _GENERATION.fullmatch(tokens[at])
        if counts and _LETTERED.get(letter, family) == family:
            return _spelled(family, tokens[at])
    return _UNNUMBERED.get((family, line))


def _generation_of_tag(family: str, tag: tuple[str, ...] | None) -> str | None:
    """The version that a tag of Ollama's library tells, its own also after the word for what it was made from."""
    number = next((token for token in tag or () if _OF_A_TAG.fullmatch(token)), None)
    return _spelled(family, number) if number else None


def _spelled(family: str, number: str) -> str:
    """As written, without the "v", with which only DeepSeek counts."""
    if family != "deepseek":
        number = number.removeprefix("v")
    return _SPELLED.get((family, number), number)


def _active(known: Published, total: float | None, *, dense: bool) -> float | None:
    """Billions that are active for each token; makers of mixtures say so in the name or are in the tables."""
    if known.active_b != known.total_b:
        return known.active_b
    return total if dense else None


def _speciality(told: Metadata, variant: Variant | None) -> Variant | None:
    return "embedding" if told.kind in ("embedding", "embeddings") else variant


def _bits(told: Metadata, quantised: str | None) -> float | None:
    given = told.bits_per_weight
    if given is not None and math.isfinite(given) and 0 < given <= _MOST_BITS:
        return float(given)
    return quantisation.BITS_PER_WEIGHT.get(quantised) if quantised else None


def _context(told: Metadata, tokens: tuple[str, ...], family: str | None) -> int | None:
    given = told.context_tokens
    if given is not None and given > 0:
        return given
    return None if family in _THINKING_BUDGET else sizes.context_in(tokens)
