"""Ollama's native API as emulated: shapes, defaults, errors, truncation, scheduling."""

from __future__ import annotations

import asyncio
import json
import re
from typing import Any

import aiohttp
import pytest

from turnout.emulators.answers import judge
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.ollama import Ollama, make
from turnout.emulators.ollama_base import full_name
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

PROMPT = "What is a turnout?"
USER = [{"role": "user", "content": PROMPT}]
TOOL = {
    "type": "function",
    "function": {"name": "get_weather", "parameters": {"type": "object", "properties": {"city": {"type": "string"}}}},
}
WEATHER = [{"role": "user", "content": "call get_weather for Rome"}]


def ollama(*faults: Fault, **options: Any) -> Ollama:
    return make(EmulatorOptions(faults=faults, **options))


async def post(http: aiohttp.ClientSession, url: str, path: str = "/api/chat", **body: Any) -> tuple[int, Any]:
    """The status, and the JSON object or the lines."""
    async with http.post(url + path, json=body) as response:
        raw = await response.read()
        if response.content_type == "application/x-ndjson":
            return response.status, [json.loads(line) for line in raw.split(b"\n") if line]
        return response.status, json.loads(raw)


async def whole(http: aiohttp.ClientSession, url: str, path: str = "/api/chat", **body: Any) -> dict[str, Any]:
    status, answer = await post(http, url, path, stream=False, **body)
    assert status == 200, answer
    return dict(answer)


def text_of(lines: list[dict[str, Any]]) -> str:
    return "".join(line["message"]["content"] for line in lines)


async def test_the_root_and_the_version_say_who_this_is(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        async with http.get(url) as response:
            assert (response.status, await response.text()) == (200, "Ollama is running")
        for path in ("/", "/api/version"):
            async with http.head(url + path) as response:
                assert response.status == 200
        async with http.get(f"{url}/api/version") as response:
            assert await response.json() == {"version": "0.33.0"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("127.0.0.1:11434", 200),
        ("[::1]:11434", 200),
        ("box.local", 200),
        ("a.internal:80", 200),
        ("evil.example", 403),
        ("8.8.8.8", 403),
    ],
)
async def test_only_names_of_this_machine_are_answered(http: aiohttp.ClientSession, host: str, status: int) -> None:
    async with serving(ollama()) as url, http.get(f"{url}/api/tags", headers={"Host": host}) as response:
        assert response.status == status and (status == 200 or await response.read() == b"")


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/nope", 404), ("GET", "/api/chat", 405)])
async def test_unknown_paths_are_answered_in_plain_text(
    http: aiohttp.ClientSession, method: str, path: str, status: int
) -> None:
    async with serving(ollama()) as url, http.request(method, url + path) as response:
        assert response.status == status and response.content_type == "text/plain"


async def test_chat_streams_lines_by_default_and_ends_with_the_metrics(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        status, lines = await post(http, url, model="llama3.1:8b", messages=USER)
        answer = await whole(http, url, model="llama3.1:8b", messages=USER)
    assert status == 200 and not any(line["done"] for line in lines[:-1])
    last = lines[-1]
    assert (last["done"], last["done_reason"], last["message"]["content"]) == (True, "stop", "")
    assert text_of(lines) == answer["message"]["content"]
    assert last["eval_count"] == len(lines) - 1 and last["prompt_eval_count"] > 0
    assert last["total_duration"] >= last["load_duration"] + last["prompt_eval_duration"] + last["eval_duration"]
    assert last["load_duration"] > 1e9 > 1e8 > answer["load_duration"] > 0
    assert all(isinstance(value, int) for name, value in last.items() if name.endswith(("_duration", "_count")))


async def test_separators_that_go_escapes_are_escaped_and_others_are_not(http: aiohttp.ClientSession) -> None:
    async with (
        serving(ollama()) as url,
        http.post(
            f"{url}/api/chat",
            json={"model": "llama3.1:8b", "messages": [{"role": "user", "content": "write 900 words"}]},
        ) as response,
    ):
        raw = await response.text()
    assert "\\u2028" in raw and "\u2028" not in raw and "\u0085" in raw and "🚆" in raw
    assert "\u2028" in text_of([json.loads(line) for line in raw.split("\n") if line])


async def test_an_answer_may_be_right_or_wrong_and_the_seed_decides(http: aiohttp.ClientSession) -> None:
    hard = [{"role": "user", "content": "Design a multi-region database with failover and prove its consistency"}]
    judged = set()
    for seed in range(12):
        async with serving(ollama(seed=seed)) as url:
            answer = await whole(http, url, model="llama3.1:8b", messages=hard)
            judged.add(judge(hard[0]["content"], answer["message"]["content"]))
    assert judged == {True, False}


@pytest.mark.parametrize(
    ("path", "body", "status", "message"),
    [
        ("/api/chat", {}, 400, "model is required"),
        ("/api/generate", {"prompt": "x"}, 404, "model '' not found"),
        ("/api/embed", {"input": "x"}, 404, "model '' not found"),
        ("/api/embeddings", {"prompt": "x"}, 400, "model is required"),
        ("/api/chat", {"model": "a b"}, 400, "invalid model name"),
        ("/api/embed", {"model": "a{b", "input": "x"}, 400, "invalid model name"),
        ("/api/chat", {"model": "nope", "messages": USER}, 404, "model 'nope' not found"),
        ("/api/generate", {"model": "nope", "prompt": "x"}, 404, "model 'nope' not found"),
        ("/api/show", {"model": "nope"}, 404, "model 'nope' not found"),
        ("/api/embed", {"model": "nope", "input": "x"}, 404, 'model "nope" not found, try pulling it first'),
        ("/api/chat", {"model": "nope", "top_logprobs": 21}, 400, "top_logprobs must be between 0 and 20"),
        ("/api/chat", {"model": 7}, 400, "json: cannot unmarshal number into Go struct field"),
        ("/api/chat", {"model": "x", "messages": [{"content": []}]}, 400, "cannot unmarshal array"),
        ("/api/chat", {"model": "x", "messages": ["hi"]}, 400, "cannot unmarshal string"),
        ("/api/chat", [], 400, "cannot unmarshal array"),
        (
            "/api/chat",
            {"model": "nomic-embed-text", "messages": USER},
            400,
            '"nomic-embed-text" does not support chat',
        ),
        (
            "/api/chat",
            {"model": "llama3.1:8b", "messages": USER, "think": True},
            400,
            '"llama3.1:8b" does not support thinking',
        ),
        (
            "/api/chat",
            {"model": "llama3.1:8b", "messages": USER, "options": {"num_ctx": "4k"}},
            500,
            'option "num_ctx" must be of type integer',
        ),
        ("/api/chat", {"model": "llama3.1:8b", "messages": USER, "keep_alive": "soon"}, 400, "invalid duration"),
        ("/api/embed", {"model": "nomic-embed-text", "input": [1, 2]}, 400, "invalid input type"),
    ],
)
async def test_errors_have_the_status_and_words_of_the_real_one(
    http: aiohttp.ClientSession, path: str, body: Any, status: int, message: str
) -> None:
    async with serving(ollama()) as url, http.post(url + path, json=body) as response:
        error = await response.json()
        assert response.status == status and message in error["error"] and list(error) == ["error"]


async def test_tools_are_refused_by_models_that_have_none(http: aiohttp.ClientSession) -> None:
    async with serving(ollama(models=("gemma3",))) as url:
        status, error = await post(http, url, model="gemma3", messages=USER, tools=[TOOL])
    assert status == 400 and error["error"] == "registry.ollama.ai/library/gemma3:latest does not support tools"


@pytest.mark.parametrize(
    ("raw", "message"), [(b"", "missing request body"), (b"{", "unexpected EOF"), (b"x", "invalid")]
)
async def test_bodies_that_are_no_json_are_refused(http: aiohttp.ClientSession, raw: bytes, message: str) -> None:
    async with serving(ollama()) as url, http.post(f"{url}/api/chat", data=raw) as response:
        assert response.status == 400 and message in (await response.json())["error"]


async def test_names_match_in_any_case_and_without_the_tag(http: aiohttp.ClientSession) -> None:
    assert full_name("hf.co/user/model") == "hf.co/user/model:latest" and full_name("a:b") == "a:b"
    async with serving(ollama(models=("phi4",))) as url:
        for name in ("phi4", "PHI4:latest", "registry.ollama.ai/library/phi4"):
            assert (await whole(http, url, model=name, messages=USER))["model"] == name
        async with http.get(f"{url}/api/tags") as response:
            assert [model["name"] for model in (await response.json())["models"]] == ["phi4:latest"]


async def test_an_unset_think_means_on_and_thinking_comes_in_its_own_field(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        _, lines = await post(http, url, model="qwen3:4b", messages=USER)
        plain = await whole(http, url, model="qwen3:4b", messages=USER, think=False)
        level = await whole(http, url, model="qwen3:4b", messages=USER, think="high")
    assert lines[0]["message"]["thinking"] and lines[0]["message"]["content"] == ""
    assert "thinking" not in plain["message"] and level["message"]["thinking"]
    assert lines[-1]["eval_count"] > plain["eval_count"]
    async with serving(ollama(version="0.12.3")) as url:
        assert "thinking" not in (await whole(http, url, model="qwen3:4b", messages=USER))["message"]


async def test_a_schema_binds_the_answer_and_only_the_second_pass_is_counted(http: aiohttp.ClientSession) -> None:
    schema = {"type": "object", "properties": {"answer": {"type": "string"}, "n": {"type": "integer"}}}
    async with serving(ollama()) as url:
        answer = await whole(http, url, model="qwen3:4b", messages=USER, format=schema)
        anything = await whole(http, url, model="llama3.1:8b", messages=USER, format="json")
        status, _ = await post(http, url, model="llama3.1:8b", messages=USER, format="xml")
    content = json.loads(answer["message"]["content"])
    assert isinstance(content["answer"], str) and isinstance(content["n"], int) and answer["message"]["thinking"]
    assert answer["eval_count"] * 4 < len(answer["message"]["content"] + answer["message"]["thinking"]) * 0.8
    assert isinstance(json.loads(anything["message"]["content"]), dict) and status == 400


async def test_a_tool_call_comes_whole_and_does_not_change_the_reason(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        _, lines = await post(http, url, model="llama3.1:8b", messages=WEATHER, tools=[TOOL])
        result = [*WEATHER, lines[0]["message"], {"role": "tool", "content": "sunny", "tool_name": "get_weather"}]
        _, after = await post(http, url, model="llama3.1:8b", messages=result, tools=[TOOL])
    calls = [line["message"]["tool_calls"] for line in lines if "tool_calls" in line["message"]]
    assert len(calls) == 1 and calls[0][0]["function"]["name"] == "get_weather"
    assert isinstance(calls[0][0]["function"]["arguments"], dict) and lines[-1]["done_reason"] == "stop"
    assert text_of(after) and not any("tool_calls" in line["message"] for line in after)
    assert len(after) - 1 < after[-1]["eval_count"]  # the beginning was held back and came in one line


async def test_logprobs_cover_all_tokens_and_some_come_without_text(http: aiohttp.ClientSession) -> None:
    asked = {"model": "qwen3:4b", "messages": USER, "logprobs": True, "top_logprobs": 2}
    async with serving(ollama()) as url:
        _, lines = await post(http, url, **asked)
        without = await whole(http, url, model="qwen3:4b", messages=USER, top_logprobs=2)
    entries = [entry for line in lines for entry in line.get("logprobs", [])]
    assert len(entries) == lines[-1]["eval_count"] and all(entry["logprob"] < 0 for entry in entries)
    assert all(
        len(entry["top_logprobs"]) == 2 and bytes(entry["bytes"]).decode() == entry["token"] for entry in entries
    )
    said = "".join(line["message"].get("thinking", "") + line["message"]["content"] for line in lines)
    assert "".join(entry["token"] for entry in entries) == said
    empty = [line for line in lines if "logprobs" in line and not line["message"]["content"]]
    assert any("thinking" not in line["message"] for line in empty)
    assert "logprobs" not in without
    async with serving(ollama(version="0.12.10")) as url:
        assert "logprobs" not in await whole(http, url, **asked)


async def test_options_limit_and_stop_the_answer(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        short = await whole(http, url, model="llama3.1:8b", messages=USER, options={"num_predict": 5, "unknown": "x"})
        stopped = await whole(http, url, model="llama3.1:8b", messages=USER, options={"stop": [" answer"]})
        capped = await whole(
            http, url, model="llama3.1:8b", messages=[{"role": "user", "content": "900 words"}], options={"num_ctx": 16}
        )
    assert (short["done_reason"], short["eval_count"]) == ("length", 5)
    assert stopped["done_reason"] == "stop" and "answer" not in stopped["message"]["content"]
    assert (capped["done_reason"], capped["eval_count"]) == ("length", 160)


async def test_zero_metrics_are_left_out(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        load = await whole(http, url, model="llama3.1:8b", messages=[])
        vectors = await whole(http, url, "/api/embed", model="nomic-embed-text", input="")
    assert load["done_reason"] == "load" and not any(name.endswith(("_count", "_duration")) for name in load)
    assert vectors["embeddings"] == [] and "prompt_eval_count" not in vectors


async def test_empty_messages_load_and_a_keep_alive_of_zero_unloads(http: aiohttp.ClientSession) -> None:
    emulator = ollama()
    async with serving(emulator) as url:
        await whole(http, url, model="llama3.1:8b", messages=[])
        assert [instance.id for instance in emulator.engine.loaded()] == ["llama3.1:8b"]
        answer = await whole(http, url, "/api/generate", model="llama3.1:8b", prompt="", keep_alive=0)
        assert answer["done_reason"] == "unload" and not emulator.engine.loaded()


@pytest.mark.parametrize(
    ("keep_alive", "seconds"), [(None, 300), (60, 60), ("10m", 600), ("1h30m", 5400), (0.5, 0.5), ("500ms", 0.5)]
)
async def test_keep_alive_is_seconds_or_text(http: aiohttp.ClientSession, keep_alive: Any, seconds: float) -> None:
    emulator = ollama()
    async with serving(emulator) as url:
        await whole(http, url, model="llama3.1:8b", messages=USER, keep_alive=keep_alive)
        emulator.engine.clock.skip(max(0, seconds - 0.4))
        assert emulator.engine.loaded()
        emulator.engine.clock.skip(1)
        assert not emulator.engine.loaded()


async def test_running_models_are_listed_with_window_size_and_expiry(http: aiohttp.ClientSession) -> None:
    emulator = ollama()
    async with serving(emulator) as url:
        await whole(http, url, model="llama3.1:8b", messages=USER)
        await whole(http, url, model="qwen3:4b", messages=USER, keep_alive="-1s", options={"num_ctx": 2048})
        async with http.get(f"{url}/api/ps") as response:
            first, second = (await response.json())["models"]
        await whole(http, url, model="llama3.3:70b", messages=USER)
        async with http.get(f"{url}/api/ps") as response:
            large = (await response.json())["models"][1]
    assert (first["name"], first["context_length"]) == ("qwen3:4b", 2048) and first["expires_at"] > "2300"
    assert (second["name"], second["context_length"]) == ("llama3.1:8b", 32768)
    assert second["size"] == second["size_vram"] and large["size_vram"] < large["size"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", second["expires_at"])
    async with serving(ollama(version="0.9.6")) as url:
        await whole(http, url, model="llama3.1:8b", messages=USER)
        async with http.get(f"{url}/api/ps") as response:
            assert "context_length" not in (await response.json())["models"][0]


async def test_lists_tell_capabilities_since_version_0_30(http: aiohttp.ClientSession) -> None:
    listed = {}
    for version in ("0.29.9", "0.30.0"):
        async with serving(ollama(version=version)) as url, http.get(f"{url}/api/tags") as response:
            listed[version] = (await response.json())["models"]
    assert all("capabilities" not in model and "context_length" not in model["details"] for model in listed["0.29.9"])
    thinking = next(model for model in listed["0.30.0"] if model["name"] == "qwen3:4b")
    assert "thinking" in thinking["capabilities"] and thinking["details"]["context_length"] == 40960


async def test_show_has_the_trained_context_and_the_capabilities(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        _, shown = await post(http, url, "/api/show", model="nomic-embed-text")
        architecture = shown["model_info"]["general.architecture"]
        assert shown["model_info"][f"{architecture}.context_length"] == 2048
        assert shown["capabilities"] == ["embedding"]
    async with serving(ollama(version="0.6.3")) as url:
        assert "capabilities" not in (await post(http, url, "/api/show", model="qwen3:4b"))[1]


@pytest.mark.parametrize(
    ("model", "num_ctx", "left"),
    [("llama3.1:8b", 4096, 2051), ("qwen2.5-coder:32b", 4096, 2050), ("llama3.1:8b", None, 16387)],
)
async def test_a_prompt_that_is_too_long_is_cut_without_a_word(
    http: aiohttp.ClientSession, model: str, num_ctx: int | None, left: int
) -> None:
    long = "remember this first. " + "word " * 60_000
    options = {} if num_ctx is None else {"num_ctx": num_ctx}
    async with serving(ollama()) as url:
        answer = await whole(http, url, model=model, messages=[{"role": "user", "content": long}], options=options)
        generated = await whole(http, url, "/api/generate", model=model, prompt=long, options=options)
    assert answer["prompt_eval_count"] == generated["prompt_eval_count"] == left
    assert not judge(long, answer["message"]["content"])


@pytest.mark.parametrize("model", ["llama3.3:70b", "hf.co/user/model-GGUF:Q4_K_M"])
async def test_models_with_a_template_of_their_own_refuse_it_in_chat_and_cut_it_in_generate(
    http: aiohttp.ClientSession, model: str
) -> None:
    long = "word " * 4000
    async with serving(ollama(models=(model,))) as url:
        asked = {"model": model, "options": {"num_ctx": 4096}}
        status, error = await post(http, url, messages=[{"role": "user", "content": long}], **asked)
        generated = await whole(http, url, "/api/generate", prompt=long, **asked)
    inner = json.loads(error["error"])["error"]
    assert status == 400 and inner["type"] == "exceed_context_size_error"
    assert (inner["n_prompt_tokens"], inner["n_ctx"]) == (5004, 4096)
    assert generated["prompt_eval_count"] in (2050, 2051)


async def test_old_messages_go_first_and_the_system_message_stays(http: aiohttp.ClientSession) -> None:
    talk = [
        {"role": "system", "content": "s" * 400},
        *({"role": "user", "content": "x" * 4000} for _ in range(6)),
        *USER,
    ]
    async with serving(ollama()) as url:
        answer = await whole(http, url, model="llama3.1:8b", messages=talk, options={"num_ctx": 2048})
    assert answer["prompt_eval_count"] == 104 + 1004 + 4 + -(-len(PROMPT) // 4)


@pytest.mark.parametrize("asked", [{"truncate": False}, {"shift": False}])
async def test_truncate_or_shift_off_makes_the_overflow_loud(http: aiohttp.ClientSession, asked: Any) -> None:
    long = [{"role": "user", "content": "word " * 4000}]
    async with serving(ollama()) as url:
        status, error = await post(http, url, model="llama3.1:8b", messages=long, options={"num_ctx": 1024}, **asked)
    assert status == 400 and error["error"].startswith(
        "the prompt is longer than the context length currently available"
    )


async def test_without_shift_the_answer_ends_with_the_window(http: aiohttp.ClientSession) -> None:
    asked = [{"role": "user", "content": "write 300 words"}]
    async with serving(ollama()) as url:
        answer = await whole(http, url, model="llama3.1:8b", messages=asked, options={"num_ctx": 64}, shift=False)
    assert answer["done_reason"] == "length" and answer["prompt_eval_count"] + answer["eval_count"] == 64


@pytest.mark.parametrize(
    ("first", "second", "version", "loads"),
    [
        ({}, {"options": {"num_ctx": 2048}}, None, 2),
        ({}, {"options": {"temperature": 0}}, None, 1),
        ({}, {"options": {"num_gpu": 1}}, None, 2),
        ({}, {"shift": False}, None, 2),
        ({}, {"shift": False}, "0.29.0", 1),
        ({}, {"shift": True}, None, 1),
    ],
)
async def test_load_settings_that_differ_mean_a_reload(
    http: aiohttp.ClientSession, first: Any, second: Any, version: str | None, loads: int
) -> None:
    emulator = ollama(version=version)
    async with serving(emulator) as url:
        for body in (first, second):
            await whole(http, url, model="llama3.1:8b", messages=USER, **body)
    assert emulator.engine.counters.loads == loads


async def test_the_default_window_follows_version_and_option(http: aiohttp.ClientSession) -> None:
    for options, window in (({}, 32768), ({"version": "0.15.4"}, 4096), ({"context": 8192}, 8192)):
        emulator = ollama(**options)
        async with serving(emulator) as url:
            await whole(http, url, model="llama3.1:8b", messages=USER)
        assert emulator.engine.loaded()[0].context == window


async def test_one_slot_is_the_default_and_embedding_models_never_have_more(http: aiohttp.ClientSession) -> None:
    emulator = ollama(slots=4)
    async with serving(emulator) as url:
        await whole(http, url, model="llama3.1:8b", messages=USER)
        await whole(http, url, "/api/embed", model="nomic-embed-text", input="x")
    assert {instance.id: instance.slots for instance in emulator.engine.loaded()} == {
        "llama3.1:8b": 4,
        "nomic-embed-text:latest": 1,
    }
    assert ollama().engine.policy.slots == 1 and ollama(version="0.9.0").engine.policy.slots == 4


async def test_a_full_queue_is_a_503_without_a_word_on_when_to_return(http: aiohttp.ClientSession) -> None:
    emulator = ollama(policy={"max_pending": 1}, speed=2)
    async with serving(emulator) as url:
        asked = {"model": "llama3.1:8b", "messages": USER, "stream": False}
        waiting = []
        for condition in (lambda: emulator.engine.scheduling, lambda: emulator.engine.pending == 1):
            waiting.append(asyncio.create_task(http.post(f"{url}/api/chat", json=asked)))
            async with asyncio.timeout(5):
                while not condition():
                    await asyncio.sleep(0.005)
        async with http.post(f"{url}/api/chat", json=asked) as response:
            assert response.status == 503 and "Retry-After" not in response.headers
            assert "please try again.  maximum pending" in (await response.json())["error"]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)


async def test_a_client_that_leaves_during_a_load_aborts_it(http: aiohttp.ClientSession) -> None:
    emulator = ollama(speed=2)
    async with serving(emulator) as url:
        for aborted in (1, 2):
            with pytest.raises(TimeoutError):
                await http.post(
                    f"{url}/api/chat",
                    json={"model": "llama3.1:8b", "messages": USER},
                    timeout=aiohttp.ClientTimeout(total=0.1),
                )
            async with asyncio.timeout(5):
                while emulator.engine.counters.loads_aborted < aborted:
                    await asyncio.sleep(0.005)
    assert emulator.engine.counters.loads == 0


async def test_an_error_in_the_middle_is_the_last_line(http: aiohttp.ClientSession) -> None:
    async with serving(ollama(Fault(FaultName.ERROR_EVENT_MID_STREAM, after=2))) as url:
        status, lines = await post(http, url, model="llama3.1:8b", messages=USER)
    assert status == 200 and len(lines) == 3 and list(lines[-1]) == ["error"]


async def test_a_stream_may_end_without_being_done(http: aiohttp.ClientSession) -> None:
    async with serving(ollama(Fault(FaultName.MISSING_TERMINATOR))) as url:
        _, lines = await post(http, url, model="llama3.1:8b", messages=USER)
        status, answer = await post(http, url, model="llama3.1:8b", messages=USER, stream=False)
    assert not lines[-1]["done"] and text_of(lines)
    assert status == 200 and answer["done"] is False and "done_reason" not in answer and answer["message"]["content"]


@pytest.mark.parametrize(
    ("name", "status", "message"),
    [
        ("load_failed", 500, "llama-server process has terminated"),
        ("busy_503", 503, "server busy"),
        ("not_found", 404, "model 'llama3.1:8b' not found"),
        ("error_500", 500, "model runner has unexpectedly stopped"),
    ],
)
async def test_faults_use_the_words_of_the_provider(
    http: aiohttp.ClientSession, name: str, status: int, message: str
) -> None:
    async with serving(ollama(Fault.parse(name))) as url:
        got, error = await post(http, url, model="llama3.1:8b", messages=USER)
    assert got == status and message in error["error"]


async def test_generate_answers_in_a_field_of_its_own(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        answer = await whole(http, url, "/api/generate", model="qwen3:4b", prompt=PROMPT, system="be brief")
        same = await whole(http, url, model="qwen3:4b", messages=USER)
    assert answer["response"] == same["message"]["content"] and answer["thinking"] and "message" not in answer


async def test_embeddings_are_unit_vectors_only_at_the_newer_endpoint(http: aiohttp.ClientSession) -> None:
    async with serving(ollama()) as url:
        new = await whole(http, url, "/api/embed", model="nomic-embed-text", input=["a b", "c"], dimensions=64)
        old = await whole(http, url, "/api/embeddings", model="nomic-embed-text", prompt="a b")
        long = {"model": "nomic-embed-text", "input": "word " * 3000}
        cut = await whole(http, url, "/api/embed", **long)
        refused, error = await post(http, url, "/api/embed", truncate=False, **long)
        wrong, _ = await post(http, url, "/api/embed", model="llama3.1:8b", input="x")
    assert [len(vector) for vector in new["embeddings"]] == [64, 64] and new["prompt_eval_count"] == 2
    assert sum(value**2 for value in new["embeddings"][0]) == pytest.approx(1)
    assert sum(value**2 for value in old["embedding"]) > 100
    assert cut["prompt_eval_count"] == 2048
    assert (refused, error["error"]) == (400, "the input length exceeds the context length") and wrong == 500
