"""The language models that emulators pretend to run: how good, how large and how fast each one is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Capability: TypeAlias = Literal["tools", "vision", "thinking", "embedding", "json"]


@dataclass(frozen=True, slots=True)
class LanguageModel:
    """One model as a provider knows it. Speeds are those of one request that runs alone; `quality` is in [0, 1]."""

    name: str
    family: str
    parameters_b: float
    quantization: str
    size_bytes: int
    max_context: int
    capabilities: frozenset[Capability]
    quality: float
    decode_tokens_per_s: float
    prefill_tokens_per_s: float
    load_s: float

    @property
    def is_embedding(self) -> bool:
        """Whether it makes vectors instead of text."""
        return "embedding" in self.capabilities

    @property
    def thinks(self) -> bool:
        """Whether it can reason before it answers."""
        return "thinking" in self.capabilities

    @property
    def parameter_size(self) -> str:
        """The parameters as people write them: 7B, 137M, 316K."""
        if self.parameters_b >= 1:
            return f"{self.parameters_b:g}B"
        millions = self.parameters_b * 1000
        return f"{millions:.0f}M" if millions >= 1 else f"{millions * 1000:.0f}K"


_CATALOGUE: Final[Mapping[str, tuple[str, ...]]] = {
    "ollama": ("qwen2.5-coder:32b", "llama3.3:70b", "llama3.1:8b", "nomic-embed-text:latest", "qwen3:4b"),
    "lmstudio": ("qwen2.5-coder-1.5b", "qwen2.5-coder-7b", "llama-3.1-8b", "text-embedding-nomic"),
    "openai": ("gpt-4.1", "gpt-4.1-mini", "text-embedding-3-small"),
    "anthropic": ("claude-sonnet-4-5", "claude-haiku-4-5"),
}

# What a name does not say: (pattern, family, context window, capabilities). The first pattern found wins.
_FAMILIES: Final[tuple[tuple[str, str, int, str], ...]] = (
    (r"nomic", "nomic-bert", 2048, "embedding"),
    (r"embed|bge|minilm|e5-", "bert", 8192, "embedding"),
    (r"claude", "claude", 200_000, "tools vision thinking json"),
    (r"gpt-oss", "gptoss", 131_072, "tools thinking json"),
    (r"gpt|\bo[134]\b", "gpt", 1_000_000, "tools vision json"),
    (r"qwen-?2\.5-?vl|qwen3-?vl", "qwen25vl", 128_000, "tools vision json"),
    (r"qwen-?2\.5", "qwen2", 32_768, "tools json"),
    (r"qwen-?3-coder", "qwen3", 262_144, "tools json"),
    (r"qwen-?3", "qwen3", 40_960, "tools thinking json"),
    (r"deepseek-r1", "qwen2", 131_072, "tools thinking json"),
    (r"llava|llama-?3\.2-vision", "llava", 32_768, "vision json"),
    (r"llama-?3", "llama", 131_072, "tools json"),
    (r"gemma-?3", "gemma3", 131_072, "vision json"),
    (r"mistral|mixtral|codestral|devstral", "llama", 32_768, "tools json"),
    (r"phi-?4", "phi3", 16_384, "tools json"),
)

# Names that hide their size. Providers keep it to themselves; these give a plausible order.
_SIZE_WORDS: Final[Mapping[str, float]] = {"nano": 4, "mini": 14, "haiku": 30, "small": 14, "flash": 14, "opus": 400}
_HOSTED: Final = ("gpt", "claude")
_HOSTED_SIZE_B: Final = 200.0
_UNKNOWN_SIZE_B: Final = 7.0
_EMBEDDING_SIZE_B: Final = 0.137


def default_models(kind: str) -> tuple[LanguageModel, ...]:
    """The models that an emulator of this kind has unless it is told otherwise."""
    return tuple(model_from_name(name) for name in _CATALOGUE[kind])


def model_from_name(name: str) -> LanguageModel:
    """Sensible properties for any model name: the bigger the better, the slower, and the longer to load.

    A mixture of experts that names its active parameters (`30b-a3b`) is as slow as those.
    """
    lower = name.lower()
    family, max_context, capabilities = next(
        (entry[1:] for entry in _FAMILIES if re.search(entry[0], lower)), ("llama", 32_768, "json")
    )
    hosted = family in _HOSTED
    embedding = capabilities == "embedding"
    size_b = _EMBEDDING_SIZE_B if embedding else _parameters_b(lower, hosted)
    active = re.search(r"-a(\d+(?:\.\d+)?)b\b", lower)
    active_b = float(active[1]) if active else size_b
    quantization = _quantization(lower, embedding)
    size_bytes = int(size_b * 1e9 * _BYTES_PER_WEIGHT.get(quantization, 0.6))
    decode = 150.0 if hosted else 280.0 * active_b**-0.8
    return LanguageModel(
        name=name,
        family=family,
        parameters_b=size_b,
        quantization=quantization,
        size_bytes=size_bytes,
        max_context=max_context,
        capabilities=frozenset(capabilities.split()),  # type: ignore[arg-type]
        quality=min(0.98, max(0.05, 0.3 + 0.29 * math.log10(size_b) + 0.05 * ("code" in lower))),
        decode_tokens_per_s=round(decode, 1),
        prefill_tokens_per_s=round(decode * 25, 1),
        load_s=0.0 if hosted else round(0.6 + size_bytes / 2e9, 2),
    )


_BYTES_PER_WEIGHT: Final[Mapping[str, float]] = {"Q4_K_M": 0.6, "Q5_K_M": 0.7, "Q6_K": 0.82, "Q8_0": 1.06, "F16": 2.0}


def _quantization(lower: str, embedding: bool) -> str:
    named = re.search(r"q\d_(?:k_m|k|0)|f16", lower)
    if named:
        return named[0].upper()
    return "F16" if embedding else "Q4_K_M"


def _parameters_b(lower: str, hosted: bool) -> float:
    counts = [float(count) for count in re.findall(r"(?<![\w.])(\d+(?:\.\d+)?)b(?![a-z0-9])", lower)]
    if counts:
        return max(0.1, counts[0])
    if not hosted:
        return _UNKNOWN_SIZE_B
    return next((size for word, size in _SIZE_WORDS.items() if word in lower), _HOSTED_SIZE_B)
