"""Conditions of rules: what is understood, what is refused and with which words, and that none can hurt."""

from __future__ import annotations

import logging
import subprocess
import sys
import time
from typing import Any

import cel
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.config.expression_variables import ALIASES, KEYWORDS, MAX_ENTRIES, VARIABLES
from turnout.config.expressions import CompiledRule, ExpressionError, compile_rule
from turnout.errors import ConfigurationError

KNOWN: dict[str, Any] = {
    "providers": ["lmstudio", "ollama", "lm-studio"],
    "candidates": ["ollama/llama3.3:70b", "lmstudio/b"],
}


def holds(condition: str, **values: Any) -> bool:
    rule = compile_rule(condition)
    context = cel.Context({name: _follow(values, path) for name, path in rule.paths.items()} | values)
    return rule.evaluate(context)


def _follow(values: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        values = values.get(name)
    return values


@pytest.mark.parametrize(
    ("condition", "values", "expected"),
    [
        ("taskType == 'template'", {"task_type": "template"}, True),
        ("taskType == 'template'", {"task_type": "edit"}, False),
        ("complexity == 'complex' && files > 5", {"complexity": "complex", "files": 6}, True),
        ("complexity == 'complex' && files > 5", {"complexity": "complex", "files": 5}, False),
        ("promptTokens > 8000 || fileCount >= 2", {"prompt_tokens": 1, "files": 2}, True),
        ("'security' in keywords", {"keywords": ["bug", "security"]}, True),
        ("keywords.exists(k, k in ['race', 'deadlock'])", {"keywords": ["race"]}, True),
        ("keywords.filter(k, k in ['race', 'bug', 'leak']).size() >= 2", {"keywords": ["bug", "leak", "api"]}, True),
        ("provider.lmstudio.healthy", {"provider": {"lmstudio": {"healthy": True}}}, True),
        ("!provider['lm-studio'].healthy", {"provider": {"lm-studio": {"healthy": True}}}, False),
        ("resources.vram_free_mb < 4000", {"resources": {"vram_free_mb": 3000.5}}, True),
        ("has(header.team) && header.team == 'core'", {"header": {"team": "core"}}, True),
        ("has(header.team) && header.team == 'core'", {"header": {}}, False),
        ("header.team != 'core'", {"header": {}}, True),
        ("conversation.present && conversation.turns > 3", {"conversation": {"present": True, "turns": 4}}, True),
        ("candidate.exists(c, candidate[c].waiting > 2)", {"candidate": {"a/b": {"waiting": 3}}}, True),
        ("size(secrets) > 0", {"secrets": ["jwt"]}, True),
        ("tier_score > 0.8 && complexity_score >= 7", {"tier_score": 0.9, "complexity_score": 7.0}, True),
        ("files > 2 // many", {"files": 3}, True),
        ("hour >= 22 || hour < 6", {"hour": 3}, True),
        ("preference == 'fast'", {"preference": 0.3}, False),
        ("preference == 'quality' || preference > 0.2", {"preference": 0.3}, True),
        ("true", {}, True),
    ],
)
def test_conditions_say_what_they_mean(condition: str, values: dict[str, Any], expected: bool) -> None:
    assert holds(condition, **values) is expected


@pytest.mark.parametrize("name", ALIASES)
def test_older_spellings_mean_the_same_variable(name: str) -> None:
    about = VARIABLES[ALIASES[name]]
    if about.type == "number":
        assert compile_rule(f"{name} > 5").variables == {ALIASES[name]}
    elif about.type == "text":
        assert compile_rule(f"{name} == '{about.values[0]}'").variables == {ALIASES[name]}
    else:
        assert compile_rule(f"size({name}) > 5").variables == {ALIASES[name]}


def test_a_rule_keeps_its_source_and_names_what_it_reads() -> None:
    rule = compile_rule("taskType == 'edit' && provider.ollama.healthy && candidate['a/b'].loaded", name="n")
    assert rule.source.startswith("taskType")
    assert rule.variables == {"task_type", "provider", "candidate"}
    assert set(rule.paths.values()) == {("provider", "ollama", "healthy"), ("candidate", "a/b", "loaded")}
    assert not rule.whole


def test_a_map_that_is_asked_for_anything_is_read_whole() -> None:
    assert compile_rule("provider.exists(p, provider[p].healthy)").whole == {"provider": None}
    assert compile_rule("has(provider.ollama)").whole == {"provider": frozenset({"ollama"})}


def test_a_map_may_be_read_whole_and_by_a_path_in_one_condition() -> None:
    rule = compile_rule("candidate['a/b'].loaded && candidate.exists(c, candidate[c].waiting > 2)")
    assert rule.whole == {"candidate": None} and set(rule.paths.values()) == {("candidate", "a/b", "loaded")}


def test_names_that_differ_by_a_dash_or_an_underscore_are_not_mixed_up() -> None:
    rule = compile_rule("provider['a-b'].healthy && !provider.a_b.healthy && !provider.a_2d_b.healthy")
    assert len(rule.paths) == 3


@pytest.mark.parametrize("name", VARIABLES)
def test_every_variable_says_what_it_is(name: str) -> None:
    about = VARIABLES[name]
    assert about.meaning and about.type in ("text", "number", "list", "map")
    assert len(about.values) <= MAX_ENTRIES
    assert all(about.fields.values())


@pytest.mark.parametrize("keyword", KEYWORDS)
def test_every_keyword_is_one_of_its_forms(keyword: str) -> None:
    forms = KEYWORDS[keyword].split()
    assert keyword in forms and len(set(forms)) == len(forms)


@pytest.mark.parametrize(
    ("condition", "told"),
    [
        ("taskTyp == 'edit'", "did you mean taskType?"),
        ("promt_tokens > 5", "did you mean prompt_tokens?"),
        ("task_type == 'debuging'", "did you mean debugging?"),
        ("task_type in ['edit', 'plan']", "did you mean planning?"),
        ("'hard' == complexity", "among simple, medium, complex"),
        ("'securty' in keywords", "did you mean security?"),
        ("complexity == complex", "or 'complex' if it is text"),
        ("provider.olama.healthy", "did you mean ollama?"),
        ("provider.ollama.helthy", "did you mean healthy?"),
        ("provider.lm-studio.healthy", "write provider['lm-studio']"),
        ("candidate['ollama/llama3.3'].loaded", "did you mean ollama/llama3.3:70b?"),
        ("candidate.ollama.loaded", "write candidate['provider/model']"),
        ("resources.vram < 5", "known are"),
        ("header['X-Team'] == 'a'", "x_team"),
        ("size(keyword) > 1", "did you mean keywords?"),
        ("keywords.contain('a')", "did you mean contains?"),
        ("keywords.exist(k, k == 'a')", "did you mean exists?"),
        ("frobnicate(files)", "unknown function frobnicate"),
        ("files > 3 and tools > 1", "write && for 'and'"),
        ("not (files > 3)", "unknown function not"),
        ("files = 3", "'=' cannot stand here"),
        ("files >", "column"),
        ("", "empty"),
        ("   // nothing", "empty"),
        ("files", "a number; a condition is true or false"),
        ("keywords", "a list; a condition is true or false"),
        ("files > 2 ? complexity : tier", "text; a condition is true or false"),
        ("null", "always fails"),
        ("files > 'a'", "different types"),
        ("complexity == 'simple' && files > 'a'", "different types"),
        ("1 / 0 > 1", "divides by zero"),
        ("k == 'a' || keywords.exists(k, k == 'a')", "unknown variable k"),
        ("keywords.exists(files, files == 'a')", "hides the variable"),
        ("turnout{a: 1}", "records cannot stand"),
        ("b'abc' == b'abc'", "unknown variable b"),
        ("'''a''' == 'a'", "not between three"),
        (".files > 3", "cannot stand"),
        ("provider__ollama__healthy", "unknown variable"),
        ("timestamp('2026-01-01T00:00:00Z') > timestamp('2025-01-01T00:00:00Z')", "unknown function timestamp"),
        ("has(provider)", "invalid argument"),
    ],
)
def test_a_wrong_condition_is_refused_with_words_that_help(condition: str, told: str) -> None:
    with pytest.raises(ExpressionError) as refused:
        compile_rule(condition, **KNOWN)
    assert told in str(refused.value)
    assert isinstance(refused.value, ConfigurationError)


def test_unknown_providers_pass_while_nobody_knows_which_there_are() -> None:
    assert compile_rule("provider.anything.healthy").paths


@pytest.mark.parametrize(
    "condition",
    [
        "task_type.matches('(a+)+$')",
        "matches(task_type, '(x{100}){100}')",
        "keywords.all(a, keywords.all(b, keywords.all(c, a != b || b != c)))",
        "keywords.map(a, keywords.map(b, keywords)).size() > 5",
        "[[1, 2].map(x, [1, 2].map(y, x + y))].size() > 0",
        f"({' + '.join(['keywords'] * 200)}).size() > 1",
        f"({' + '.join(['keywords'] * 15)}).filter(k, k != 'a').size() > 1",
        f"[{', '.join(['1'] * 300)}].exists(x, x > 2)",
        f"task_type == '{'a' * 3000}'",
        f"{'(' * 100_000}true{')' * 100_000}",
        f"{'[' * 1000}{']' * 1000} == []",
        f"{'size(' * 50}keywords{')' * 50} > 1",
        f"{'!' * 5000}true",
        f"{'-' * 5000}1 > 0",
        f"task_type{'.a' * 5000} == 1",
        f"keywords{'[0]' * 5000} == 1",
        f"true{' ? true : true' * 100}",
        f"files{' + 1' * 1000} > 3",
        "keywords.map(a, a).map(a, a).map(a, a).map(a, a).map(a, a).size() > 1",
    ],
)
def test_what_could_take_long_or_too_much_is_refused_quickly(condition: str) -> None:
    started = time.perf_counter()
    with pytest.raises(ExpressionError):
        compile_rule(condition)
    assert time.perf_counter() - started < 5


def test_nothing_that_is_accepted_overflows_a_small_stack() -> None:
    script = """
import threading
from turnout.config.expressions import ExpressionError, compile_rule
texts = [
    "(" * 100_000 + "true" + ")" * 100_000, "[" * 100_000, "!" * 100_000 + "true", "task_type" + ".a" * 100_000 + " == 1",
    "keywords" + "[0]" * 600 + " == 1", "keywords" + "[0]" * 125 + " == 1", "header" + ".a" * 198 + " == 1",
    "!" * 390 + "true", "-" * 390 + "1 > 0", "true" + " && true" * 190, "(" * 24 + "true" + ")" * 24,
    "true" + " ? true : true" * 16, "{" * 24, "{1:" * 24 + "1" + "}" * 24 + " == {}", "'" + "(" * 1900 + "' == task_type",
]
refused = []
def work():
    for text in texts:
        try:
            compile_rule(text)
        except ExpressionError:
            refused.append(text)
threading.stack_size(256 * 1024)
thread = threading.Thread(target=work)
thread.start()
thread.join()
print(len(refused))
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert 0 < int(done.stdout) < 15


def test_a_condition_that_fails_is_false_counted_and_told_once(caplog: pytest.LogCaptureFixture) -> None:
    rule = compile_rule("10 / files > 2", name="many files")
    with caplog.at_level(logging.WARNING):
        assert not rule.evaluate(cel.Context({"files": 0}))
        assert not rule.evaluate(cel.Context({"files": 0}))
    assert rule.evaluate(cel.Context({"files": 1}))
    assert rule.failures == 2
    (record,) = caplog.records
    assert "many files" in record.getMessage() and "zero" in record.getMessage()


@pytest.mark.parametrize(
    ("condition", "values"),
    [
        ("candidate[header.model].loaded", {"candidate": {}, "header__model": "secret-value"}),
        ("files > 3", {"files": "secret-value"}),
        ("files > 3", {}),
        ("keywords[3] == 'bug'", {"keywords": []}),
        ("int(header.n) > 3", {"header__n": "secret-value"}),
        ("files * files > 3", {"files": 2**62}),
        ("header.x.startsWith('a')", {"header__x": None}),
    ],
)
def test_values_of_a_request_are_never_logged(
    condition: str, values: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    rule = compile_rule(condition)
    with caplog.at_level(logging.DEBUG):
        assert not rule.evaluate(cel.Context(values))
    assert rule.failures == 1 and "secret-value" not in caplog.text


def test_a_result_that_is_not_true_or_false_at_run_time_is_false() -> None:
    rule = compile_rule("files == 77 ? files : false")  # no sample has 77 files
    assert rule.evaluate(cel.Context({"files": 77})) is False
    assert rule.failures == 1


def test_a_failing_condition_costs_no_more_than_a_few_microseconds() -> None:
    rule = compile_rule("10 / files > 2")
    context = cel.Context({"files": 0})
    best = min(_seconds(rule, context) for _ in range(20))
    assert best < 200e-6


def _seconds(rule: CompiledRule, context: cel.Context) -> float:
    started = time.perf_counter()
    rule.evaluate(context)
    return time.perf_counter() - started


WORDS = st.sampled_from(
    [*VARIABLES, *ALIASES, "k", "exists", "map", "all", "has", "size", "matches", "true", "null", "in", "healthy", "'edit'",
     "'", '"', "1", "2.5", "0x1f", "1u", "(", ")", "[", "]", "{", "}", ".", ",", "?", ":", "==", "<", "&&", "||", "!", "-",
     "+", "*", "/", "%", " ", "\\", "//", "\n", "é", "\ud800", "`", "b'x'", "r'\\'"]
)  # fmt: skip


@given(st.lists(WORDS, max_size=30).map("".join) | st.text(max_size=60))
@settings(deadline=None, max_examples=300)
def test_any_text_is_compiled_or_refused_and_nothing_else(text: str) -> None:
    try:
        rule = compile_rule(text)
    except ExpressionError as error:
        assert str(error)
    else:
        assert rule.evaluate(cel.Context({})) in (True, False)
