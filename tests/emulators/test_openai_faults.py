"""Every fault in OpenAI's dialect, streamed and not, and the words of the three servers for those that are errors."""

from __future__ import annotations

import asyncio
import gc
import json
from typing import Any

import aiohttp
import pytest
from tests.emulators.outcomes import CUT, HTML_STATUS, NEVER_ENDING, OVERSIZED_BYTES, STATUS, UNREACHED, Seen, see

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.openai import DIALECTS, OpenAIOptions, make
from turnout.emulators.server import serving

pytestmark = pytest.mark.anyio

DONE = b"data: [DONE]\n\n"
ASKED = {"messages": [{"role": "user", "content": "Name the track of the night train"}], "max_tokens": 12}


async def strike(
    http: aiohttp.ClientSession, fault: FaultName, *, streamed: bool, server: str = "openai", **fields: Any
) -> Seen:
    emulator = make(OpenAIOptions(server=server, faults=[Fault(fault, **{"seconds": 0.02, **fields})]))
    async with serving(emulator) as url:
        body = {"model": next(iter(emulator.models)), "stream": streamed, **ASKED}
        seen = await see(http, f"{url}/v1/chat/completions", body, fault)
        assert emulator.faults.struck == {fault: 1}
        return seen


def texts(seen: Seen) -> list[str]:
    return [line.decode().split('"content":"')[1].split('"')[0] for line in seen.lines if b'"content":"' in line][1:]


@pytest.mark.parametrize("fault", FaultName)
async def test_a_stream_suffers_as_the_fault_says(http: aiohttp.ClientSession, fault: FaultName) -> None:
    seen = await strike(http, fault, streamed=True)
    match fault:
        case _ if fault in UNREACHED:
            assert seen.outcome == "unreached"
        case _ if fault in NEVER_ENDING:
            assert seen.outcome == "silent" and len(texts(seen)) == (fault is FaultName.STALL_MID_STREAM)
        case _ if fault in CUT:
            assert seen.outcome == "cut" and len(texts(seen)) >= 1
        case _ if fault in STATUS:
            assert (seen.outcome, seen.status) == ("done", STATUS[fault]) and seen.body["error"]["message"]
        case FaultName.BAD_GATEWAY_HTML:
            assert seen.status == HTML_STATUS and seen.raw.startswith(b"<html>")
        case FaultName.ERROR_EVENT_MID_STREAM:
            assert len(texts(seen)) == 1 and b'"type":"server_error"' in seen.lines[-1] and DONE not in seen.raw
        case FaultName.SWALLOWED_ERROR:
            assert seen.raw.endswith(DONE) and b'"finish_reason":"' not in seen.raw and len(texts(seen)) == 1
        case FaultName.MISSING_TERMINATOR:
            assert seen.outcome == "done" and DONE not in seen.raw and b'"finish_reason":"length"' in seen.lines[-1]
        case FaultName.MALFORMED_JSON:
            assert seen.broken_lines == 1 and seen.raw.endswith(DONE)
        case FaultName.INVALID_UTF8:
            assert not seen.is_utf8 and seen.raw.endswith(DONE)
        case FaultName.OVERSIZED_LINE:
            assert max(map(len, seen.lines)) > OVERSIZED_BYTES and seen.raw.endswith(DONE)
        case FaultName.WRONG_MODEL:
            assert all(b'"model":"some-other-model"' in line for line in seen.lines[:-1])
        case FaultName.EMPTY_ANSWER:
            assert texts(seen) == [] and b'"finish_reason":"stop"' in seen.raw and seen.raw.endswith(DONE)
        case _:
            assert fault in (FaultName.SLOW_FIRST_BYTE, FaultName.SPLIT_UTF8)
            assert seen.outcome == "done" and seen.broken_lines == 0 and seen.raw.endswith(DONE)


@pytest.mark.parametrize("fault", FaultName)
async def test_an_answer_in_one_piece_suffers_as_the_fault_says(http: aiohttp.ClientSession, fault: FaultName) -> None:
    seen = await strike(http, fault, streamed=False)
    match fault:
        case _ if fault in UNREACHED:
            assert seen.outcome == "unreached"
        case _ if fault in NEVER_ENDING:
            assert seen.outcome == "silent"
        case _ if fault in CUT or fault is FaultName.MISSING_TERMINATOR:
            assert seen.outcome == "cut"
        case FaultName.ERROR_EVENT_MID_STREAM | FaultName.SWALLOWED_ERROR:
            assert seen.status == 500 and seen.body["error"]["type"] == "server_error"
        case _ if fault in STATUS:
            assert (seen.outcome, seen.status) == ("done", STATUS[fault]) and seen.body["error"]["message"]
        case FaultName.BAD_GATEWAY_HTML:
            assert seen.status == HTML_STATUS and seen.raw.startswith(b"<html>")
        case FaultName.MALFORMED_JSON:
            with pytest.raises(json.JSONDecodeError):
                _ = seen.body
        case FaultName.INVALID_UTF8:
            assert not seen.is_utf8
        case FaultName.OVERSIZED_LINE:
            assert len(seen.raw) > OVERSIZED_BYTES and seen.body["choices"]
        case FaultName.WRONG_MODEL:
            assert seen.body["model"] == "some-other-model"
        case FaultName.EMPTY_ANSWER:
            assert seen.body["choices"][0]["message"]["content"] == "" and seen.body["usage"]["completion_tokens"] > 0
        case _:
            assert fault in (FaultName.SLOW_FIRST_BYTE, FaultName.SPLIT_UTF8)
            assert seen.outcome == "done" and seen.body["choices"][0]["message"]["content"]


@pytest.mark.parametrize("streamed", [False, True])
async def test_a_rate_limit_says_when_to_come_back(http: aiohttp.ClientSession, streamed: bool) -> None:
    seen = await strike(http, FaultName.BUSY_429, streamed=streamed, seconds=1.5)
    assert seen.headers["retry-after"] == "1.5" and seen.headers["retry-after-ms"] == "1500"
    assert "Please try again in 1.5s" in seen.body["error"]["message"]
    assert seen.body["error"]["type"] == "tokens" and seen.body["error"]["code"] == "rate_limit_exceeded"


@pytest.mark.parametrize(
    ("fault", "kind", "code"),
    [
        (FaultName.BUSY_503, "service_unavailable_error", "server_is_overloaded"),
        (FaultName.UNAUTHORIZED, "invalid_request_error", "invalid_api_key"),
        (FaultName.NOT_FOUND, "invalid_request_error", "model_not_found"),
        (FaultName.ERROR_500, "server_error", None),
    ],
)
async def test_errors_have_openais_type_and_code(
    http: aiohttp.ClientSession, fault: FaultName, kind: str, code: str | None
) -> None:
    error = (await strike(http, fault, streamed=False)).body["error"]
    assert (error["type"], error["code"], error["param"]) == (kind, code, None)


@pytest.mark.parametrize(
    ("fault", "status", "kind", "words"),
    [
        (FaultName.BUSY_503, 503, "unavailable_error", "Loading model"),
        (FaultName.UNAUTHORIZED, 401, "authentication_error", "Invalid API Key"),
        (FaultName.NOT_FOUND, 400, "invalid_request_error", "not found"),
        (FaultName.LOAD_FAILED, 500, "server_error", "failed to load"),
        (FaultName.ERROR_500, 500, "server_error", "Compute error."),
    ],
)
async def test_errors_of_llamacpp_have_a_number_as_code(
    http: aiohttp.ClientSession, fault: FaultName, status: int, kind: str, words: str
) -> None:
    seen = await strike(http, fault, streamed=True, server="llamacpp")
    error = seen.body["error"]
    assert seen.status == error["code"] == status and error["type"] == kind and words in error["message"]


@pytest.mark.parametrize(
    ("fault", "status", "kind"),
    [
        (FaultName.BUSY_429, 429, "Too Many Requests"),
        (FaultName.BUSY_503, 503, "Service Unavailable"),
        (FaultName.NOT_FOUND, 404, "NotFoundError"),
        (FaultName.ERROR_500, 500, "InternalServerError"),
    ],
)
async def test_errors_of_vllm_have_names_of_exceptions(
    http: aiohttp.ClientSession, fault: FaultName, status: int, kind: str
) -> None:
    seen = await strike(http, fault, streamed=False, server="vllm")
    assert seen.status == seen.body["error"]["code"] == status and seen.body["error"]["type"] == kind


@pytest.mark.parametrize("server", DIALECTS)
async def test_an_error_inside_a_stream_looks_like_the_servers_other_errors(
    http: aiohttp.ClientSession, server: str
) -> None:
    seen = await strike(http, FaultName.ERROR_EVENT_MID_STREAM, streamed=True, server=server, after=3)
    assert seen.status == 200 and b'data: {"error":{' in seen.raw
    assert seen.raw.endswith(DONE) == (server == "vllm")


async def test_an_error_with_200_keeps_the_code_it_should_have_had(http: aiohttp.ClientSession) -> None:
    for server in ("llamacpp", "vllm"):
        seen = await strike(http, FaultName.ERROR_WITH_200, streamed=False, server=server)
        assert seen.status == 200 and seen.body["error"]["code"] == 500


@pytest.mark.parametrize("turns", range(8))
async def test_a_server_that_is_stopped_while_it_comes_back_leaves_no_socket_open(turns: int) -> None:
    emulator = make(OpenAIOptions())
    async with serving(emulator):
        assert emulator.listener is not None
        emulator.listener.refuse(0)
        for _ in range(turns):
            await asyncio.sleep(0)
    gc.collect()  # a socket left open warns when it is collected, and a warning fails the test
