"""LM Studio's two model lists: what they tell, what they leave out, and anything that may stand in its place."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.documents import MISSING, paths, with_value

from turnout.providers.lmstudio_models import loaded_window, read_models_v0, read_models_v1, reasoning_options
from turnout.types import LanguageModel

V1: dict[str, Any] = {
    "models": [
        {
            "type": "llm",
            "publisher": "qwen",
            "key": "qwen/qwen3-4b",
            "display_name": "Qwen3 4B",
            "architecture": "qwen3",
            "quantization": {"name": "Q4_K_M", "bits_per_weight": 4},
            "size_bytes": 2_500_000_000,
            "params_string": "4B",
            "max_context_length": 40_960,
            "format": "gguf",
            "capabilities": {
                "vision": False,
                "trained_for_tool_use": True,
                "reasoning": {"allowed_options": ["off", "on"], "default": "on"},
            },
            "loaded_instances": [
                {"id": "qwen/qwen3-4b", "config": {"context_length": 16_384, "parallel": 4}},
                {"id": "qwen/qwen3-4b:2", "config": {"context_length": 8192}},
            ],
        },
        {
            "type": "embedding",
            "key": "nomic-embed",
            "quantization": None,
            "size_bytes": 80_000_000,
            "params_string": None,
            "max_context_length": 2048,
            "format": None,
            "loaded_instances": [],
        },
        {
            "type": "llm",
            "key": "gemma",
            "size_bytes": 3,
            "max_context_length": 8192,
            "capabilities": {"vision": True, "trained_for_tool_use": False},
            "loaded_instances": [{"id": "gemma"}],
        },
    ]
}
V0: dict[str, Any] = {
    "object": "list",
    "data": [
        {
            "id": "qwen3-4b",
            "object": "model",
            "type": "llm",
            "publisher": "qwen",
            "arch": "qwen3",
            "compatibility_type": "gguf",
            "quantization": "Q4_K_M",
            "state": "loaded",
            "max_context_length": 40_960,
            "loaded_context_length": 4096,
            "capabilities": ["tool_use"],
        },
        {"id": "llava", "type": "vlm", "state": "not-loaded", "max_context_length": 4096},
        {"id": "nomic-embed", "type": "embeddings", "state": "loading"},
    ],
}


def test_the_newer_list_is_read() -> None:
    qwen, nomic, gemma = read_models_v1(V1)
    assert qwen == LanguageModel(
        name="qwen/qwen3-4b",
        capabilities=frozenset({"chat", "json_schema", "tools", "reasoning"}),
        context_length=40_960,
        loaded=True,
        loaded_context_length=8192,
        size_bytes=2_500_000_000,
        memory_bytes=2_500_000_000,
        parameters="4B",
        quantization="Q4_K_M",
        family="qwen3",
        instances=("qwen/qwen3-4b", "qwen/qwen3-4b:2"),
    )
    assert nomic == LanguageModel(
        name="nomic-embed",
        capabilities=frozenset({"embedding"}),
        context_length=2048,
        loaded=False,
        size_bytes=80_000_000,
    )
    assert (gemma.capabilities, gemma.loaded) == (frozenset({"chat", "json_schema", "vision"}), True)
    assert gemma.loaded_context_length is None


def test_the_older_list_is_read() -> None:
    qwen, llava, nomic = read_models_v0(V0)
    assert qwen == LanguageModel(
        name="qwen3-4b",
        capabilities=frozenset({"chat", "json_schema", "tools"}),
        context_length=40_960,
        loaded=True,
        loaded_context_length=4096,
        quantization="Q4_K_M",
        family="qwen3",
    )
    assert (llava.capabilities, llava.loaded) == (frozenset({"chat", "json_schema", "vision"}), False)
    assert (nomic.capabilities, nomic.loaded, nomic.loading) == (frozenset({"embedding"}), False, True)


def test_most_fields_may_be_missing() -> None:
    assert read_models_v1({"models": [{"key": "m"}]}) == (
        LanguageModel(name="m", capabilities=frozenset({"chat", "json_schema"}), loaded=False),
    )
    assert read_models_v0({"data": [{"id": "m"}]}) == (
        LanguageModel(name="m", capabilities=frozenset({"chat", "json_schema"}), loaded=False),
    )


@pytest.mark.parametrize("entries", [None, {}, "x", 5, [], [None, 3, "m", []], [{}], [{"key": "", "id": ""}]])
def test_a_list_without_models_is_empty(entries: Any) -> None:
    assert read_models_v1({"models": entries}) == ()
    assert read_models_v0({"data": entries}) == ()


def test_the_window_is_the_smallest_among_the_instances() -> None:
    assert loaded_window(V1["models"][0]) == (True, 8192)
    assert loaded_window({"loaded_instances": [{"id": "a", "config": {"context_length": 0}}]}) == (True, None)
    assert loaded_window({"loaded_instances": [{"config": None}, {}]}) == (True, None)
    assert loaded_window({"loaded_instances": None}) == (False, None)


def test_the_reasoning_settings_that_a_model_takes_are_read() -> None:
    assert [reasoning_options(entry) for entry in V1["models"]] == [("off", "on"), (), ()]


@pytest.mark.parametrize("told", [None, [], "reasoning", {"reasoning": True}, {"reasoning": {"allowed_options": "on"}}])
def test_reasoning_that_is_told_in_no_known_way_takes_no_setting(told: Any) -> None:
    assert reasoning_options({"capabilities": told}) == ()


VALUES: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)


@pytest.mark.parametrize(("document", "read"), [(V1, read_models_v1), (V0, read_models_v0)], ids=["v1", "v0"])
@given(st.data())
def test_anything_in_place_of_any_field_gives_a_list_of_sound_models(
    document: Any, read: Any, data: st.DataObject
) -> None:
    path = data.draw(st.sampled_from(list(paths(document))))
    changed = with_value(document, path, data.draw(VALUES | st.just(MISSING)))
    for model in read(json.loads(json.dumps(changed))):
        assert isinstance(model, LanguageModel)
        assert model.name and isinstance(model.name, str)
        assert hash(model) == hash(copy.copy(model))
        for number in (model.context_length, model.loaded_context_length, model.size_bytes, model.memory_bytes):
            assert number is None or number >= 0
        assert model.capabilities <= {"chat", "embedding", "tools", "vision", "json_schema", "reasoning"}
