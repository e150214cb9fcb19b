"""Conditions that only compare: decided as the engine decides them, and left to it wherever they are more than that."""

from __future__ import annotations

from typing import Any, Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.expressions import CompiledRule, ExpressionError, compile_rule
from turnout.config.rules import Effects, Rule
from turnout.policy.comparisons import Layers, stands_alone
from turnout.policy.facts import Facts, FactSheet
from turnout.policy.requested import Requested
from turnout.policy.rules import RuleBook
from turnout.types import Request, Task

FLAGS: Final = ("conversation.present", "provider.ollama.healthy", "candidate['o/a'].loaded", "candidate['o/a'].remote")
WHOLE: Final = ("files", "turns", "promptTokens", "hour", "conversation.turns", "provider['lm-studio'].running")
FRACTIONS: Final = ("complexity_score", "tierScore", "confidence", "margin")
ABSENT: Final = ("resources.vram_free_mb", "resources['cpu_percent']")
OPEN_LISTS: Final = ("secrets", "provider.ollama.loaded")
WORDS: Final = ("", "a", "b", "é", "a b", "&&", "size(", "]", "fast")
LITERALS: Final = ("0", "1", "2", "3", "007", "0.5", "1.0", "2.0", "05.50", "9007199254740991")
QUOTED: Final = st.sampled_from([f"{start}{word}{start[-1]}" for word in WORDS for start in ("'", '"', "r'", 'R"')])
ORDER: Final = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
EQUAL: Final = st.sampled_from(["==", "!="])
CLOSED: Final = {
    "taskType": ("edit", "template"),
    "complexity": ("simple", "medium", "complex"),
    "tier": ("fast", "strong"),
    "preference": ("fast", "balanced", "quality"),
}
OPEN: Final = ("header.x", "headers['x_team']", "conversation.candidate", "candidate['o/a'].breaker")


def _list_of(texts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(st.lists(texts, max_size=3), st.booleans()).map(
        lambda drawn: f"[{', '.join(drawn[0])}{',' if drawn[0] and drawn[1] else ''}]"
    )


def _texts_of(name: str) -> st.SearchStrategy[str]:
    return st.sampled_from([f"'{value}'" for value in CLOSED[name]]) if name in CLOSED else QUOTED


@st.composite
def _text_compared(draw: st.DrawFn) -> str:
    name = draw(st.sampled_from([*CLOSED, *OPEN]))
    texts = _texts_of(name)
    if draw(st.booleans()):
        return f"{name} {draw(EQUAL)} {draw(texts)}"
    return f"{name} in {draw(_list_of(texts))}"


@st.composite
def _number_compared(draw: st.DrawFn) -> str:
    sized = [made for name in ("keywords", *OPEN_LISTS) for made in (f"size({name})", f"{name}.size()")]
    name = draw(st.sampled_from([*WHOLE, *FRACTIONS, *ABSENT, *sized]))
    return f"{name} {draw(ORDER)} {draw(st.sampled_from(LITERALS))}"


FLAG: Final = st.sampled_from(FLAGS)
PLAIN: Final = st.one_of(
    FLAG,
    FLAG.map("!{}".format),
    _text_compared(),
    _number_compared(),
    st.tuples(QUOTED, st.sampled_from(OPEN_LISTS)).map(" in ".join),
    st.sampled_from(["'bug' in keywords", "'go' in languages", "has(header.x)", "has(headers.other)"]),
)
MORE: Final = st.sampled_from(
    [
        "files + 1 > 2",
        "1 < files",
        "files > turns",
        "files > -1",
        "files > 1e0",
        "files > 0x1",
        "files % 2 == 0",
        "10 / files > 4",
        "conversation.present == true",
        "!conversation.present == false",
        "files > 1 == true",
        "true",
        "(files > 1 ? tools : turns) > 0",
        "header.x == 'a\\t'",
        "header.x != null",
        "header.x.size() > 0",
        "header.x < 'b'",
        "header.x.startsWith('a')",
        "'x' in header",
        "'a' == header.x",
        "files in [1, 2]",
        "preference == 0.5",
        "preference > 0.4",
        "secrets == ['a']",
        "secrets[0] == 'a'",
        "secrets.exists(s, s == 'a')",
        "size(header) > 0",
        "has(resources.vram_free_mb)",
        "int(tier_score) == 1",
        "header.x in secrets",
        "header.x in ['a', conversation.candidate]",
        "complexity_score == 9007199254740993",
        "complexity_score < 9007199254740992.0",
    ]
)


def _joined(parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.recursive(
        parts,
        lambda inner: st.one_of(
            st.tuples(inner, st.sampled_from([" && ", "||", " || // or\n"]), inner).map("".join),
            inner.map("({})".format),
            inner.map("!({})".format),
            inner.map("!!({})".format),
        ),
        max_leaves=6,
    )


ONE_OF_WORDS: Final = st.sampled_from(WORDS)
NUMBERS: Final = st.one_of(st.integers(0, 4), st.sampled_from([7, 2**53, 2**53 + 1, 2**62]))
SHARES: Final = st.one_of(st.sampled_from([0.0, 0.5, 1.0, 2.0, 5.5]), st.floats(allow_nan=False))


def _value_of(name: str) -> st.SearchStrategy[Any]:
    """Values that a fact of this name can have."""
    if name == "preference":
        return st.one_of(st.sampled_from(CLOSED[name]), st.floats())
    closed = {"task_type": "taskType"}.get(name, name)
    if closed in CLOSED:
        return st.sampled_from(CLOSED[closed])
    if name in ("keywords", "languages"):
        return st.lists(st.sampled_from(["bug", "go", "test"]), max_size=3)
    if name == "secrets" or name == "provider__ollama__loaded":
        return st.lists(ONE_OF_WORDS, max_size=3)
    if name == "header":
        return st.dictionaries(st.sampled_from(["x", "other", "third"]), ONE_OF_WORDS)
    if name.startswith("header__"):
        return st.none() | ONE_OF_WORDS
    if name.startswith("resources__"):
        return st.none() | SHARES
    if name.endswith(("candidate", "breaker")):
        return ONE_OF_WORDS
    if name.endswith(("present", "healthy", "remote")) or (name.startswith("candidate__") and name.endswith("loaded")):
        return st.booleans()
    return SHARES if name.endswith("_score") or name in ("confidence", "margin") else NUMBERS


def drawn_facts(draw: st.DrawFn, sheet: FactSheet) -> Facts:
    """Facts of random values, each in its place."""
    layers: list[list[Any]] = [[], [], []]
    for name, (layer, index) in sheet.places.items():
        assert index == len(layers[layer])
        layers[layer].append(draw(_value_of(name)))
    seen, asked, said = map(tuple, layers)
    return Facts(sheet, seen, asked, said)


def agrees(rule: CompiledRule, sheet: FactSheet, facts: Facts) -> None:
    """A comparison says what the engine says; where it cannot, it raises what hands the condition to the engine, unless
    it stands alone and so fails there."""
    compared = sheet.compared[0]
    assert compared is not None
    failures = rule.failures
    by_engine = rule.evaluate(facts.context)
    failed = rule.failures - failures
    assert rule.evaluate(facts.context_of(rule)) is by_engine
    try:
        by_comparison = compared(facts.layers)
    except TypeError:
        assert any(value is None for values in facts.layers for value in values)
        assert (by_engine is False and failed) or not stands_alone(rule.source)
        return
    assert by_comparison is by_engine
    assert not failed


@given(st.data(), _joined(PLAIN))
def test_a_comparison_decides_as_the_engine_does(data: st.DataObject, condition: str) -> None:
    rule = compile_rule(condition)
    sheet = FactSheet([rule])
    for _ in range(3):
        agrees(rule, sheet, drawn_facts(data.draw, sheet))


@given(st.data(), _joined(PLAIN | MORE))
def test_whatever_a_condition_holds_the_engine_is_not_contradicted(data: st.DataObject, condition: str) -> None:
    try:
        rule = compile_rule(condition)
    except ExpressionError:
        return
    sheet = FactSheet([rule])
    if sheet.compared[0] is not None:
        agrees(rule, sheet, drawn_facts(data.draw, sheet))


TOKENS: Final = st.sampled_from(
    "! ( ) && || == != < > in . [ ] , 'a' 'fast' 1 0.5 - + true null files header x has size keywords secrets preference "
    "conversation present turns ?".split()
)


@given(st.data(), st.lists(TOKENS, min_size=1, max_size=9).map(" ".join))
def test_no_order_of_words_that_the_engine_takes_is_misread(data: st.DataObject, condition: str) -> None:
    try:
        rule = compile_rule(condition)
    except ExpressionError:
        return
    sheet = FactSheet([rule])
    if sheet.compared[0] is not None:
        agrees(rule, sheet, drawn_facts(data.draw, sheet))


@given(MORE, _joined(PLAIN), st.sampled_from(["{0}", "{1} && {0}", "{0} || {1}", "!({0})", "({1}) && !(({0}))"]))
def test_what_is_more_than_comparisons_is_left_to_the_engine(more: str, plain: str, shape: str) -> None:
    condition = shape.format(more, plain)
    assert FactSheet([compile_rule(condition)]).compared == (None,)


@given(st.data(), st.sampled_from(ABSENT), ORDER, st.sampled_from(["{}", "({})", "!({})", "!!(({}))"]))
def test_a_comparison_with_an_absent_number_fails_where_nothing_stands_beside_it(
    data: st.DataObject, name: str, sign: str, shape: str
) -> None:
    rule = compile_rule(shape.format(f"{name} {sign} {data.draw(st.sampled_from(LITERALS))}"))
    sheet = FactSheet([rule])
    facts = Facts(sheet, (None,), ())
    assert stands_alone(rule.source)
    agrees(rule, sheet, facts)


def test_a_comparison_stands_alone_whatever_its_texts_hold() -> None:
    assert stands_alone("header.x == 'a && b'")
    assert not stands_alone("files > 1 && turns > 1")
    assert not stands_alone("files > 1||turns > 1")


def test_a_failure_for_absence_counts_and_is_told_like_one_of_the_engine(caplog: pytest.LogCaptureFixture) -> None:
    told, task = [], Task("edit", {"edit": 1.0}, "medium", 5.5, {"medium": 1.0}, "fast", 0.25)
    for decided in (lambda rule, facts: rule.evaluate(facts.context), lambda rule, _: rule.fail_for_absence()):
        rule = compile_rule("resources.vram_free_mb < 4000", name="full")
        with caplog.at_level("DEBUG"):
            assert decided(rule, FactSheet([rule]).of(Requested(Request.of("x"), task))) is False
        told.append((rule.failures, caplog.messages))
        caplog.clear()
    assert told[0] == told[1]


def layers_of(sheet: FactSheet, **values: Any) -> Layers:
    found: list[list[Any]] = [[], [], []]
    for name, (layer, _) in sheet.places.items():
        found[layer].append(values.get(name))
    return tuple(map(tuple, found))


def test_an_absent_number_is_handed_to_the_engine_only_where_it_is_reached() -> None:
    sheet = FactSheet([compile_rule("files > 3 || resources.vram_free_mb < 4000")])
    compared = sheet.compared[0]
    assert compared is not None
    assert compared(layers_of(sheet, files=4)) is True
    with pytest.raises(TypeError):
        compared(layers_of(sheet, files=3))


def test_a_book_asks_the_engine_about_what_is_absent() -> None:
    task = Task("edit", {"edit": 1.0}, "medium", 5.5, {"medium": 1.0}, "fast", 0.25)
    conditions = ("resources.vram_free_mb < 4000", "!(resources.vram_free_mb < 4000)", "header.x != 'a'", "files == 0")
    rules = [Rule(name=when, when=when, then=Effects(forbid=(f"x/{n}",))) for n, when in enumerate(conditions)]
    book = RuleBook(rules, ["x/0", "x/1", "x/2", "x/3"])
    facts = book.facts(Requested(Request.of("hello"), task))
    assert book.apply(facts).matched == (2, 3)
    assert book.failures == {conditions[0]: 1, conditions[1]: 1}


@pytest.mark.parametrize("sign", ["!", "conversation.present && ", "conversation.present || "])
def test_the_longest_conditions_do_not_overrun_the_stack(sign: str) -> None:
    times = 300 if sign == "!" else 80
    rule = compile_rule(sign * times + "conversation.present")
    sheet = FactSheet([rule])
    for present in (True, False):
        agrees(rule, sheet, Facts(sheet, (), (present,)))
