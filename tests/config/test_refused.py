"""Strict reading: every mistake has file, line, path, the offending text and the nearest valid name, all at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from turnout.config.problems import Problem, nearest, redacted, shown

Refused = Callable[..., tuple[Problem, ...]]

RULES = "routing:\n  rules:\n    - name: a\n      when: files > 1\n      then: {hold: true}\n"


@pytest.mark.parametrize(
    ("text", "line", "path", "words", "near"),
    [
        ("\nhybird: {}\n", 2, "hybird", "unknown key hybird", "hybrid"),
        ("hybrid:\n  defaultProvidr: auto\n", 2, "hybrid.defaultProvidr", "unknown key", "default_provider"),
        ("gateway:\n  zzz: 1\n", 2, "gateway.zzz", "known here: host, port", ""),
        ("hybrid:\n  enabled: 1\n", 2, "hybrid.enabled", "expected true or false (1)", ""),
        ("hybrid:\n  enabled: 'true'\n", 2, "hybrid.enabled", "expected true or false (true)", ""),
        ("gateway:\n  port: '80'\n", 2, "gateway.port", "expected a whole number (80)", ""),
        ("gateway:\n  port: 80.0\n", 2, "gateway.port", "expected a whole number (80.0)", ""),
        ("gateway:\n  port:\n", 2, "gateway.port", "expected a whole number (nothing)", ""),
        ("gateway:\n  port: 99999\n", 2, "gateway.port", "must be at most 65535 (99999)", ""),
        ("gateway:\n  host: 0.0.0.0\n", 2, "gateway.host", "name a keys_file", ""),
        ("gateway: [1]\n", 1, "gateway", "expected a section with keys (a list)", ""),
        ("routing:\n  preference: fst\n", 2, "routing.preference", "expected fast, balanced", "fast"),
        ("routing:\n  preference: true\n", 2, "routing.preference", "expected fast, balanced", ""),
        ("routing:\n  preference: {second: 1}\n", 2, "routing.preference", "(a section)", ""),
        ("routing:\n  rules: {a: 1}\n", 2, "routing.rules", "expected a list (a section)", ""),
        ("routing:\n  escalation:\n    threshold: .95\n", 3, "routing.escalation.threshold", "must lie between", ""),
        ("routing:\n  escalation:\n    max_threshold: .4\n", 2, "routing.escalation.min_threshold", "more than", ""),
        ("hybrid:\n  challenger: shadw\n", 2, "hybrid.challenger", "expected off, shadow or canary", "shadow"),
        ("hybrid:\n  default_provider: olama\n", 2, "hybrid.default_provider", "expected auto, lmstudio", "ollama"),
        ("providers:\n  mine:\n    base_url: http://x\n", 2, "providers.mine", "needs the key kind", ""),
        ("providers:\n  mine: {kind: olama, base_url: http://x}\n", 2, "providers.mine.kind", "no kind of", "ollama"),
        ("providers:\n  'a/b': {kind: ollama}\n", 2, 'providers."a/b"', "no slash", ""),
        ("providers:\n  ollama: {enabled: false}\n", 1, "providers", "no provider is enabled", ""),
        ("providers: {}\n", 1, "providers", "no provider is enabled", ""),
        ("providers:\n  ollama:\n    models: [a, 3]\n", 3, "providers.ollama.models[1]", "quotes", ""),
        ("providers:\n  ollama:\n    models: [a, a]\n", 3, "providers.ollama.models[1]", "second time (a)", ""),
        (
            "providers:\n  ollama:\n    models:\n      - contxt: 3\n",
            4,
            "providers.ollama.models[0]",
            "needs a name",
            "",
        ),
        (
            "providers:\n  ollama:\n    models:\n      - name: m\n        contxt_length: 3\n",
            5,
            "providers.ollama.models.m.contxt_length",
            "unknown key",
            "context_length",
        ),
        ("providers:\n  ollama: {api_key: x}\n", 2, "providers.ollama.api_key", "name the environment", "key_variable"),
        ("providers:\n  ollama:\n    timeouts: 30\n", 3, "providers.ollama.timeouts", "expected a section", ""),
        ("performance:\n  queue: {max_concurrent: no}\n", 2, "performance.queue.max_concurrent", "whole number", ""),
        ("privacy:\n  patterns:\n    a: b\n    c: '('\n", 4, "privacy.patterns.c", "no regular expression", ""),
        ("ensembles:\n  e: {kind: majorty}\n", 2, "ensembles.e.kind", "expected best_of", "majority"),
        ("voices:\n  v: {temperature: 0.2}\n", 2, "voices.v", "needs the key system_prompt", ""),
        ("voices:\n  v: {system_prompt: 3}\n", 2, "voices.v.system_prompt", "put it in quotes", ""),
        (
            "performance:\n  cache:\n    semantic: {embedding: nobody}\n",
            3,
            "performance.cache.semantic.embedding",
            "",
            "",
        ),
        (RULES + "    - name: b\n", 6, "routing.rules[1]", "needs the key when", ""),
        (RULES + RULES[18:].replace("> 1", "> 2"), 6, "routing.rules[1].name", "the first in line 3 (a)", ""),
    ],
)
def test_a_mistake_is_told_with_line_path_text_and_nearest_name(
    refused: Refused, text: str, line: int, path: str, words: str, near: str
) -> None:
    problems = refused(text)
    assert any(
        (problem.origin.line, problem.path, problem.nearest) == (line, path, near) and words in str(problem)
        for problem in problems
    ), "\n".join(map(str, problems))
    assert all(problem.origin.where == "f.yaml" for problem in problems)


@pytest.mark.parametrize(
    ("effect", "path", "near"),
    [
        ("force: lmstudoi", "force", "lmstudio"),
        ("force: [lmstudio, lmstudio/qwn]", "force[1]", "lmstudio/qwen"),
        ("force: 'lm*/llama*'", "force", ""),
        ("forbid: [cloud]", "forbid[0]", ""),
        ("forbid: lmstudio/", "forbid", "lmstudio"),
        ("prefer: {target: ollma}", "prefer.target", "ollama"),
        ("prefer: {target: qwen}", "prefer.target", "lmstudio/qwen"),
    ],
)
def test_a_rule_that_names_nobody_is_refused(refused: Refused, effect: str, path: str, near: str) -> None:
    text = f"providers:\n  lmstudio: {{models: [qwen]}}\n  ollama:\n{RULES.replace('hold: true', effect)}"
    (problem,) = refused(text)
    assert (problem.origin.line, problem.path, problem.nearest) == (8, f"routing.rules[0].then.{path}", near)


@pytest.mark.parametrize(
    "effect",
    [
        "force: lmstudio",
        "force: lmstudio/qwen",
        "force: ollama/whatever:70b",
        "forbid: ['*']",
        "forbid: ['lm*/q*', 'oll*']",
    ],
)
def test_a_rule_may_name_providers_candidates_patterns_and_what_a_provider_may_have(
    read: Callable[..., Any], effect: str
) -> None:
    read(f"providers:\n  lmstudio: {{models: [qwen]}}\n  ollama:\n{RULES.replace('hold: true', effect)}")


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("taskTyp == 'template'", "taskTyp"),
        ("keywords.contains(", ""),
        ("complexity == ", ""),
    ],
)
def test_a_condition_that_cannot_be_read_is_refused_at_its_line(refused: Refused, condition: str, words: str) -> None:
    (problem,) = refused(RULES.replace("files > 1", f'"{condition}"'))
    assert (problem.origin.line, problem.path) == (4, "routing.rules[0].when")
    assert words in problem.message


def test_voices_and_ensembles_name_who_is_there(refused: Refused) -> None:
    text = (
        "voices:\n  maker: {system_prompt: x, candidates: [olama]}\n"
        "ensembles:\n  two:\n    kind: voices\n    voices: [maker,\n      makr]\n    judge: nobody\n"
    )
    assert [(problem.origin.line, problem.path, problem.nearest) for problem in refused(text)] == [
        (2, "voices.maker.candidates[0]", "ollama"),
        (7, "ensembles.two.voices[1]", "maker"),
        (8, "ensembles.two.judge", ""),
    ]


def test_everything_that_is_wrong_is_told_at_once_in_the_order_of_the_file(refused: Refused) -> None:
    text = (
        "hybrid: {enabled: perhaps}\nproviders:\n  ollama: {models: [a, a], timeouts: {total: 3}}\n"
        f"{RULES.replace('hold: true', 'force: nobody')}gateway: {{port: -1, hots: x}}\n"
    )
    lines = [problem.origin.line for problem in refused(text)]
    assert lines == [1, 3, 3, 8, 9, 9]


def test_what_is_wrong_in_a_shared_section_is_told_once(refused: Refused) -> None:
    text = "performance:\n  queue: {max_concurrent: 0}\nproviders:\n  lmstudio: {queue: {max_waiting: 3}}\n  ollama:\n"
    (problem,) = refused(text)
    assert problem.path == "performance.queue.max_concurrent"


def test_sections_whose_lines_are_all_commented_out_are_nothing(read: Callable[..., Any]) -> None:
    text = "hybrid:\nproviders:\nrouting:\n  rules:\n  escalation:\nvoices:\nperformance:\n  cache:\n    exact:\n"
    assert read(text).configuration == read("").configuration


@pytest.mark.parametrize("secret", ["sk-proj-abcdefghijklmnop", "ghp_abcdefghijklmnop1234", "Bearer abcdef"])
def test_a_message_never_repeats_a_secret(refused: Refused, secret: str) -> None:
    for text in (
        f"gateway: {{port: '{secret}'}}\n",
        f"providers:\n  ollama: {{key_variable: '{secret}'}}\n",
        f"x: '{secret}\n",
    ):
        assert all(secret not in str(problem) and secret not in str(problem.to_json()) for problem in refused(text))


def test_values_are_quoted_short_and_on_one_line() -> None:
    assert shown("a\n  b") == "a b"
    assert len(shown("x" * 500)) == 80
    assert shown("hunter2", "api_key") == "…"
    assert redacted("postgresql://me:pw@host/db") == "postgresql://…@host/db"
    assert redacted("CLOUD_API_KEY", "key_variable") == "CLOUD_API_KEY"
    assert redacted(4096, "max_tokens") == 4096


def test_the_nearest_name_ignores_case_and_marks() -> None:
    assert nearest("maxConcurent", ("max_concurrent", "max_waiting")) == "max_concurrent"
    assert nearest("base-url", ("base_url",)) == "base_url"
    assert nearest("zzz", ("base_url",)) == ""
