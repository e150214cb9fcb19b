"""The shared server with a small dialect of its own: every fault as a client meets it, admin routes, clean stops."""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar

import aiohttp
import pytest
from aiohttp import web

from turnout.emulators.call import CALL
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.instance import ModelUnloadedError
from turnout.emulators.policy import Policy
from turnout.emulators.questions import read_openai_chat
from turnout.emulators.server import Emulator, EmulatorOptions, serving

pytestmark = pytest.mark.anyio

DONE = b"data: [DONE]\n\n"
PROMPT = "write 150 words about signals"


class Toy(Emulator):
    """Streams `data:` frames with one piece each."""

    kind: ClassVar[str] = "openai"
    headers: ClassVar[dict[str, str]] = {"X-Toy": "1"}

    def routes(self) -> list[web.RouteDef]:
        return [web.post("/chat", self.chat), web.get("/models", self.listed)]

    async def listed(self, _request: web.Request) -> web.Response:
        return self.json({"models": list(self.models)})

    async def chat(self, request: web.Request) -> web.StreamResponse:
        body = request[CALL].body
        model = self.models[body["model"]]
        question = read_openai_chat(body)
        answer = self.answer(request, model, question)
        async with self.engine.use(model) as run:
            pieces = run.generate(question.prompt_tokens, answer.pieces)
            if not body.get("stream"):
                text = "".join([piece.text async for piece in pieces])
                return self.json({"model": model.name, "text": text, "tokens": answer.tokens})
            stream = self.stream(request)
            async for piece in pieces:
                await stream.send(b"data: " + self.dump({"model": model.name, "text": piece.text}) + b"\n\n")
            return await stream.finish(DONE)

    def swallowed_frame(self, request: web.Request) -> bytes:
        return b'data: {"text":""}\n\n'


def toy(*faults: Fault, **options: Any) -> Toy:
    return Toy(EmulatorOptions(faults=faults, **options), Policy(slots=4))


def body(stream: bool, prompt: str = PROMPT) -> dict[str, Any]:
    return {"model": "gpt-4.1", "stream": stream, "messages": [{"role": "user", "content": prompt}]}


async def post(http: aiohttp.ClientSession, url: str, stream: bool, timeout_s: float = 5) -> tuple[int, bytes]:
    timeout = aiohttp.ClientTimeout(total=timeout_s)
    async with http.post(f"{url}/chat", json=body(stream), timeout=timeout) as response:
        return response.status, await response.read()


def frames(raw: bytes) -> list[bytes]:
    return [frame for frame in raw.split(b"\n\n") if frame]


async def test_a_stream_and_a_whole_answer_say_the_same(http: aiohttp.ClientSession) -> None:
    async with serving(toy()) as url:
        _, streamed = await post(http, url, stream=True)
        _, whole = await post(http, url, stream=False)
    parts = [json.loads(frame.removeprefix(b"data: "))["text"] for frame in frames(streamed)[:-1]]
    assert "".join(parts) == json.loads(whole)["text"] and frames(streamed)[-1] == DONE.strip()


async def test_headers_are_the_providers_and_not_the_frameworks(http: aiohttp.ClientSession) -> None:
    async with serving(toy()) as url, http.get(f"{url}/models") as response:
        assert response.headers["X-Toy"] == "1" and "Server" not in response.headers


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("error_500", 500),
        ("busy_429", 429),
        ("busy_503", 503),
        ("unauthorized", 401),
        ("not_found", 404),
        ("load_failed", 500),
        ("error_with_200", 200),
    ],
)
async def test_error_responses_have_their_status_and_a_json_error(
    http: aiohttp.ClientSession, stream: bool, name: str, status: int
) -> None:
    async with serving(toy(Fault.parse(name))) as url, http.post(f"{url}/chat", json=body(stream)) as response:
        assert response.status == status
        assert (await response.json())["error"]["message"]
        assert ("Retry-After" in response.headers) is (name == "busy_429")


async def test_a_proxy_in_between_answers_with_a_page(http: aiohttp.ClientSession) -> None:
    async with serving(toy(Fault.parse("bad_gateway_html"))) as url:
        status, raw = await post(http, url, stream=True)
    assert status == 502 and b"<html>" in raw


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", ["hang", "stall_mid_stream"])
async def test_a_client_has_to_give_up_by_itself(http: aiohttp.ClientSession, name: str, stream: bool) -> None:
    emulator = toy(Fault.parse(name))
    async with serving(emulator) as url:
        with pytest.raises(TimeoutError):
            await post(http, url, stream, timeout_s=0.2)
        async with asyncio.timeout(5):
            while emulator.engine.counters.running:
                await asyncio.sleep(0.01)


async def test_the_first_byte_comes_late(http: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    async with serving(toy(Fault(FaultName.SLOW_FIRST_BYTE, seconds=0.15))) as url:
        start = loop.time()
        status, _ = await post(http, url, stream=True)
        assert status == 200 and loop.time() - start >= 0.15


@pytest.mark.parametrize("stream", [True, False])
async def test_a_reset_before_the_headers_is_a_reset(http: aiohttp.ClientSession, stream: bool) -> None:
    async with serving(toy(Fault.parse("reset_before_headers"))) as url:
        with pytest.raises(aiohttp.ClientOSError):
            await post(http, url, stream)


@pytest.mark.parametrize("stream", [True, False])
@pytest.mark.parametrize("name", ["reset_mid_stream", "truncated_body"])
async def test_a_response_breaks_off(http: aiohttp.ClientSession, name: str, stream: bool) -> None:
    emulator = toy(Fault.parse(name))
    async with serving(emulator) as url:
        async with http.post(f"{url}/chat", json=body(stream)) as response:
            assert response.status == 200
            with pytest.raises(aiohttp.ClientPayloadError):
                await response.read()
        assert emulator.engine.counters.running == 0


async def test_pieces_before_a_reset_arrive(http: aiohttp.ClientSession) -> None:
    async with (
        serving(toy(Fault(FaultName.RESET_MID_STREAM, after=3))) as url,
        http.post(f"{url}/chat", json=body(stream=True)) as response,
    ):
        got = b""
        with pytest.raises(aiohttp.ClientPayloadError):
            async for chunk in response.content.iter_any():
                got += chunk
    assert len(frames(got)) == 3


async def test_an_error_in_the_middle_is_told_or_swallowed_or_the_end_is_missing(http: aiohttp.ClientSession) -> None:
    emulator = toy()
    async with serving(emulator) as url:
        ends = {}
        for name in ("error_event_mid_stream", "swallowed_error", "missing_terminator"):
            emulator.switch_on(Fault(FaultName(name), count=1))
            status, raw = await post(http, url, stream=True)
            assert status == 200 and DONE not in raw
            ends[name] = (len(frames(raw)), frames(raw)[-1])
    assert ends["error_event_mid_stream"][0] == ends["swallowed_error"][0] == 3
    assert b"error" in ends["error_event_mid_stream"][1]
    assert ends["swallowed_error"][1] == b'data: {"text":""}'
    assert ends["missing_terminator"][0] > 100


async def test_faults_of_streams_have_an_equivalent_for_whole_answers(http: aiohttp.ClientSession) -> None:
    emulator = toy()
    async with serving(emulator) as url:
        for name in ("error_event_mid_stream", "swallowed_error"):
            emulator.switch_on(Fault(FaultName(name), count=1))
            assert (await post(http, url, stream=False))[0] == 500
        emulator.switch_on(Fault(FaultName.MISSING_TERMINATOR, count=1))
        with pytest.raises(aiohttp.ClientPayloadError):
            await post(http, url, stream=False)


async def test_a_fault_that_is_due_after_the_last_piece_strikes_at_the_end(http: aiohttp.ClientSession) -> None:
    async with serving(toy(Fault(FaultName.ERROR_EVENT_MID_STREAM, after=10_000))) as url:
        _, raw = await post(http, url, stream=True)
    assert DONE not in raw and b"error" in frames(raw)[-1]


@pytest.mark.parametrize("stream", [True, False])
async def test_json_and_characters_may_be_broken(http: aiohttp.ClientSession, stream: bool) -> None:
    emulator = toy()
    async with serving(emulator) as url:
        emulator.switch_on(Fault(FaultName.MALFORMED_JSON, count=1))
        _, raw = await post(http, url, stream)
        broken = frames(raw)[2].removeprefix(b"data: ") if stream else raw
        with pytest.raises(json.JSONDecodeError):
            json.loads(broken)
        emulator.switch_on(Fault(FaultName.INVALID_UTF8, count=1))
        _, raw = await post(http, url, stream)
        with pytest.raises(UnicodeDecodeError):
            raw.decode()


@pytest.mark.parametrize("stream", [True, False])
async def test_a_line_may_be_far_too_long(http: aiohttp.ClientSession, stream: bool) -> None:
    async with serving(toy(Fault.parse("oversized_line"))) as url:
        _, raw = await post(http, url, stream)
    assert max(map(len, raw.split(b"\n"))) >= 20_000_000


@pytest.mark.parametrize("stream", [True, False])
async def test_splitting_changes_chunks_and_no_bytes(http: aiohttp.ClientSession, stream: bool) -> None:
    emulator = toy()
    async with serving(emulator) as url:
        _, expected = await post(http, url, stream)
        emulator.switch_on(Fault(FaultName.SPLIT_UTF8))
        async with http.post(f"{url}/chat", json=body(stream)) as response:
            chunks = [chunk async for chunk, _ in response.content.iter_chunks() if chunk]
    assert b"".join(chunks) == expected
    assert not stream or max(map(len, chunks)) <= 3


@pytest.mark.parametrize("stream", [True, False])
async def test_another_model_may_answer_or_nothing_at_all(http: aiohttp.ClientSession, stream: bool) -> None:
    emulator = toy()
    async with serving(emulator) as url:
        emulator.switch_on(Fault(FaultName.WRONG_MODEL, count=1))
        _, raw = await post(http, url, stream)
        assert b"some-other-model" in raw and b"gpt-4.1" not in raw
        emulator.switch_on(Fault(FaultName.EMPTY_ANSWER, count=1))
        _, raw = await post(http, url, stream)
    assert raw == DONE if stream else json.loads(raw)["text"] == "" and json.loads(raw)["tokens"] > 100


async def test_a_refusing_server_comes_back_at_the_same_address(http: aiohttp.ClientSession) -> None:
    async with serving(toy()) as url:
        async with http.post(f"{url}/_emulator/faults", json={"name": "refused", "seconds": 0.2}) as response:
            assert await response.json() == {"added": ["refused"]}
        await asyncio.sleep(0.02)
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(http, url, stream=False)
        await asyncio.sleep(0.3)
        assert (await post(http, url, stream=False))[0] == 200


async def test_a_refusal_with_a_rate_strikes_at_a_request(http: aiohttp.ClientSession) -> None:
    async with serving(toy(Fault(FaultName.REFUSED, path="/chat", count=1, seconds=30))) as url:
        async with http.get(f"{url}/models") as response:
            assert response.status == 200
        with pytest.raises(aiohttp.ClientOSError):
            await post(http, url, stream=False)
        with pytest.raises(aiohttp.ClientConnectorError):
            await post(http, url, stream=False)


async def test_the_state_shows_models_requests_faults_and_counters(http: aiohttp.ClientSession) -> None:
    async with serving(toy(Fault(FaultName.BUSY_503, count=2))) as url:
        await post(http, url, stream=False)
        async with http.get(f"{url}/_emulator/state") as response:
            state = await response.json()
        async with http.delete(f"{url}/_emulator/faults") as response:
            assert await response.json() == {"faults": []}
        assert (await post(http, url, stream=False))[0] == 200
    assert state["kind"] == "openai" and state["requests"] == {"/chat": 1} and state["struck"] == {"busy_503": 1}
    assert state["faults"][0]["count"] == 1 and state["counters"]["loads"] == 0 and "gpt-4.1" in state["models"]


async def test_wrong_faults_are_refused_over_http(http: aiohttp.ClientSession) -> None:
    async with serving(toy()) as url:
        for wrong in ('{"name":"nope"}', "{", "7"):
            async with http.post(f"{url}/_emulator/faults", data=wrong) as response:
                assert response.status == 400 and (await response.json())["error"]


async def test_a_client_that_leaves_stops_its_generation(http: aiohttp.ClientSession) -> None:
    emulator = toy(speed=1)
    emulator.models = {name: model_with_no_load(model) for name, model in emulator.models.items()}
    async with serving(emulator) as url:
        response = await http.post(f"{url}/chat", json=body(stream=True))
        await response.content.readany()
        assert emulator.engine.counters.running == 1
        response.close()
        async with asyncio.timeout(5):
            while emulator.engine.counters.running:
                await asyncio.sleep(0.01)
    assert emulator.engine.counters.generations_cancelled == 1 and emulator.engine.counters.tokens < 100


def model_with_no_load(model: Any) -> Any:
    from dataclasses import replace

    return replace(model, load_s=0.0)


async def test_a_failure_of_the_engine_after_the_first_byte_is_told_in_the_stream(
    http: aiohttp.ClientSession,
) -> None:
    emulator = toy(speed=20)
    async with serving(emulator) as url, http.post(f"{url}/chat", json=body(stream=True)) as response:
        await response.content.readany()
        emulator.engine.unload("gpt-4.1")
        raw = await response.read()
    assert frames(raw)[-1] == b'data: {"error":{"message":"Model unloaded."}}'


async def test_a_failure_of_the_engine_before_the_first_byte_is_a_response(http: aiohttp.ClientSession) -> None:
    emulator = toy()

    async def fail(_request: web.Request) -> web.Response:
        raise ModelUnloadedError("gone")

    emulator.listed = fail  # type: ignore[method-assign]
    async with serving(emulator) as url, http.get(f"{url}/models") as response:
        assert response.status == 500 and (await response.json())["error"]["message"] == "gone"


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("GET", "/chat", 405)])
async def test_unknown_paths_and_methods_are_worded_by_the_dialect(
    http: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with serving(toy()) as url, http.request(method, f"{url}{path}") as response:
        assert response.status == status and path in (await response.json())["error"]["message"]


async def test_stopping_aborts_what_is_open(http: aiohttp.ClientSession) -> None:
    loop = asyncio.get_running_loop()
    async with serving(toy(Fault.parse("hang"))) as url:
        waiting = asyncio.create_task(post(http, url, stream=True))
        await asyncio.sleep(0.05)
        start = loop.time()
    with pytest.raises(aiohttp.ClientError):
        await waiting
    assert loop.time() - start < 1


async def test_an_address_in_use_is_an_error_of_the_system() -> None:
    async with serving(toy()) as url:
        with pytest.raises(OSError, match="in use"):
            async with serving(toy(), port=int(url.rpartition(":")[2])):
                pass


async def test_options_choose_models_slots_and_policy() -> None:
    emulator = toy(models=("gpt-4.1-nano",), slots=7, policy={"max_pending": 3})
    assert list(emulator.models) == ["gpt-4.1-nano"]
    assert (emulator.engine.policy.slots, emulator.engine.policy.max_pending) == (7, 3)
