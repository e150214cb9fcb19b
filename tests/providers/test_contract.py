"""What every adapter does alike, each against its emulator, and the one for OpenAI's dialect against llama.cpp too."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
from benchmarks.fault_trials import KEY_VARIABLE, KINDS, MODELS, emulator, settings
from tests.real_engine import NAME

from turnout.config.providers import ProviderSettings, Timeouts
from turnout.emulators.server import Emulator, serving
from turnout.errors import AuthenticationError, BadRequestError, ContextOverflowError, NotFoundError, ProviderError
from turnout.providers.clock import CallClock
from turnout.providers.protocol import Call, Provider, collect
from turnout.providers.registry import make
from turnout.types import Answer, Chunk, Image, JsonSchema, Message, Request, Sampling, Tool

pytestmark = pytest.mark.anyio

PATIENT = Timeouts(first_token_s=20, total_s=20, chunk_s=20)
WEATHER = Tool(
    "get_weather",
    "the weather in a city",
    {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
)
SCHEMA = {"type": "object", "properties": {"answer": {"type": "string"}, "n": {"type": "integer"}}, "required": ["n"]}
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
EMBEDDERS = {
    "lmstudio": ("text-embedding-nomic",),
    "ollama": ("nomic-embed-text",),
    "openai": ("text-embedding-3-small",),
}
TALKS = Sampling(max_tokens=40)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Place:
    """An adapter at its server."""

    provider: Provider
    model: str
    emulator: Emulator | None

    def call(self, request: Request, *, model: str = "", context_length: int | None = None) -> Call:
        return Call(model or self.model, request, CallClock(PATIENT), context_length=context_length)


@pytest.fixture(params=[*KINDS, "llamacpp"])
async def place(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Place]:
    monkeypatch.setenv(KEY_VARIABLE, "a-key-of-the-tests")
    kind = request.param
    async with AsyncExitStack() as stack:
        if kind == "llamacpp":
            url, emulated, model = request.getfixturevalue("llama_server"), None, NAME
            chosen = ProviderSettings(name=kind, kind="openai", base_url=f"{url}/v1")
        else:
            emulated, model = emulator(kind, *EMBEDDERS.get(kind, ())), MODELS[kind]
            chosen = settings(kind, await stack.enter_async_context(serving(emulated)))
        provider = make(replace(chosen, timeouts=PATIENT))
        stack.push_async_callback(provider.aclose)
        if provider.loads:
            await provider.load(model, CallClock(PATIENT))
        yield Place(provider, model, emulated)


def ask(prompt: str, **changes: object) -> Request:
    return replace(Request.of(prompt), **changes)  # type: ignore[arg-type]


async def test_it_lists_its_language_models(place: Place) -> None:
    state = await place.provider.state(CallClock(PATIENT))
    assert state.available and not state.problem
    known = {model.name: model for model in await place.provider.discover(CallClock(PATIENT))}
    # A cloud lists the dated release behind the name that it answers to.
    listed = next(model for name, model in known.items() if name.startswith(place.model))
    assert listed.context_length is None or listed.context_length > 0
    assert "embedding" not in listed.capabilities


async def test_it_answers(place: Place) -> None:
    answer = await place.provider.complete(place.call(ask("what is a mutex?", sampling=TALKS)))
    assert answer.text
    assert answer.candidate == f"{place.provider.name}/{place.model}"
    assert answer.usage.prompt_tokens and answer.usage.completion_tokens is not None


async def test_a_stream_is_pieces_and_then_the_whole_answer(place: Place) -> None:
    call = place.call(ask("what is a mutex?", sampling=replace(TALKS, seed=1, temperature=0.0)))
    pieces = [piece async for piece in place.provider.stream(call)]
    assert [type(piece) for piece in pieces].count(Answer) == 1
    last = pieces[-1]
    assert isinstance(last, Answer)
    assert "".join(piece.text for piece in pieces if isinstance(piece, Chunk)) == last.text != ""
    assert len(pieces) > 2
    assert call.clock.first_token_s is not None
    assert last.usage.completion_tokens is not None


async def test_the_length_limit_shows_as_the_way_it_ended(place: Place) -> None:
    request = ask("write 300 words about caching", sampling=Sampling(max_tokens=5))
    assert (await place.provider.complete(place.call(request))).finish == "length"
    assert (await collect(place.provider.stream(place.call(request)))).finish == "length"


async def test_line_separators_of_unicode_and_emoji_come_through(place: Place) -> None:
    if place.emulator is None:
        pytest.skip("random weights write what they like")
    texts = []
    for number in range(12):
        answer = await collect(place.provider.stream(place.call(ask(f"write 120 words about caching, part {number}"))))
        texts.append(answer.text)
    assert any(mark in "".join(texts) for mark in "\u2028\u0085")
    assert not any("\ufffd" in text for text in texts)


async def test_it_calls_a_tool_and_takes_its_result(place: Place) -> None:
    if place.emulator is None:
        pytest.skip("random weights call no tools")
    asked = ask("call get_weather for Oslo", tools=(WEATHER,), tool_choice="required")
    for answer in (
        await place.provider.complete(place.call(asked)),
        await collect(place.provider.stream(place.call(asked))),
    ):
        assert answer.finish == "tool_calls"
        assert [call.name for call in answer.tool_calls] == ["get_weather"]
        assert isinstance(json.loads(answer.tool_calls[0].arguments)["city"], str)
        assert answer.tool_calls[0].id
    call = answer.tool_calls[0]
    turns = (
        *asked.messages,
        Message("assistant", answer.text, tool_calls=(call,)),
        Message("tool", "rain, 4 degrees", tool_call_id=call.id, name=call.name),
    )
    assert (await place.provider.complete(place.call(replace(asked, messages=turns, tool_choice="auto")))).candidate


async def test_an_answer_follows_its_schema(place: Place) -> None:
    request = ask(
        "how many? answer as JSON", answer_format=JsonSchema(SCHEMA), sampling=Sampling(max_tokens=300, seed=3)
    )
    answer = await place.provider.complete(place.call(request))
    if place.emulator is None and answer.finish == "length":
        pytest.skip("random weights filled the limit inside a string")
    assert isinstance(json.loads(answer.text)["n"], int)


async def test_a_picture_is_taken_or_refused_with_a_reason(place: Place) -> None:
    picture = Message("user", "what is this?", (Image(f"data:image/png;base64,{PIXEL}"),))
    try:
        answer = await place.provider.complete(place.call(Request((picture,), sampling=TALKS)))
    except BadRequestError as error:
        assert error.message
    else:
        assert answer.usage.prompt_tokens


async def test_log_probabilities_come_where_they_exist(place: Place) -> None:
    request = ask("say hello", sampling=Sampling(max_tokens=8, logprobs=True, top_logprobs=3))
    for answer in (
        await place.provider.complete(place.call(request)),
        await collect(place.provider.stream(place.call(request))),
    ):
        if place.provider.name == "anthropic":
            assert not answer.logprobs and any("logprobs" in warning for warning in answer.warnings)
        else:
            assert answer.logprobs
            assert all(entry.logprob <= 1e-6 for entry in answer.logprobs)
            assert any(len(entry.top) >= 3 for entry in answer.logprobs)


async def test_an_unknown_language_model_is_not_found(place: Place) -> None:
    with pytest.raises(ProviderError) as caught:
        await place.provider.complete(place.call(ask("hello", sampling=TALKS), model="no-such-model"))
    # One file is all that llama.cpp serves: it answers to any name, which the check of the name turns into an error.
    assert caught.value.code in ("not_found", "wrong_model")
    assert caught.value.provider == place.provider.name and caught.value.model == "no-such-model"


async def test_a_prompt_that_does_not_fit_is_told(place: Place) -> None:
    prompt = "a word that takes some room " * 32_000
    for call in (
        place.provider.complete(place.call(ask(prompt))),
        collect(place.provider.stream(place.call(ask(prompt)))),
    ):
        with pytest.raises(ContextOverflowError):
            await call


async def test_embeddings_are_vectors_in_order_or_refused(place: Place) -> None:
    if place.emulator is None:
        pytest.skip("this engine was started for chat")
    found = await place.provider.discover(CallClock(PATIENT))
    model = next((entry.name for entry in found if "embedding" in entry.capabilities), "text-embedding-3-small")
    try:
        made = await place.provider.embed(model, ["cats", "dogs", "cats"], CallClock(PATIENT))
    except (BadRequestError, NotFoundError):
        return
    assert len(made.vectors) == 3
    assert made.vectors[0] == made.vectors[2] != made.vectors[1]


async def test_leaving_a_stream_stops_the_generation(place: Place) -> None:
    if place.emulator is not None:
        place.emulator.engine.clock.speed = 1.0
    stream = place.provider.stream(place.call(ask("write 500 words about queues")))
    async for piece in stream:
        if isinstance(piece, Chunk) and piece.has_content:
            break
    await stream.aclose()
    if place.emulator is not None:
        for _ in range(200):
            if not place.emulator.engine.counters.running:
                break
            await asyncio.sleep(0.01)
        assert place.emulator.engine.counters.running == 0


async def test_cancelling_an_answer_in_one_piece_stops_the_generation(place: Place) -> None:
    if place.emulator is None:
        return  # its adapter streams, because nothing else can be stopped there
    place.emulator.engine.clock.speed = 1.0
    task = asyncio.create_task(place.provider.complete(place.call(ask("write 500 words about queues"))))
    for _ in range(500):
        await asyncio.sleep(0.01)
        if place.emulator.engine.counters.running:
            break
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    for _ in range(200):
        if not place.emulator.engine.counters.running:
            break
        await asyncio.sleep(0.01)
    assert place.emulator.engine.counters.running == 0


async def test_it_loads_and_unloads_where_it_can(place: Place) -> None:
    if not place.provider.loads:
        with pytest.raises(BadRequestError):
            await place.provider.load(place.model, CallClock(PATIENT))
        return
    await place.provider.unload(place.model, CallClock(PATIENT))
    assert not (await _known(place)).loaded
    await place.provider.load(place.model, CallClock(PATIENT), context_length=2048)
    known = await _known(place)
    assert known.loaded and known.loaded_context_length == 2048
    await place.provider.load(place.model, CallClock(PATIENT), context_length=2048)
    assert len((await _known(place)).instances) <= 1


async def _known(place: Place):  # type: ignore[no-untyped-def]
    state = await place.provider.state(CallClock(PATIENT))
    return next(model for model in state.models if model.name == place.model)


async def test_many_calls_share_few_connections(place: Place) -> None:
    if place.emulator is None or place.emulator.listener is None:
        pytest.skip("only the emulators count connections")
    for _ in range(10):
        await collect(place.provider.stream(place.call(ask("hello"))))
    await asyncio.gather(*(place.provider.complete(place.call(ask(f"hello {n}"))) for n in range(4)))


async def test_a_wrong_key_is_an_authentication_error(monkeypatch: pytest.MonkeyPatch, start_llama) -> None:  # type: ignore[no-untyped-def]
    engine = start_llama(api_keys=("right",))
    monkeypatch.setenv("A_KEY", "wrong-secret")
    provider = make(ProviderSettings(name="llama", kind="openai", base_url=f"{engine.url}/v1", key_variable="A_KEY"))
    try:
        with pytest.raises(AuthenticationError) as caught:
            await provider.complete(Call(NAME, ask("hello", sampling=TALKS), CallClock(PATIENT)))
        assert "wrong-secret" not in str(caught.value)
        state = await provider.state(CallClock(PATIENT))
        assert not state.available and "wrong-secret" not in state.problem
    finally:
        await provider.aclose()


async def test_a_killed_engine_is_unreachable_and_a_new_one_found_again(start_llama) -> None:  # type: ignore[no-untyped-def]
    engine = start_llama()
    provider = make(ProviderSettings(name="llama", kind="openai", base_url=f"{engine.url}/v1"))
    try:
        assert (await provider.complete(Call(NAME, ask("hello", sampling=TALKS), CallClock(PATIENT)))).text
        engine.kill()
        with pytest.raises(ProviderError) as caught:
            await provider.complete(Call(NAME, ask("hello", sampling=TALKS), CallClock(PATIENT)))
        assert caught.value.retryable
        assert not (await provider.state(CallClock(PATIENT))).available
        start_llama(port=engine.port)
        assert (await provider.complete(Call(NAME, ask("hello", sampling=TALKS), CallClock(PATIENT)))).text
    finally:
        await provider.aclose()
