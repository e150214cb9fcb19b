"""A name is taken apart into words and numbers, and what is neither goes beside them."""

from __future__ import annotations

import pytest

from turnout.descriptors.dates import Month
from turnout.descriptors.tokens import Name, taken_apart


@pytest.mark.parametrize(
    ("name", "tokens"),
    [
        ("Qwen/Qwen2.5-7B-Instruct", ("qwen", "2.5", "7b", "instruct")),
        ("llama-v3p1-70b", ("llama", "v3.1", "70b")),
        ("meta.llama3-1-8b-instruct-v1:0", ("meta", "llama", "3.1", "8b", "instruct")),
        ("mistral.mistral-7b-instruct-v0:2", ("mistral", "mistral", "7b", "instruct", "v0.2")),
        ("internlm2_5-7b", ("internlm", "2.5", "7b")),
        ("GLM-4.5V", ("glm", "4.5", "v")),
        ("Command-R+", ("command", "r", "plus")),
        ("DeepSeek-R1-00001-of-00009.gguf", ("deepseek", "r1")),
        ("gemma3:12b:2", ("gemma", "3", "12b", "2")),
        ("qwen3-8b:2", ("qwen", "3", "8b")),
        ("llama--5b", ("llama",)),
        ("olmo-2-1124-13b", ("olmo", "2", "13b")),
    ],
)
def test_words_and_numbers_are_tokens(name: str, tokens: tuple[str, ...]) -> None:
    assert taken_apart(name).tokens == tokens


def test_what_a_name_carries_goes_beside_its_tokens() -> None:
    assert taken_apart("ollama/mistral-small:24b-instruct-2501-q4_K_M") == Name(
        tokens=("mistral", "small", "24b", "instruct"),
        tag=("24b", "instruct", "2501", "q4", "k", "m"),
        quantisation="Q4_K_M",
        dated=Month(2025, 1),
    )
    assert taken_apart("O3-Mini-2025-01-31 (Med)").effort == "medium"


@pytest.mark.parametrize("name", ["llama3:free", "meta/llama3:8b", "hf.co/a/b-GGUF:Q4_K_M", "llama3"])
def test_only_the_librarys_own_form_is_a_tag(name: str) -> None:
    assert taken_apart(name).tag is None
