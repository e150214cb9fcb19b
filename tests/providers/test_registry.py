"""Adapters by name, by entry point and by path; keys that are read, refused, and never told to anybody."""

from __future__ import annotations

import asyncio
import json
import sys
import traceback
from collections.abc import Callable, Iterator
from importlib.metadata import EntryPoint, EntryPoints
from types import ModuleType
from typing import Any

import httpx
import pytest

from turnout.config.providers import ProviderSettings, Timeouts
from turnout.errors import ConfigurationError, ProviderError
from turnout.providers import registry
from turnout.providers.anthropic import AnthropicProvider
from turnout.providers.base import HttpProvider
from turnout.providers.clock import CallClock
from turnout.providers.failures import MAX_MESSAGE_CHARS
from turnout.providers.lmstudio import LMStudioProvider
from turnout.providers.ollama import OllamaProvider
from turnout.providers.openai import OpenAIProvider
from turnout.providers.protocol import Call, Provider, collect
from turnout.providers.registry import kinds, make
from turnout.providers.transport import HttpxTransport
from turnout.types import Request, Sampling

KEY = "sk-verysecret-0123456789abcdef"
BUILT_IN = {
    "anthropic": AnthropicProvider,
    "lmstudio": LMStudioProvider,
    "ollama": OllamaProvider,
    "openai": OpenAIProvider,
}
METHODS = ("state", "discover", "complete", "stream", "embed", "load", "unload", "aclose")


def settings(kind: str = "openai", **rest: Any) -> ProviderSettings:
    return ProviderSettings(**{"name": "here", "kind": kind, "base_url": "http://127.0.0.1:1234", **rest})


class Own:
    """A provider as another package would write one: no base class, only what the protocol asks."""

    max_resident = None
    loads = False
    evicts = True
    name = "own"

    def __init__(self, given: ProviderSettings) -> None:
        self.given = given

    async def _nothing(self, *arguments: Any, **keywords: Any) -> Any:
        return None

    state = discover = complete = stream = embed = load = unload = aclose = _nothing


@pytest.fixture
def package(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A module of somebody else's, importable as `elsewhere.adapters`."""
    parent, module = ModuleType("elsewhere"), ModuleType("elsewhere.adapters")
    module.Own = Own  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "elsewhere", parent)
    monkeypatch.setitem(sys.modules, "elsewhere.adapters", module)
    return module


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Registers entry points as an installed package would."""

    def install(**entries: str) -> None:
        found = EntryPoints(EntryPoint(name, value, registry.GROUP) for name, value in entries.items())
        monkeypatch.setattr(registry, "entry_points", lambda **wanted: found.select(**wanted))

    return install


# By name


@pytest.mark.parametrize(("kind", "adapter"), BUILT_IN.items())
def test_a_built_in_kind_is_made_by_its_name(kind: str, adapter: type) -> None:
    provider = make(settings(kind))
    assert type(provider) is adapter
    assert isinstance(provider, Provider)
    assert provider.name == "here"


def test_the_known_kinds_are_listed_in_order(installed: Callable[..., None]) -> None:
    installed()
    assert kinds() == tuple(sorted(BUILT_IN))
    installed(zebra="a:B", openai="x:Y")
    assert kinds() == (*sorted(BUILT_IN), "zebra")


def test_a_kind_of_an_installed_package_is_found(installed: Callable[..., None], package: ModuleType) -> None:
    installed(own="elsewhere.adapters:Own")
    given = settings("own", options={"anything": 1})
    provider = make(given)
    assert isinstance(provider, Own)
    assert provider.given is given


def test_a_built_in_kind_cannot_be_replaced_by_a_package(installed: Callable[..., None], package: ModuleType) -> None:
    installed(openai="elsewhere.adapters:Own")
    assert type(make(settings("openai"))) is OpenAIProvider


@pytest.mark.parametrize("value", ["elsewhere.adapters:Missing", "elsewhere.missing:Own", "nowhere:Own"])
def test_an_installed_kind_that_cannot_be_loaded_is_a_configuration_error(
    installed: Callable[..., None], package: ModuleType, value: str
) -> None:
    installed(own=value)
    with pytest.raises(ConfigurationError, match="here: kind own cannot be loaded"):
        make(settings("own"))


def test_an_unknown_kind_is_refused_with_those_that_are_known(installed: Callable[..., None]) -> None:
    installed(zebra="a:B")
    with pytest.raises(ConfigurationError, match="no kind 'wat'; known: anthropic, lmstudio, ollama, openai, zebra"):
        make(settings("wat"))


# By path


def test_a_class_is_found_by_its_path(package: ModuleType) -> None:
    assert isinstance(make(settings("elsewhere.adapters:Own")), Own)


def test_a_function_may_make_the_provider(package: ModuleType) -> None:
    package.build = lambda given: Own(given)  # type: ignore[attr-defined]
    assert isinstance(make(settings("elsewhere.adapters:build")), Own)


@pytest.mark.parametrize(
    "path",
    ["elsewhere.adapters:Missing", "elsewhere.adapters:", "elsewhere.missing:Own", "nowhere:Own", ":Own", ":", "a b:C"],
)
def test_a_path_that_leads_nowhere_is_a_configuration_error(package: ModuleType, path: str) -> None:
    with pytest.raises(ConfigurationError, match=r"here: the class .* cannot be loaded"):
        make(settings(path))


def test_a_relative_path_is_a_configuration_error() -> None:
    with pytest.raises(ConfigurationError):
        make(settings(".adapters:Own"))


@pytest.mark.parametrize("attribute", ["TEXT", "NOTHING", "Bare"])
def test_what_cannot_make_a_provider_is_a_configuration_error(package: ModuleType, attribute: str) -> None:
    package.TEXT, package.NOTHING = "text", None  # type: ignore[attr-defined]
    package.Bare = type("Bare", (), {})  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError):
        make(settings(f"elsewhere.adapters:{attribute}"))


@pytest.mark.parametrize("method", METHODS)
def test_a_class_that_lacks_a_method_is_refused_with_its_name(package: ModuleType, method: str) -> None:
    members = {name: value for name, value in vars(Own).items() if name not in (method, "__dict__", "__weakref__")}
    package.Lacking = type("Lacking", (), members)  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=f"is no provider; it lacks {method}$"):
        make(settings("elsewhere.adapters:Lacking"))


@pytest.mark.parametrize("member", ["max_resident", "loads", "evicts"])
def test_a_class_that_lacks_a_value_is_refused_with_its_name(package: ModuleType, member: str) -> None:
    members = {name: value for name, value in vars(Own).items() if name not in (member, "__dict__", "__weakref__")}
    package.Lacking = type("Lacking", (), members)  # type: ignore[attr-defined]
    with pytest.raises(ConfigurationError, match=f"it lacks {member}$"):
        make(settings("elsewhere.adapters:Lacking"))


def test_a_class_that_is_something_else_altogether_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="is no provider; it lacks aclose, complete, discover"):
        make(settings("builtins:repr"))


# Options


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("openai", {"server": "llamacpp", "max_tokens_field": "max_completion_tokens", "check_model": False}),
        ("openai", {"remote": True}),
        ("ollama", {"cloud": True}),
        ("lmstudio", {"dialect": "native"}),
        ("anthropic", {"max_tokens": 100}),
    ],
)
def test_options_that_are_known_are_taken(kind: str, options: dict[str, Any]) -> None:
    make(settings(kind, options=options))


@pytest.mark.parametrize("kind", BUILT_IN)
def test_an_option_that_is_not_known_is_refused_with_those_that_are(kind: str) -> None:
    with pytest.raises(ConfigurationError, match=f"here: no option 'wat' for kind {kind}; known: ") as caught:
        make(settings(kind, options={"wat": 1}))
    assert all(name in str(caught.value) for name in BUILT_IN[kind].OPTIONS)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("openai", {"server": 1}),
        ("openai", {"check_model": "yes"}),
        ("openai", {"remote": 1}),
        ("openai", {"max_tokens_field": None}),
        ("ollama", {"cloud": "true"}),
        ("lmstudio", {"dialect": ["native"]}),
        ("anthropic", {"max_tokens": "100"}),
        ("anthropic", {"max_tokens": 1.5}),
    ],
)
def test_an_option_of_the_wrong_type_is_refused_with_its_name(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError, match=f"here: option {next(iter(options))} is .*; expected "):
        make(settings(kind, options=options))


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("openai", {"server": "llama.cpp"}),
        ("openai", {"max_tokens_field": ""}),
        ("lmstudio", {"dialect": "nativ"}),
        ("anthropic", {"max_tokens": 0}),
        ("anthropic", {"max_tokens": True}),
    ],
)
def test_an_option_of_a_value_nobody_knows_is_refused(kind: str, options: dict[str, Any]) -> None:
    with pytest.raises(ConfigurationError):
        make(settings(kind, options=options))


# Keys


@pytest.mark.parametrize("kind", BUILT_IN)
@pytest.mark.parametrize("value", [None, "", "   ", "\t\n"])
def test_a_key_that_is_named_and_not_there_is_refused_with_the_name_of_its_variable(
    kind: str, value: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    if value is None:
        monkeypatch.delenv("A_KEY", raising=False)
    else:
        monkeypatch.setenv("A_KEY", value)
    with pytest.raises(ConfigurationError, match="here: the environment variable A_KEY holds no key"):
        make(settings(kind, key_variable="A_KEY"))


@pytest.mark.parametrize(
    "value", [f"{KEY}\r\nX-Evil: 1", f"{KEY}\x01", f"{KEY}\x7f", f"{KEY}é", f"{KEY}\u2028{KEY}", f"\x1b{KEY}"]
)
def test_a_key_that_no_header_can_carry_is_refused_without_a_trace_of_it(
    value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("A_KEY", value)
    with pytest.raises(ConfigurationError, match="A_KEY holds characters no header can carry") as caught:
        make(settings(key_variable="A_KEY"))
    assert KEY not in everything_told(caught.value)


def test_space_around_a_key_is_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", f"  {KEY}\n")
    assert headers_of("openai")["authorization"] == f"Bearer {KEY}"


def test_without_a_key_no_header_is_sent() -> None:
    assert "authorization" not in headers_of("openai", key_variable=None)
    assert "x-api-key" not in headers_of("anthropic", key_variable=None)


def headers_of(kind: str, **rest: Any) -> httpx.Headers:
    """What a request of this kind carries."""
    seen: list[httpx.Headers] = []

    def answer(request: httpx.Request) -> httpx.Response:
        seen.append(request.headers)
        return httpx.Response(200, json={"data": []})

    given = settings(kind, **{"key_variable": "A_KEY", **rest})
    adapter = BUILT_IN[kind](given, transport=HttpxTransport(httpx.MockTransport(answer)))
    asyncio.run(adapter.state(CallClock(Timeouts())))
    return seen[0]


# The key is never told, whatever a server says


def everything_told(error: BaseException) -> str:
    """All that a log or a traceback would show, but the source lines."""
    told = traceback.format_exception_only(error)
    told += [str(error), str(getattr(error, "message", "")), str(getattr(error, "problem", ""))]
    return "\n".join(told)


def echoes(kind: str) -> Iterator[tuple[str, httpx.Response | Exception]]:
    """Servers that give the key back, in every place where an error's words may come from."""
    told = f"bad key {KEY} given"
    yield "a refusal as an object", httpx.Response(401, json={"error": {"message": told, "type": KEY, "code": KEY}})
    yield "a refusal as a text", httpx.Response(401, json={"error": told})
    yield "a refusal as plain text", httpx.Response(500, text=told)
    yield "a page", httpx.Response(502, html=f"<html><p>{told}</p></html>")
    yield "an error with status 200", httpx.Response(200, json={"error": told})
    yield "a type of error that holds it", httpx.Response(400, json={"error": {"code": KEY}})
    yield "no JSON", httpx.Response(200, text=told)
    yield "JSON of another kind", httpx.Response(200, json=[told])
    yield "another model", httpx.Response(200, json=whole(kind, model=KEY))
    yield "a transport", httpx.ConnectError(told)
    stream = (
        f"event: error\ndata: {json.dumps({'error': told})}\n\n" if kind != "ollama" else json.dumps({"error": told})
    )
    yield "a stream", httpx.Response(200, text=stream, headers={"content-type": "text/event-stream"})
    yield "a stream that is none", httpx.Response(200, text=f"data: {told}\n\n", headers={"content-type": "text/plain"})


def whole(kind: str, model: str) -> dict[str, Any]:
    """An answer in one piece, in the shape of the kind."""
    if kind == "ollama":
        return {"model": model, "message": {"content": "x"}, "done": True}
    if kind == "anthropic":
        return {"model": model, "content": [], "stop_reason": "end_turn"}
    return {"model": model, "choices": [{"message": {"content": "x"}, "finish_reason": "stop"}]}


def listing(kind: str, request: httpx.Request) -> httpx.Response | None:
    """What LM Studio is asked before anything else."""
    if kind == "lmstudio" and request.url.path == "/lmstudio-greeting":
        return httpx.Response(200, json={"lmstudio": True})
    if kind == "lmstudio" and request.method == "GET":
        return httpx.Response(200, json={"models": [{"key": "m"}]})
    return None


def failing(kind: str, answer: httpx.Response | Exception) -> HttpProvider:
    def respond(request: httpx.Request) -> httpx.Response:
        if (first := listing(kind, request)) is not None:
            return first
        if isinstance(answer, Exception):
            raise answer
        return httpx.Response(answer.status_code, content=answer.content, headers=answer.headers)

    options = {"server": "openai"} if kind == "openai" else {}
    given = settings(kind, key_variable="A_KEY", options=options)
    return BUILT_IN[kind](given, transport=HttpxTransport(httpx.MockTransport(respond)))  # type: ignore[no-any-return]


def errors_of(kind: str, answer: httpx.Response | Exception) -> list[ProviderError]:
    """Every error that a provider raises while a server answers like this."""

    async def gather() -> list[ProviderError]:
        request = Request.of("hello")
        for_logprobs = Request(request.messages, sampling=Sampling(logprobs=True))
        provider, errors = failing(kind, answer), []
        clock = CallClock(Timeouts())
        for attempt in (
            lambda: provider.complete(Call("m", request, clock)),  # type: ignore[attr-defined]
            lambda: collect(provider.stream(Call("m", request, clock))),  # type: ignore[attr-defined]
            lambda: provider.complete(Call("m", for_logprobs, clock)),  # type: ignore[attr-defined]
            lambda: provider.embed("m", ["x"], clock),  # type: ignore[attr-defined]
            lambda: provider.discover(clock),  # type: ignore[attr-defined]
            lambda: provider.load("m", clock),
        ):
            try:
                await attempt()
            except ProviderError as error:
                errors.append(error)
        state = await provider.state(clock)
        assert KEY not in state.problem
        return errors

    return asyncio.run(gather())


CASES = [(kind, name) for kind in BUILT_IN for name, _ in echoes(kind)]


@pytest.mark.parametrize(("kind", "name"), CASES)
def test_a_key_that_a_server_gives_back_is_in_no_message(kind: str, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    errors = errors_of(kind, dict(echoes(kind))[name])
    assert errors
    for error in errors:
        assert KEY not in everything_told(error)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_nor_is_it_in_the_repr_that_logs_show(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    for error in errors_of(kind, httpx.Response(401, json={"error": f"bad key {KEY}"})):
        assert KEY not in repr(error)


@pytest.mark.parametrize("kind", BUILT_IN)
def test_nor_is_it_in_the_text_so_far(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    for error in errors_of(kind, httpx.Response(200, text=f"you sent {KEY}")):
        assert KEY not in error.partial_text


def test_a_key_across_the_cut_of_a_long_message_shows_no_part_of_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("A_KEY", KEY)
    for error in errors_of("openai", httpx.Response(401, json={"error": "x" * (MAX_MESSAGE_CHARS - 20) + KEY})):
        assert KEY[:12] not in error.message
