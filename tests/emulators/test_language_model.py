"""Models from names, and the seeded answers, tokens and vectors that they make."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from turnout.emulators.answers import Script, answer, difficulty, judge, solution, success_probability
from turnout.emulators.language_model import default_models, model_from_name
from turnout.emulators.questions import Question, Tool, count_prompt_tokens, message_text, read_openai_chat
from turnout.emulators.tokens import alternatives, count_tokens, embedding, split_tokens

EASY = "What is the capital of France?"
HARD = "Design a lock-free multi-tenant scheduler with failover, prove linearizability and migrate 40 services to it"
SMALL, LARGE = model_from_name("qwen2.5-coder-1.5b"), model_from_name("llama3.3:70b")


def ask(prompt: str, **fields: Any) -> Question:
    return Question(prompt, count_tokens(prompt), **fields)


@pytest.mark.parametrize(
    ("name", "parameters_b"),
    [
        ("qwen2.5-coder:7b", 7),
        ("llama-3.3-70b", 70),
        ("qwen2.5-coder-1.5b", 1.5),
        ("qwen3:30b-a3b", 30),
        ("mystery", 7),
    ],
)
def test_parameters_are_read_from_the_name(name: str, parameters_b: float) -> None:
    assert model_from_name(name).parameters_b == parameters_b


def test_bigger_models_are_better_slower_and_longer_to_load() -> None:
    assert SMALL.quality < LARGE.quality
    assert SMALL.decode_tokens_per_s > LARGE.decode_tokens_per_s
    assert SMALL.load_s < LARGE.load_s
    assert SMALL.size_bytes < LARGE.size_bytes


def test_a_mixture_of_experts_is_as_fast_as_its_active_part() -> None:
    assert model_from_name("qwen3:30b-a3b").decode_tokens_per_s == model_from_name("qwen3:3b").decode_tokens_per_s


@pytest.mark.parametrize("kind", ["ollama", "lmstudio", "openai", "anthropic"])
def test_every_kind_has_default_models(kind: str) -> None:
    models = default_models(kind)
    assert len({model.name for model in models}) == len(models) >= 2
    assert all(0 < model.quality < 1 and model.decode_tokens_per_s > 0 for model in models)


def test_capabilities_follow_the_family() -> None:
    assert model_from_name("nomic-embed-text").is_embedding
    assert model_from_name("qwen3:4b").thinks and not model_from_name("qwen3-coder:30b").thinks
    assert "vision" in model_from_name("llava:7b").capabilities
    assert model_from_name("llama3.1:8b-instruct-q8_0").quantization == "Q8_0"


def test_harder_prompts_are_answered_rightly_less_often() -> None:
    assert difficulty(EASY) < difficulty(HARD)
    assert success_probability(SMALL, EASY) > 0.8 > 0.2 > success_probability(SMALL, HARD)
    assert success_probability(LARGE, HARD) > success_probability(SMALL, HARD) + 0.3


def test_a_script_says_how_hard_a_prompt_is_and_how_long_its_answer() -> None:
    easy, hard = Script(0.0, 40), Script(1.0, 400)
    assert success_probability(SMALL, HARD, easy) == success_probability(SMALL, EASY, easy) > 0.95
    assert success_probability(SMALL, EASY, hard) < 0.05
    short, long = (answer(0, SMALL, ask(HARD), script) for script in (easy, Script(0.0, 400)))
    assert 40 <= len(short.text.split()) < 100 < 400 <= len(long.text.split())
    assert short.right and long.right and not answer(0, SMALL, ask(EASY), hard).right


def test_the_share_of_right_answers_is_the_probability() -> None:
    prompt = "explain how connection pooling works with retries"
    middling = replace(SMALL, quality=difficulty(prompt) - 0.1)
    right = sum(answer(seed, middling, ask(prompt)).right for seed in range(400)) / 400
    assert right == pytest.approx(success_probability(middling, prompt), abs=0.08)


@pytest.mark.parametrize("form", ["prose", "code", "schema", "tool"])
def test_right_answers_hold_the_code_word_and_wrong_ones_do_not(form: str) -> None:
    tool = Tool("find", {"type": "object", "properties": {"query": {"type": "string"}}})
    fields: dict[str, Any] = {
        "prose": {},
        "code": {},
        "schema": {
            "schema": {"type": "object", "properties": {"n": {"type": "integer"}, "answer": {"type": "string"}}}
        },
        "tool": {"tools": (tool,), "tool_choice": "required"},
    }[form]
    seen = set()
    for number in range(60):
        prompt = f"{'write a python function' if form == 'code' else 'plan the rollout'}, variant {number}"
        made = answer(number, SMALL, ask(prompt, **fields))
        text = made.text or json.dumps(made.calls[0].arguments)
        assert judge(prompt, text) is made.right
        seen.add(made.right)
    assert seen == {True, False}


def test_answers_repeat_themselves_in_another_process() -> None:
    script = (
        "from turnout.emulators.answers import answer\n"
        "from turnout.emulators.language_model import model_from_name\n"
        "from turnout.emulators.questions import Question\n"
        f"print(ascii(answer(7, model_from_name('llama3.3:70b'), Question({HARD!r}, 9)).text))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout.strip() == ascii(answer(7, LARGE, ask(HARD)).text)


def test_a_code_block_names_the_language_that_was_asked_for() -> None:
    for language in ("python", "rust", "sql", "typescript"):
        text = answer(0, LARGE, ask(f"write a {language} function that parses dates")).text
        if judge(f"write a {language} function that parses dates", text):
            assert re.search(rf"^```{language}\n.+\n```$", text, re.MULTILINE | re.DOTALL)
    assert "```" not in answer(0, LARGE, ask(EASY)).text


def test_some_answers_hold_characters_that_break_careless_parsers() -> None:
    text = "".join(answer(0, LARGE, ask(f"tell me about topic {number}")).text for number in range(60))
    for character in ("é", "🚆", "\u2028", "\u0085"):
        assert character in text


def test_pieces_joined_are_the_text_and_each_has_a_log_probability() -> None:
    made = answer(0, model_from_name("qwen3:4b"), ask(EASY, think=True))
    assert made.tokens == len(made.pieces)
    assert made.thinking and made.text and made.pieces[0].kind == "thinking"
    assert all(piece.logprob < 0 for piece in made.pieces)


def test_right_answers_are_likelier_token_by_token() -> None:
    means: dict[bool, list[float]] = {True: [], False: []}
    for number in range(60):
        made = answer(number, SMALL, ask("plan the rollout"))
        means[made.right].append(sum(piece.logprob for piece in made.pieces) / len(made.pieces))
    assert min(means[True]) > max(means[False])


def test_limits_and_stop_sequences_cut_an_answer() -> None:
    cut = answer(0, LARGE, ask(EASY, max_tokens=4))
    assert (cut.finish, cut.tokens, len(cut.pieces)) == ("length", 4, 4)
    stopped = answer(0, LARGE, ask(EASY, stop=("answer",)))
    assert stopped.finish == "stop" and "answer" not in stopped.text and stopped.text


def test_a_number_of_words_asked_for_is_about_what_comes() -> None:
    words = len(answer(0, LARGE, ask("write 500 words on trains")).text.split())
    assert 490 < words < 560


def test_a_tool_is_called_when_it_is_named_or_required_and_not_after_its_result() -> None:
    tool = Tool("get_weather", {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
    named = answer(0, LARGE, ask("use get_weather for Rome", tools=(tool,)))
    assert named.finish == "tool_calls" and named.calls[0].name == "get_weather" and not named.text
    assert isinstance(named.calls[0].arguments["city"], str)
    sent = "".join(piece.text for piece in named.pieces if piece.kind == "call")
    assert json.loads(sent) == named.calls[0].arguments
    assert not answer(0, LARGE, ask(EASY, tools=(tool,))).calls
    assert answer(0, LARGE, ask(EASY, tools=(tool,), tool_choice="required")).calls
    assert not answer(0, LARGE, ask("use get_weather", tools=(tool,), tool_choice="none")).calls
    assert not answer(0, LARGE, ask("use get_weather", tools=(tool,), tool_results=True)).calls


def test_an_emptied_answer_still_counts_its_tokens() -> None:
    made = answer(0, LARGE, ask(EASY))
    assert made.emptied().text == "" and made.emptied().tokens == made.tokens > 0


def test_an_empty_prompt_is_answered_too() -> None:
    assert answer(0, LARGE, ask("")).text


def test_tokens_are_about_four_characters() -> None:
    text = answer(0, LARGE, ask("write 300 words on signals")).text
    assert "".join(split_tokens(text)) == text
    assert len(split_tokens(text)) == pytest.approx(count_tokens(text), rel=0.25)
    assert count_tokens("") == 0


def test_solutions_depend_on_the_prompt_alone() -> None:
    assert solution(EASY) == solution(f" {EASY}\n") != solution(HARD)


def test_embeddings_are_unit_vectors_and_shared_words_bring_them_together() -> None:
    near, far = embedding("the train leaves from track nine"), embedding("bake bread with rye flour")
    other = embedding("the train arrives on track nine")

    def cosine(left: list[float], right: list[float]) -> float:
        return sum(a * b for a, b in zip(left, right, strict=True))

    assert len(near) == 384 and math.isclose(cosine(near, near), 1)
    assert cosine(near, other) > 0.5 > cosine(near, far)
    assert math.isclose(cosine(embedding(""), embedding("")), 1)
    assert len(embedding("x", 16)) == 16


def test_alternatives_begin_with_the_generated_token() -> None:
    found = alternatives("yes", -0.1, 3)
    assert found[0] == ("yes", -0.1) and len(found) == 3
    assert found[1][1] <= -0.1 and found[2][1] < found[1][1]
    assert alternatives("yes", -0.1, 0) == []


def test_openai_bodies_are_read() -> None:
    parts = [{"type": "text", "text": "look"}, {"type": "image_url", "image_url": {"url": "data:..."}}]
    body = {
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": parts}],
        "response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}},
        "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
        "max_tokens": 5,
        "stop": "END",
    }
    question = read_openai_chat(body)
    assert question.prompt == "look" and question.schema == {"type": "object"}
    assert (question.tool_choice, question.max_tokens, question.stop) == ("f", 5, ("END",))
    assert question.prompt_tokens > 256
    assert message_text(None) == "" and message_text(["a", {"text": "b"}]) == "a\nb"
    assert count_prompt_tokens([{"role": "user", "content": "abcd", "images": ["x"]}]) == 4 + 1 + 256
