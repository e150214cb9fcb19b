"""Names that mean the same language model, and names that only look alike."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.providers.names import ollama_name, same_in_lmstudio, same_in_ollama, same_in_openai

NAMES = st.text(st.sampled_from("aB3:@/-.\\_ İé"), max_size=20) | st.text(max_size=12)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("qwen/qwen3-4b", "qwen/qwen3-4b"),
        ("qwen/qwen3-4b", "qwen/qwen3-4b:2"),
        ("qwen/qwen3-4b:3", "qwen/qwen3-4b"),
        ("qwen/qwen3-4b", "qwen/qwen3-4b@q4_k_m"),
        ("qwen/qwen3-4b@q8_0", "qwen/qwen3-4b"),
        ("qwen/qwen3-4b", "qwen/qwen3-4b@q4_k_m:2"),
        ("Qwen/Qwen3-4B", "qwen/qwen3-4b"),
    ],
)
def test_lm_studio_numbers_its_instances_and_marks_its_variants(asked: str, answered: str) -> None:
    assert same_in_lmstudio(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("qwen/qwen3-4b", "qwen/qwen3-8b"),
        ("qwen/qwen3-4b", "qwen/qwen3-4b-instruct"),
        ("qwen/qwen3-4b", "google/gemma-3-4b"),
        ("qwen/qwen3-4b", "qwen/qwen3-4b:latest"),
        ("qwen/qwen3-4b", ""),
    ],
)
def test_lm_studio_answering_with_another_one_is_seen(asked: str, answered: str) -> None:
    assert not same_in_lmstudio(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("llama3.3", "llama3.3:latest"),
        ("llama3.3:latest", "llama3.3"),
        ("Llama3.3:70B", "llama3.3:70b"),
        ("hf.co/unsloth/gemma:Q4_K_M", "hf.co/unsloth/gemma:q4_k_m"),
        ("host:5000/team/m", "host:5000/team/m:latest"),
    ],
)
def test_ollama_adds_a_tag_and_ignores_case(asked: str, answered: str) -> None:
    assert same_in_ollama(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [("llama3.3", "llama3.3:8b"), ("qwen3:4b", "qwen3:8b"), ("team/m", "m"), ("host:5000/m", "host:5000/n"), ("m", "")],
)
def test_ollama_tags_and_owners_tell_models_apart(asked: str, answered: str) -> None:
    assert not same_in_ollama(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-2024-08-06"),
        ("gpt-4", "gpt-4-0613"),
        ("claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
        ("claude-3-5-sonnet-latest", "claude-3-5-sonnet-20241022"),
        ("claude-3-5-sonnet", "claude-3-5-sonnet@20240620"),
        ("GPT-4o", "gpt-4o"),
        ("m.gguf", "/models/m.gguf"),
        ("m.gguf", "C:\\models\\m.gguf"),
        ("/models/m.gguf", "m.gguf"),
        ("meta-llama/Llama-3.1-8B", "Llama-3.1-8B"),
    ],
)
def test_clouds_answer_with_a_dated_release_and_servers_with_a_path(asked: str, answered: str) -> None:
    assert same_in_openai(asked, answered)


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ("gpt-4o", "gpt-4o-mini"),
        ("gpt-4o", "gpt-4o-mini-2024-07-18"),
        ("gpt-4", "gpt-4.1-2025-04-14"),
        ("claude-3-5-sonnet-latest", "claude-3-7-sonnet-20250219"),
        ("m.gguf", "/models/n.gguf"),
        ("gpt-4o", ""),
    ],
)
def test_another_model_of_the_family_is_another_model(asked: str, answered: str) -> None:
    assert not same_in_openai(asked, answered)


@pytest.mark.parametrize("name", ["chatgpt-4o-latest", "mistral-large-latest"])
def test_an_alias_that_is_echoed_is_the_same_model(name: str) -> None:
    assert same_in_openai(name, name)


@given(NAMES)
def test_every_name_is_the_same_as_itself_in_either_case(name: str) -> None:
    for same in (same_in_lmstudio, same_in_ollama):
        assert same(name, name)
        assert same(name.lower(), name)
    assert same_in_openai(name, name)


@given(NAMES, NAMES)
def test_the_local_servers_compare_both_ways_alike(one: str, other: str) -> None:
    assert same_in_lmstudio(one, other) == same_in_lmstudio(other, one)
    assert same_in_ollama(one, other) == same_in_ollama(other, one)


@given(NAMES)
def test_a_name_as_ollama_lists_it_stays_as_it_is(name: str) -> None:
    listed = ollama_name(name)
    assert ":" in listed.rpartition("/")[2]
    assert ollama_name(listed) == listed
