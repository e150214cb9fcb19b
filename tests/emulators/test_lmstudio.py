"""LM Studio as emulated: its versions, its lists, its token, and which model answers."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest

from turnout.emulators.lmstudio import LMStudio, make
from turnout.emulators.lmstudio_settings import LMStudioSettings, Version
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio

SMALL, LARGE, SPARSE, EMBEDDING = "qwen2.5-coder-1.5b", "qwen2.5-coder-7b", "llama-3.1-8b", "text-embedding-nomic"
USER = [{"role": "user", "content": "What is a turnout?"}]


def studio(settings: LMStudioSettings | None = None, **options: Any) -> LMStudio:
    return LMStudio(EmulatorOptions(**options), settings)


async def get(http: aiohttp.ClientSession, url: str, **options: Any) -> tuple[int, Any]:
    async with http.get(url, **options) as response:
        return response.status, json.loads(await response.read())


async def post(http: aiohttp.ClientSession, url: str, body: Any, **options: Any) -> tuple[int, Any]:
    async with http.post(url, json=body, **options) as response:
        return response.status, json.loads(await response.read())


async def chat(http: aiohttp.ClientSession, url: str, model: str = SMALL, **fields: Any) -> tuple[int, Any]:
    return await post(http, f"{url}/v1/chat/completions", {"model": model, "messages": USER, **fields})


async def load(http: aiohttp.ClientSession, url: str, model: str, **fields: Any) -> dict[str, Any]:
    status, answer = await post(http, f"{url}/api/v1/models/load", {"model": model, **fields})
    assert status == 200
    return dict(answer)


async def test_it_greets_and_says_that_it_is_made_with_express(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url, http.get(f"{url}/lmstudio-greeting") as response:
        assert (response.status, await response.json()) == (200, {"lmstudio": True})
        assert response.headers["X-Powered-By"] == "Express"
        assert response.headers["Content-Type"] == "application/json; charset=utf-8"
        assert "Server" not in response.headers


@pytest.mark.parametrize(("method", "path"), [("GET", "/x"), ("POST", "/v1/models"), ("GET", "//v1/models")])
async def test_unknown_paths_and_methods_are_answered_with_200_and_an_error(
    http: aiohttp.ClientSession, method: str, path: str
) -> None:
    async with serving(studio()) as url, http.request(method, url + path, json={"stream": True}) as response:
        assert response.status == 200 and response.content_type == "application/json"
        assert await response.json() == {"error": f"Unexpected endpoint or method. ({method} {path})"}


@pytest.mark.parametrize(
    ("version", "known"),
    [
        ("0.3.4", {"/v1/models"}),
        ("0.3.20", {"/v1/models", "/api/v0/models"}),
        (None, {"/v1/models", "/api/v0/models", "/api/v1/models"}),
        ("0.4.23+1", {"/v1/models", "/api/v0/models", "/api/v1/models"}),
    ],
)
async def test_a_version_has_the_interfaces_of_its_time(
    http: aiohttp.ClientSession, version: str | None, known: set[str]
) -> None:
    async with serving(studio(version=version)) as url:
        for path in ("/v1/models", "/api/v0/models", "/api/v1/models"):
            status, answer = await get(http, url + path)
            assert status == 200 and ("error" not in answer) == (path in known)


def test_versions_compare_by_number() -> None:
    assert Version.parse("0.4.20").since(0, 4, 9) and not Version.parse("0.3.39 (Build 2)").since(0, 4)


async def test_with_loading_on_request_the_list_names_everything_and_without_it_what_is_loaded(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio()) as url:
        _, everything = await get(http, f"{url}/v1/models")
    async with serving(studio(LMStudioSettings(just_in_time=False))) as url:
        _, nothing = await get(http, f"{url}/v1/models")
        await load(http, url, SMALL)
        _, loaded = await get(http, f"{url}/v1/models")
    assert [entry["id"] for entry in everything["data"]] == [SMALL, LARGE, SPARSE, EMBEDDING]
    assert nothing == {"object": "list", "data": []}
    assert loaded["data"] == [{"id": SMALL, "object": "model", "owned_by": "organization_owner"}]


async def test_one_model_is_found_by_its_name_and_an_unknown_one_is_not(http: aiohttp.ClientSession) -> None:
    async with serving(studio(models=("qwen/qwen3-4b",))) as url:
        for path in ("/v1/models/", "/api/v0/models/"):
            status, entry = await get(http, f"{url}{path}qwen/qwen3-4b")
            assert (status, entry["id"]) == (200, "qwen/qwen3-4b")
            status, answer = await get(http, f"{url}{path}nobody")
            assert status == 404 and answer["error"]["code"] == "model_not_found"


async def test_the_list_of_v0_tells_the_state_and_the_window_of_loaded_models(http: aiohttp.ClientSession) -> None:
    async with serving(studio(models=(SMALL, SPARSE, "llava-7b", EMBEDDING))) as url:
        await load(http, url, SMALL, context_length=8192)
        _, answer = await get(http, f"{url}/api/v0/models")
    small, sparse, vision, embedding = answer["data"]
    assert small == {
        "id": SMALL,
        "object": "model",
        "type": "llm",
        "publisher": "lmstudio-community",
        "arch": "qwen2",
        "compatibility_type": "gguf",
        "quantization": "Q4_K_M",
        "state": "loaded",
        "max_context_length": 32768,
        "loaded_context_length": 8192,
        "capabilities": ["tool_use"],
    }
    assert not {"arch", "quantization", "max_context_length", "capabilities"} & sparse.keys()
    assert (vision["type"], embedding["type"]) == ("vlm", "embeddings")
    assert vision["state"] == "not-loaded" and "loaded_context_length" not in vision


async def test_the_list_of_v0_knows_no_capabilities_before_0_3_16(http: aiohttp.ClientSession) -> None:
    async with serving(studio(version="0.3.15")) as url:
        _, answer = await get(http, f"{url}/api/v0/models")
    assert not any("capabilities" in entry for entry in answer["data"])


async def test_the_list_of_v1_tells_every_instance_and_what_a_model_can_do(http: aiohttp.ClientSession) -> None:
    async with serving(studio(models=(SMALL, SPARSE, "qwen/qwen3-4b", EMBEDDING))) as url:
        await load(http, url, SMALL)
        await load(http, url, SMALL, context_length=16384)
        _, answer = await get(http, f"{url}/api/v1/models")
    small, sparse, thinking, embedding = answer["models"]
    assert [(one["id"], one["config"]["context_length"]) for one in small["loaded_instances"]] == [
        (SMALL, 4096),
        (f"{SMALL}:2", 16384),
    ]
    assert small["loaded_instances"][0]["config"]["parallel"] == 4
    assert small["type"] == "llm" and small["quantization"] == {"name": "Q4_K_M", "bits_per_weight": 4}
    assert small["capabilities"] == {"vision": False, "trained_for_tool_use": True}
    assert sparse["quantization"] is None and sparse["params_string"] is None and sparse["format"] is None
    assert not {"architecture", "capabilities"} & sparse.keys()
    assert thinking["publisher"] == "qwen" and thinking["loaded_instances"] == []
    assert thinking["capabilities"]["reasoning"] == {"allowed_options": ["off", "on"], "default": "on"}
    assert embedding["type"] == "embedding" and not {"architecture", "capabilities"} & embedding.keys()


async def test_loading_tells_its_time_and_its_settings_when_asked(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        plain = await load(http, url, SMALL)
        echoed = await load(http, url, SMALL, context_length=2048, echo_load_config=True)
        vectors = await load(http, url, EMBEDDING, echo_load_config=True)
    assert plain.keys() == {"type", "instance_id", "load_time_seconds", "status"}
    assert (plain["type"], plain["instance_id"], plain["status"]) == ("llm", SMALL, "loaded")
    assert plain["load_time_seconds"] > 0
    assert echoed["instance_id"] == f"{SMALL}:2" and echoed["load_config"]["context_length"] == 2048
    assert vectors["type"] == "embedding" and vectors["load_config"] == {"context_length": 2048}


async def test_unloading_takes_one_instance_and_refuses_names_that_are_not_loaded(http: aiohttp.ClientSession) -> None:
    emulator = studio()
    async with serving(emulator) as url:
        await load(http, url, SMALL)
        await load(http, url, SMALL)
        status, answer = await post(http, f"{url}/api/v1/models/unload", {"instance_id": SMALL})
        assert (status, answer) == (200, {"instance_id": SMALL})
        assert [instance.id for instance in emulator.engine.loaded()] == [f"{SMALL}:2"]
        status, answer = await post(http, f"{url}/api/v1/models/unload", {"instance_id": SMALL})
        assert status == 404 and answer["error"]["type"] == "model_not_found"


@pytest.mark.parametrize(
    ("body", "status", "error"),
    [
        ({}, 400, {"type": "invalid_request", "code": "missing_required_parameter", "param": "model"}),
        ({"model": SMALL, "ttl": 3}, 400, {"type": "invalid_request", "code": "unrecognized_keys"}),
        ({"model": SMALL, "context_length": "8k"}, 400, {"type": "invalid_request", "param": "context_length"}),
        ({"model": "nobody"}, 404, {"type": "model_not_found", "code": "model_not_found", "param": "model"}),
    ],
)
async def test_loading_refuses_what_it_does_not_know(
    http: aiohttp.ClientSession, body: dict[str, Any], status: int, error: dict[str, str]
) -> None:
    async with serving(studio()) as url:
        got, answer = await post(http, f"{url}/api/v1/models/load", body)
    assert got == status and error.items() <= answer["error"].items() and answer["error"]["message"]


async def test_a_token_is_wanted_everywhere_but_at_the_greeting(http: aiohttp.ClientSession) -> None:
    async with serving(studio(LMStudioSettings(api_token="secret"))) as url:
        assert await get(http, f"{url}/lmstudio-greeting") == (200, {"lmstudio": True})
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": "secret"}):
            status, answer = await get(http, f"{url}/api/v1/models", headers=headers)
            assert status == 401
            assert (answer["error"]["type"], answer["error"]["code"]) == ("invalid_request", "invalid_api_key")
        status, answer = await chat(http, url)
        assert status == 401 and answer["error"]["code"] == "invalid_api_key"
        status, _ = await get(http, f"{url}/v1/models", headers={"Authorization": "Bearer secret"})
        assert status == 200


async def test_a_token_means_nothing_before_0_4_and_any_is_taken_when_none_is_wanted(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio(LMStudioSettings(api_token="secret"), version="0.3.20")) as url:
        assert (await get(http, f"{url}/v1/models"))[0] == 200
    async with serving(studio()) as url:
        assert (await get(http, f"{url}/v1/models", headers={"Authorization": "Bearer any"}))[0] == 200


async def test_the_only_loaded_model_answers_for_unknown_names_and_says_who_it_is(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio()) as url:
        await load(http, url, SMALL)
        await load(http, url, EMBEDDING)
        status, answer = await chat(http, url, "nobody")
        assert (status, answer["model"]) == (200, SMALL)
        status, answer = await post(http, f"{url}/v1/chat/completions", {"messages": USER})
        assert (status, answer["model"]) == (200, SMALL)


async def test_without_loading_on_request_the_only_loaded_model_answers_for_downloaded_ones(
    http: aiohttp.ClientSession,
) -> None:
    async with serving(studio(LMStudioSettings(just_in_time=False))) as url:
        await load(http, url, SMALL)
        status, answer = await chat(http, url, LARGE)
    assert (status, answer["model"], answer["system_fingerprint"]) == (200, SMALL, SMALL)


async def test_with_two_loaded_models_an_unknown_name_is_not_found(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        await load(http, url, SMALL)
        await load(http, url, LARGE)
        status, answer = await chat(http, url, "nobody")
    assert status == 404
    assert answer["error"].pop("message").startswith('Model "nobody" not found. Please specify a valid model.')
    assert answer["error"] == {"type": "invalid_request_error", "param": "model", "code": "model_not_found"}


@pytest.mark.parametrize(("version", "expected"), [("0.3.5", 404), ("0.4.20", 400)])
async def test_with_nothing_loaded_an_unknown_name_is_told_so(
    http: aiohttp.ClientSession, version: str, expected: int
) -> None:
    async with serving(studio(version=version)) as url:
        status, answer = await chat(http, url, "nobody")
    assert status == expected
    assert answer["error"].pop("message").startswith("No models loaded.")
    assert answer["error"] == {"type": "invalid_request_error", "param": "model", "code": None}


async def test_a_name_of_an_instance_means_this_instance(http: aiohttp.ClientSession) -> None:
    async with serving(studio()) as url:
        await load(http, url, SMALL)
        await load(http, url, SMALL)
        for name in (SMALL, f"{SMALL}:2"):
            status, answer = await chat(http, url, name)
            assert (status, answer["model"]) == (200, name)
        await post(http, f"{url}/api/v1/models/unload", {"instance_id": SMALL})
        _, answer = await chat(http, url, SMALL)
        assert answer["model"] == f"{SMALL}:2"


async def test_options_set_the_engine_and_the_app(http: aiohttp.ClientSession) -> None:
    policy = {"just_in_time": False, "context_length": 1000, "max_loaded": 1, "silent_overflow": frozenset({SMALL})}
    emulator = make(EmulatorOptions(policy=policy, slots=2))
    assert emulator.settings == LMStudioSettings(False, context_length=1000, silent_overflow=frozenset({SMALL}))
    assert (emulator.engine.policy.slots, emulator.engine.policy.max_loaded) == (2, 1)
    async with serving(emulator) as url:
        await load(http, url, SMALL)
    (instance,) = emulator.engine.loaded()
    assert (instance.context, instance.slots) == (1000, 2)
