"""Names of every habit become the same words: who made it, which one, how large, how old."""

from __future__ import annotations

from time import process_time
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.descriptors import Descriptor, describe

BASE = "qwen2.5-coder:7b"


@pytest.mark.parametrize(
    ("name", "family", "generation", "variant", "instruct", "total", "active"),
    [
        ("qwen2.5-coder:7b-instruct-q4_K_M", "qwen", "2.5", "coder", True, 7, 7),
        ("llama3.1:70b", "llama", "3.1", "instruct", True, 70, 70),
        ("llama2:7b-text", "llama", "2", "base", False, 7, 7),
        ("deepseek-r1:8b", "deepseek", "r1", "reasoning", True, 8, 8),
        ("deepseek/deepseek-r1-0528-qwen3-8b", "deepseek", "r1", "reasoning", True, 8, 8),
        ("qwen/qwen3-30b-a3b-2507", "qwen", "3", "instruct", True, 30, 3),
        ("meta-llama/Llama-3.3-70B-Instruct", "llama", "3.3", "instruct", True, 70, 70),
        ("mistralai/Mixtral-8x7B-Instruct-v0.1", "mistral", "0.1", "instruct", True, 46.7, 12.9),
        ("THUDM_glm-4-9b-chat", "glm", "4", "instruct", True, 9, 9),
        ("DeepSeek-R1-Q4_K_M-00001-of-00009.gguf", "deepseek", "r1", "reasoning", True, 671, 37),
        ("Llama-4-Scout-17B-16E-Instruct", "llama", "4", "instruct", True, 109, 17),
        ("gpt-oss:20b", "gpt", None, "reasoning", True, 20, 3.6),
        ("DSCoder-33b-Ins", "deepseek", None, "coder", True, 33, 33),
        ("Cllama-7b-Ins", "llama", None, "coder", True, 7, 7),
        ("WCoder-34B-V1", "wizard", "1.0", "coder", True, 34, 34),
        ("OC-DS-6.7B", "opencodeinterpreter", None, "coder", True, 6.7, 6.7),
        ("MagiCoderS-CL-7B", "magicoder", None, "coder", True, 7, 7),
        ("NousResearch_Hermes-2-Pro-Llama-3-8B", "hermes", "2", "instruct", True, 8, 8),
        ("Dracarys2-Llama-3.1-70B-Instruct", "dracarys", "2", "instruct", True, 70, 70),
        ("Salesforce_xLAM-7b-fc-r", "xlam", None, "tools", True, 7, 7),
        ("CodeQwen15-7B-Chat", "qwen", "1.5", "coder", True, 7, 7),
        ("c4ai-command-r-v01", "command", None, "instruct", True, 35, 35),
        ("Command-R+", "command", None, "instruct", True, 104, 104),
        ("jamba-1.5-large", "jamba", "1.5", "instruct", True, 398, 94),
        ("phi3:14b", "phi", "3", "instruct", True, 14, 14),
        ("deepseek-coder-v2:16b", "deepseek", "v2", "coder", True, 16, 2.4),
        ("Llama-2-7b-hf", "llama", "2", "base", False, 7, 7),
        ("gemma-7b", "gemma", None, None, None, 7, 7),
        ("qwen2.5vl:7b", "qwen", "2.5", "vision", True, 7, 7),
        ("mathstral-7B", "mistral", "0.1", "math", True, 7, 7),
        ("smollm2:135m", "smollm", "2", "instruct", True, 0.135, 0.135),
        ("qwen3-embedding:0.6b", "qwen", "3", "embedding", None, 0.6, 0.6),
        ("accounts/fireworks/models/llama-v3p1-70b-instruct", "llama", "3.1", "instruct", True, 70, 70),
        ("databricks-meta-llama-3-1-70b-instruct", "llama", "3.1", "instruct", True, 70, 70),
        ("llama3-groq-tool-use:8b", "llama", "3", "tools", True, 8, 8),
        ("OLMoE-1B-7B-0924-Instruct", "olmo", None, "instruct", True, 7, 1),
        ("OLMo-2-1124-13B-Instruct", "olmo", "2", "instruct", True, 13, 13),
        ("dolphin-mistral:7b-v2.8", "dolphin", "2.8", "instruct", True, 7, 7),
        ("Hunyuan-A13B-Instruct", "hunyuan", None, "instruct", True, 80, 13),
        ("granite3.1-moe:3b", "granite", "3.1", "instruct", True, 3, 0.8),
        ("exaone-deep:7.8b", "exaone", None, "reasoning", True, 7.8, 7.8),
        ("bge-large-en-v1.5", "bge", "1.5", "embedding", None, 0.335, 0.335),
        ("bge-m3", "bge", None, "embedding", None, 0.567, 0.567),
        ("solar-10.7b-instruct-v1.0", "solar", "1.0", "instruct", True, 10.7, 10.7),
        ("C:\\models\\Qwen2.5-14B-Instruct-IQ2_XS.gguf", "qwen", "2.5", "instruct", True, 14, 14),
    ],
)
def test_an_open_model_is_known_by_its_name(
    name: str,
    family: str,
    generation: str | None,
    variant: str | None,
    instruct: bool | None,
    total: float,
    active: float,
) -> None:
    found = describe(name)
    assert (found.family, found.generation, found.variant, found.instruct) == (family, generation, variant, instruct)
    assert (found.parameters_b, found.active_parameters_b) == (total, active)
    assert found.tier is None


@pytest.mark.parametrize(
    ("name", "family", "generation", "variant", "tier", "released"),
    [
        ("gpt-4o-mini-2024-07-18", "gpt", "4o", "instruct", "small", 2024.5),
        ("openai/gpt-4.1-nano", "gpt", "4.1", "instruct", "small", 2025.25),
        ("gpt-4-0613", "gpt", "4", "instruct", "large", 2023.4167),
        ("gpt-35-turbo-16k", "gpt", "3.5", "instruct", "small", 2023.1667),
        ("o3-mini", "gpt", "o3", "reasoning", "small", 2025.0),
        ("claude-3-5-sonnet-20240620", "claude", "3.5", "instruct", "medium", 2024.4167),
        ("anthropic.claude-3-haiku-20240307-v1:0", "claude", "3", "instruct", "small", 2024.1667),
        ("anthropic.claude-v2:1", "claude", "2.1", "instruct", "large", 2023.8333),
        ("Claude-3.7-Sonnet (Thinking)", "claude", "3.7", "reasoning", "medium", 2025.0833),
        ("anthropic/claude-3.7-sonnet:thinking", "claude", "3.7", "reasoning", "medium", 2025.0833),
        ("claude-opus-4-1-20250805", "claude", "4.1", "instruct", "large", 2025.5833),
        ("gemini-1.5-pro-002", "gemini", "1.5", "instruct", "medium", 2024.6667),
        ("gemini-1.5-pro-preview-0409", "gemini", "1.5", "instruct", "medium", 2024.25),
        ("Gemini-Flash-1.5-May", "gemini", "1.5", "instruct", "small", 2024.3333),
        ("models/gemini-2.0-flash", "gemini", "2.0", "instruct", "small", 2024.9167),
        ("Gemini-Pro", "gemini", "1.0", "instruct", "medium", 2023.9167),
        ("mistral-medium-2312", "mistral", None, "instruct", "medium", 2023.9167),
        ("yi-large-fc", "yi", None, "instruct", "large", 2024.3333),
        ("claude-3-5-sonnet-latest", "claude", "3.5", "instruct", "medium", None),
    ],
)
def test_a_cloud_model_is_known_by_its_makers_words(
    name: str, family: str, generation: str | None, variant: str, tier: str, released: float | None
) -> None:
    found = describe(name)
    assert (found.family, found.generation, found.variant, found.tier) == (family, generation, variant, tier)
    assert found.instruct is True and found.parameters_b is None
    assert found.released == released


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("O1-2024-12-17 (N=1) (High)", "effort", "high"),
        ("O4-Mini (Medium)", "effort", "medium"),
        ("openai/o4-mini-high", "effort", "high"),
        ("mistral-medium", "effort", None),
        ("functionary-medium", "effort", None),
        ("Phi-3-mini-4k-instruct", "context_tokens", 4096),
        ("Phi-3-medium-128k-instruct", "context_tokens", 131072),
        ("Qwen2.5-7B-Instruct-1M", "context_tokens", 1048576),
        ("Yi-34B-200K", "context_tokens", 200000),
        ("MiniMax-M1-80k", "context_tokens", None),
        ("llama3-70b-8192", "context_tokens", 8192),
        ("anthropic.claude-3-haiku-20240307-v1:0:200k", "context_tokens", 200000),
        ("claude-3-7-sonnet-20250219 (no thinking)", "variant", "instruct"),
        ("Qwen3-8B-quantized.w4a16", "quantisation", "W4A16"),
        ("mistral-embed", "parameters_b", None),
        ("grok-1", "active_parameters_b", None),
        ("grok-beta", "instruct", True),
        ("mixtral-8x7b-32768", "instruct", None),
        ("mlx-community/Qwen3-8B-4bit", "quantisation", "4BIT"),
        ("LLama3.1-405b-Ins-FP8", "bits_per_weight", 8.0),
        ("qwen2.5-coder-7b-instruct@q4_k_m", "bits_per_weight", 4.8944),
        ("mistral-large-2407", "parameters_b", 123.0),
        ("mistral-small-2402", "parameters_b", None),
        ("mistral-small-24b-instruct-2501", "generation", "3"),
        ("command-r-08-2024", "parameters_b", 32.0),
        ("deepseek-v3-0324", "released", 2025.1667),
        ("Qwen2.5-Coder-32B-Instruct", "released", 2024.8333),
        ("Qwen2.5-Coder-7B", "released", 2024.6667),
    ],
)
def test_what_else_a_name_tells(name: str, field: str, value: Any) -> None:
    assert getattr(describe(name), field) == value


# Ollama's tags


def test_a_tag_of_the_library_is_tuned_where_the_bare_name_does_not_say() -> None:
    assert describe("gemma2:9b").instruct is True
    assert describe("ollama/gemma2:9b").instruct is True
    assert describe("gemma2-9b").instruct is None
    assert describe("somebody/gemma2:9b").instruct is None


def test_what_a_tag_calls_text_or_code_is_the_base() -> None:
    assert describe("codellama:7b-code").instruct is False
    assert describe("stable-code:3b").instruct is True


def test_a_tag_that_may_be_a_base_does_not_tell() -> None:
    assert describe("phi:2.7b").instruct is None
    assert describe("yi:34b").instruct is True
    assert describe("yi:6b-200k").instruct is None


def test_the_default_tag_tells_the_size_only_of_what_has_one() -> None:
    assert describe("llama3.3:latest").parameters_b == 70
    assert describe("llama3.1:latest").parameters_b is None
    assert describe("deepseek-r1:latest").parameters_b is None
    assert describe("deepseek-r1").parameters_b == 671


# Identity


@pytest.mark.parametrize(
    "names",
    [
        ("gpt-4-1106-preview", "GPT-4-Turbo-1106", "gpt-4-1106-preview-FC"),
        ("claude-3-haiku-20240307", "Claude-3-Haiku", "claude-3-haiku-20240307 (prompting)"),
        ("Meta-Llama-3.1-8B-Instruct-Q4_K_M.gguf", "llama3.1:8b", "LLama3.1-8b-Ins", "meta.llama3-1-8b-instruct-v1:0"),
        ("Mixtral-8x7B-Ins", "open-mixtral-8x7b", "mistralai/Mixtral-8x7B-Instruct-v0.1", "mixtral:8x7b"),
        ("qwen2.5-coder:7b", "qwen2.5-coder-7b-instruct@q8_0", "Qwen/Qwen2.5-Coder-7B-Instruct-AWQ"),
        ("gemini-1.5-pro-preview-0514", "Gemini-Pro-1.5-May"),
        ("phi3:mini", "microsoft/Phi-3-mini-4k-instruct", "phi3:3.8b"),
        ("mistral-large-2407", "mistral-large-2407-FC-Any"),
    ],
)
def test_one_language_model_has_one_identity_however_it_is_served(names: tuple[str, ...]) -> None:
    assert len({describe(name).identity for name in names}) == 1


def test_different_language_models_are_told_apart() -> None:
    names = (
        "gpt-4o gpt-4o-2024-05-13 gpt-4o-2024-08-06 gpt-4o-mini gpt-4 gpt-4-turbo gpt-4.1-mini gpt-4.1-nano o1 "
        "o1-preview o1-mini o3-mini o3-mini-high gemini-2.0-flash gemini-2.0-flash-lite gemini-1.5-flash-8b "
        "Hermes-2-Pro-Llama-3-8B Hermes-2-Theta-Llama-3-8B QwQ-32B QwQ-32B-Preview Qwen2.5-32B-Instruct "
        "Qwen2.5-Coder-32B-Instruct Qwen2.5-Coder-32B qwen3:30b qwen3-coder:30b deepseek-v3 deepseek-v3-0324"
    ).split()
    assert len({describe(name).identity for name in names}) == len(names)


# Hostile names


UNKNOWN = Descriptor()


@pytest.mark.parametrize(
    "name",
    [
        "",
        " ",
        "nan",
        "-5b",
        "MyModel-999999999999b",
        "a" * 10_000,
        "qwen" * 3_000,
        "llama\x003:8b",
        "qwen２.５-7b",
        "١b",
        "\ud800",
    ],
)
def test_what_is_no_name_tells_nothing(name: str) -> None:
    assert describe(name) == UNKNOWN


@given(
    st.text(max_size=300)
    | st.from_regex(r"(?:llama|gpt|qwen|o1|[0-9.:_x+-]|[bkmav]|q4_k|\(high\)){1,30}", fullmatch=True)
)
@settings(max_examples=300)
def test_no_name_is_refused_and_none_gives_nonsense(name: str) -> None:
    found = describe(name)
    for size in (found.parameters_b, found.active_parameters_b, found.nominal_b):
        assert size is None or 0.001 <= size <= 5000
    if found.parameters_b is not None and found.active_parameters_b is not None:
        assert found.active_parameters_b <= found.parameters_b
    assert found.context_tokens is None or 0 < found.context_tokens <= 16 * 2**20
    assert found.released is None or 2018 <= found.released < 2036
    assert found.tier is None or found.parameters_b is None
    assert hash(found.identity) == hash(describe(name).identity)


@pytest.mark.parametrize("piece", ["-", "1-", "1.", "q4_", "a.b", "(", "2024-", "7b-", "llama-", " -1", "("])
def test_a_long_name_takes_no_longer_than_its_length(piece: str) -> None:
    name = (piece * 200)[:200]
    began = process_time()
    for _ in range(20):
        describe(name)
    assert process_time() - began < 0.5
