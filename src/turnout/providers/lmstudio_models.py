"""LM Studio's two model lists. v0 says `id` and `embeddings`, v1 says `key` and `embedding`; most fields may be missing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from turnout.providers.fields import count, listed
from turnout.types import LanguageModel


def read_models_v1(document: Mapping[str, Any]) -> tuple[LanguageModel, ...]:
    """`GET /api/v1/models`."""
    return tuple(_v1(entry) for entry in listed(document, "models") if entry.get("key"))


def _v1(entry: Mapping[str, Any]) -> LanguageModel:
    told = entry.get("capabilities")
    told = told if isinstance(told, dict) else {}
    quantization = entry.get("quantization")
    loaded, window = loaded_window(entry)
    size = count(entry.get("size_bytes"))
    return LanguageModel(
        name=str(entry["key"]),
        capabilities=frozenset({"embedding"})
        if entry.get("type") == "embedding"
        else _chat(told.get("vision"), told.get("trained_for_tool_use"), told.get("reasoning")),
        context_length=count(entry.get("max_context_length")),
        loaded=loaded,
        loaded_context_length=window,
        size_bytes=size,
        # LM Studio tells no memory use; the file's size is a floor.
        memory_bytes=size if loaded else None,
        parameters=_word(entry.get("params_string")),
        quantization=_word(quantization.get("name")) if isinstance(quantization, dict) else None,
        family=_word(entry.get("architecture")),
        instances=tuple(str(instance.get("id")) for instance in listed(entry, "loaded_instances")),
    )


def loaded_window(entry: Mapping[str, Any]) -> tuple[bool, int | None]:
    """Whether a v1 entry has an instance in memory, and the smallest window among its instances."""
    instances = listed(entry, "loaded_instances")
    configs = [instance.get("config") for instance in instances]
    windows = [window for c in configs if isinstance(c, dict) and (window := count(c.get("context_length")))]
    return bool(instances), min(windows, default=None)


def reasoning_options(entry: Mapping[str, Any]) -> tuple[str, ...]:
    """The reasoning settings that a v1 entry says it takes; none where it has no such setting."""
    told = entry.get("capabilities")
    reasoning = told.get("reasoning") if isinstance(told, dict) else None
    options = reasoning.get("allowed_options") if isinstance(reasoning, dict) else None
    return tuple(str(option) for option in options) if isinstance(options, list) else ()


def read_models_v0(document: Mapping[str, Any]) -> tuple[LanguageModel, ...]:
    """`GET /api/v0/models`."""
    return tuple(_v0(entry) for entry in listed(document, "data") if entry.get("id"))


def _v0(entry: Mapping[str, Any]) -> LanguageModel:
    told = entry.get("capabilities")
    tools = isinstance(told, list) and "tool_use" in told
    return LanguageModel(
        name=str(entry["id"]),
        capabilities=frozenset({"embedding"})
        if entry.get("type") in ("embedding", "embeddings")
        else _chat(entry.get("type") == "vlm", tools, None),
        context_length=count(entry.get("max_context_length")),
        loaded=entry.get("state") == "loaded",
        loading=entry.get("state") == "loading",
        loaded_context_length=count(entry.get("loaded_context_length")),
        quantization=_word(entry.get("quantization")),
        family=_word(entry.get("arch")),
    )


def _chat(vision: object, tools: object, reasoning: object) -> frozenset[str]:
    further = {"vision": vision, "tools": tools, "reasoning": reasoning}
    return frozenset({"chat", "json_schema", *(word for word, given in further.items() if given)})


def _word(value: object) -> str | None:
    return value if isinstance(value, str) and value else None
