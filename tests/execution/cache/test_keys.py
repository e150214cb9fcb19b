"""Keys: equal for equal requests whatever the order of mappings, different for all others, and never across scopes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.config.values import freeze
from turnout.errors import RequestError
from turnout.execution.cache.keys import context_key, exact_key, is_repeatable, scope_of, scope_prefix
from turnout.types import Hints, Image, JsonSchema, Message, Request, Sampling, Tool, ToolCall

PLAIN = Request((Message("user", "How do I reverse a list?"),))
SCHEMA: dict[str, Any] = {"type": "object", "properties": {"a": {"type": "string"}, "b": {"type": "integer"}}}


def key(request: Request = PLAIN, scope: str = "", target: str | tuple[str, ...] = ()) -> str:
    return exact_key(request, scope=scope, target=target)


def asked(**changes: Any) -> Request:
    return replace(PLAIN, **changes)


def said(**changes: Any) -> Request:
    return Request((replace(Message("user", "hello"), **changes),))


DIFFERENT = {
    "plain": PLAIN,
    "other text": said(),
    "other role": said(role="system"),
    "name": said(name="hello"),
    "answers a call": said(tool_call_id="hello"),
    "an image": said(images=(Image("a"),)),
    "two images": said(images=(Image("a"), Image("b"))),
    "one image with both": said(images=(Image("ab"),)),
    "a call": said(tool_calls=(ToolCall("1", "f", "{}"),)),
    "a call with another id": said(tool_calls=(ToolCall("2", "f", "{}"),)),
    "a call with arguments": said(tool_calls=(ToolCall("1", "f", "{ }"),)),
    "two messages": Request((Message("user", "hel"), Message("user", "lo"))),
    "a message and an empty one": Request((Message("user", "hello"), Message("user", ""))),
    "no message": Request(()),
    "a tool": asked(tools=(Tool("f"),)),
    "a described tool": asked(tools=(Tool("f", "does it"),)),
    "a tool with another schema": asked(tools=(Tool("f", "", SCHEMA),)),
    "two tools": asked(tools=(Tool("f"), Tool("g"))),
    "two tools in another order": asked(tools=(Tool("g"), Tool("f"))),
    "tool choice": asked(tool_choice="required"),
    "file": asked(files=("a.py",)),
    "two files": asked(files=("a.py", "b.py")),
    "json": asked(answer_format="json"),
    "schema": asked(answer_format=JsonSchema(SCHEMA)),
    "schema of another name": asked(answer_format=JsonSchema(SCHEMA, "json")),
    "schema with true": asked(answer_format=JsonSchema({"const": True})),
    "schema with one": asked(answer_format=JsonSchema({"const": 1})),
    "schema with text": asked(answer_format=JsonSchema({"const": "1"})),
    "reasoning": asked(reasoning="low"),
    **{
        f"sampling {name} {value}": asked(sampling=Sampling(**{name: value}))
        for name, value in [
            ("temperature", 0), ("temperature", 1), ("top_p", 1), ("top_k", 1), ("min_p", 1), ("presence_penalty", 1),
            ("frequency_penalty", 1), ("repeat_penalty", 1), ("max_tokens", 1), ("seed", 1), ("seed", 0),
            ("stop", ("a",)), ("stop", ("a", "b")), ("stop", ("ab",)), ("logprobs", True), ("top_logprobs", 1),
        ]
    },
}  # fmt: skip


def test_requests_that_differ_in_any_field_never_share_a_key() -> None:
    keys = {name: key(request) for name, request in DIFFERENT.items()}
    assert len(set(keys.values())) == len(DIFFERENT)


def test_every_field_of_a_request_is_in_the_key() -> None:
    # A field that is added to one of these must be added to the key, and then here.
    fields = {kind: len(kind.__dataclass_fields__) for kind in (Request, Message, Sampling, Tool, ToolCall, Image)}
    assert fields == {Request: 7, Message: 6, Sampling: 12, Tool: 3, ToolCall: 3, Image: 1}


def test_scope_and_target_are_in_the_key() -> None:
    keys = [
        key(scope=scope, target=target)
        for scope in ("", "a", "b")
        for target in ((), "", "a", ("a",), ("a", ""), ("", "a"), ("a", "b"), ("ab",))
    ]
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("kind", [dict, freeze, MappingProxyType])
def test_the_order_of_keys_in_a_schema_does_not_matter(kind: Any) -> None:
    turned = {"properties": {"b": {"type": "integer"}, "a": {"type": "string"}}, "type": "object"}
    for request in (
        lambda schema: asked(answer_format=JsonSchema(schema)),
        lambda schema: asked(tools=(Tool("f", "", schema),)),
    ):
        assert key(request(SCHEMA)) == key(request(kind(turned)))


def test_equal_numbers_give_equal_keys() -> None:
    for one, other in [(1, 1.0), (0, 0.0), (0.0, -0.0)]:
        assert key(asked(sampling=Sampling(temperature=one))) == key(asked(sampling=Sampling(temperature=other)))


def test_a_key_is_64_digits_that_begin_with_its_scope() -> None:
    assert len(key()) == 64 and int(key(), 16) >= 0
    assert key(scope="a").startswith(scope_prefix("a")) and not key(scope="b").startswith(scope_prefix("a"))


@pytest.mark.parametrize("text", ["\ud800", "\x00", "é", "e\u0301", "🎉", '"', "\\", ""])
def test_any_text_has_a_key_of_its_own(text: str) -> None:
    others = {key(said(content=other)) for other in ("plain", "\udfff", "\x01", "e", "🎊", "'")}
    assert key(said(content=text)) not in others
    assert key(said(content=text), scope=text, target=text)


def nested(depth: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(depth):
        inner = {"a": inner}
    return inner


@pytest.mark.parametrize("schema", [{"a": object()}, {"a": {1, 2}}, {1: "a", "b": "c"}, nested(100_000)])
def test_a_schema_that_is_no_json_is_told(schema: Mapping[str, Any]) -> None:
    with pytest.raises(RequestError, match="is no JSON"):
        key(asked(answer_format=JsonSchema(schema)))


texts = st.text(max_size=6)
schemas = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=8,
)
mappings = st.dictionaries(texts, schemas, max_size=3)
calls = st.lists(st.builds(ToolCall, texts, texts, texts), max_size=2).map(tuple)
images = st.lists(st.builds(Image, texts), max_size=2).map(tuple)
messages = st.builds(Message, texts, texts, images, calls, texts, texts)
numbers = st.none() | st.floats(allow_nan=False)
samplings = st.builds(
    Sampling, temperature=numbers, top_p=numbers, max_tokens=st.none() | st.integers(), stop=st.lists(texts).map(tuple)
)
requests = st.builds(
    Request,
    st.lists(messages, max_size=3).map(tuple),
    tools=st.lists(st.builds(Tool, texts, texts, mappings), max_size=2).map(tuple),
    files=st.lists(texts, max_size=2).map(tuple),
    sampling=samplings,
    tool_choice=texts,
    answer_format=st.none() | st.just("json") | st.builds(JsonSchema, mappings, texts),
)


def reordered(value: Any) -> Any:
    """The same with every mapping turned round."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(value)}
    return [reordered(entry) for entry in value] if isinstance(value, list) else value


def as_json(request: Request) -> Any:
    """What the request says, with types that Python would call equal told apart."""

    def told(value: Any) -> Any:
        if isinstance(value, Mapping):
            return {name: told(entry) for name, entry in value.items()}
        if isinstance(value, list | tuple):
            return [told(entry) for entry in value]
        return (type(value).__name__, repr(value))

    answer = request.answer_format
    return (
        replace(request, tools=(), answer_format=None),
        [(tool.name, tool.description, told(tool.parameters)) for tool in request.tools],
        (answer.name, told(answer.schema)) if isinstance(answer, JsonSchema) else answer,
    )


@given(requests, requests)
def test_two_requests_share_a_key_only_where_they_say_the_same(one: Request, other: Request) -> None:
    assert (key(one) == key(other)) == (as_json(one) == as_json(other))


@given(requests)
def test_the_order_of_mappings_never_matters(request: Request) -> None:
    answer = request.answer_format
    turned = replace(
        request,
        tools=tuple(replace(tool, parameters=reordered(tool.parameters)) for tool in request.tools),
        answer_format=replace(answer, schema=reordered(answer.schema)) if isinstance(answer, JsonSchema) else answer,
    )
    assert key(request) == key(turned)


# Context


def test_requests_that_differ_in_the_last_question_share_a_context() -> None:
    one = Request((Message("system", "Be brief."), Message("user", "one")), sampling=Sampling(temperature=0))
    other = replace(one, messages=(*one.messages[:-1], Message("user", "other")))
    assert context_key(one, scope="s", target="t") == context_key(other, scope="s", target="t") is not None


@pytest.mark.parametrize(
    "changed",
    [
        {"messages": (Message("system", "Be long."), Message("user", "one"))},
        {"messages": (Message("system", "Be brief."), Message("user", "one", (Image("a"),)))},
        {"messages": (Message("user", "one"),)},
        {"sampling": Sampling(temperature=1)},
        {"tools": (Tool("f"),)},
        {"answer_format": "json"},
        {"files": ("a.py",)},
    ],
)
def test_everything_else_is_in_the_context(changed: dict[str, Any]) -> None:
    request = Request((Message("system", "Be brief."), Message("user", "one")))
    assert context_key(request, scope="") != context_key(replace(request, **changed), scope="")
    assert context_key(request, scope="") != context_key(request, scope="a")
    assert context_key(request, scope="") != context_key(request, scope="", target="a")


def test_there_is_no_context_where_the_last_message_is_no_users() -> None:
    for role in ("assistant", "tool", "system"):
        assert context_key(Request((Message("user", "a"), Message(role, "b"))), scope="") is None
    assert context_key(Request(()), scope="") is None


def test_a_context_is_never_the_key_of_a_request() -> None:
    assert context_key(PLAIN, scope="") != key(PLAIN)


# Scopes


def test_nobody_shares_with_another_user_or_conversation() -> None:
    hints = [Hints(conversation, user) for conversation, user in itertools.product(["", "a", "b", '", "'], repeat=2)]
    users = {scope_of(hint, "user") for hint in hints}
    conversations = [scope_of(hint, "conversation") for hint in hints if hint.conversation]
    assert len(users) == 4 and len(set(conversations)) == len(conversations) == 12
    everything = [*users, *conversations, scope_of(Hints(), "shared")]
    assert len(set(everything)) == len(everything), "another setting never finds what was kept under the one before"


def test_without_a_conversation_nothing_is_shared_in_one() -> None:
    assert scope_of(Hints("", "ann"), "conversation") is None


def test_callers_without_a_name_are_one_user() -> None:
    assert scope_of(Hints("one"), "user") == scope_of(Hints("other"), "user")


def test_shared_is_one_scope_for_everybody() -> None:
    assert {scope_of(hints, "shared") for hints in (Hints(), Hints("a", "b"))} == {""}


# What may be repeated


@pytest.mark.parametrize(
    ("sampling", "repeatable"),
    [
        (Sampling(), False),
        (Sampling(temperature=0), True),
        (Sampling(temperature=0.0, top_p=0.5), True),
        (Sampling(temperature=0.7), False),
        (Sampling(temperature=0.7, seed=0), True),
        (Sampling(seed=7), True),
        (Sampling(top_k=1), False),
    ],
)
def test_only_temperature_0_or_a_seed_is_repeatable(sampling: Sampling, repeatable: bool) -> None:
    assert is_repeatable(asked(sampling=sampling)) is repeatable
    assert is_repeatable(asked(sampling=sampling), deterministic_only=False)
