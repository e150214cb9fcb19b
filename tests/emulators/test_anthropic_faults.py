"""Every fault in Anthropic's dialect, streamed and not."""

from __future__ import annotations

import json
from typing import Any

import aiohttp
import pytest
from tests.emulators.outcomes import CUT, HTML_STATUS, NEVER_ENDING, OVERSIZED_BYTES, STATUS, UNREACHED, Seen, see
from tests.emulators.test_anthropic import HEADERS, PROMPT

from turnout.emulators.anthropic import AnthropicOptions, make
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import serving

pytestmark = pytest.mark.anyio

STATUSES = {**STATUS, FaultName.BUSY_503: 529}
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'
ASKED = {"model": "claude-sonnet-4-5", "max_tokens": 12, "messages": [{"role": "user", "content": PROMPT}]}


async def strike(http: aiohttp.ClientSession, fault: FaultName, *, streamed: bool, **fields: Any) -> Seen:
    emulator = make(AnthropicOptions(faults=[Fault(fault, **{"seconds": 0.02, **fields})]))
    async with serving(emulator) as url:
        seen = await see(http, f"{url}/v1/messages", {**ASKED, "stream": streamed}, fault, HEADERS)
        assert emulator.faults.struck == {fault: 1}
        return seen


def pieces(seen: Seen) -> int:
    return seen.raw.count(b'"type":"text_delta"')


@pytest.mark.parametrize("fault", FaultName)
async def test_a_stream_suffers_as_the_fault_says(http: aiohttp.ClientSession, fault: FaultName) -> None:
    seen = await strike(http, fault, streamed=True)
    match fault:
        case _ if fault in UNREACHED:
            assert seen.outcome == "unreached"
        case _ if fault in NEVER_ENDING:
            assert seen.outcome == "silent" and pieces(seen) == (fault is FaultName.STALL_MID_STREAM)
        case _ if fault in CUT:
            assert seen.outcome == "cut" and pieces(seen) >= 1
        case _ if fault in STATUSES:
            assert (seen.outcome, seen.status) == ("done", STATUSES[fault]) and seen.body["type"] == "error"
        case FaultName.BAD_GATEWAY_HTML:
            assert seen.status == HTML_STATUS and seen.raw.startswith(b"<html>")
        case FaultName.ERROR_EVENT_MID_STREAM:
            *_, name, data, _, _ = seen.raw.split(b"\n")
            error = json.loads(data.removeprefix(b"data: "))
            assert name == b"event: error" and pieces(seen) == 1 and STOP not in seen.raw
            assert error["type"] == "error" and error["request_id"] == seen.headers["request-id"]
            assert error["error"] == {"details": None, "type": "overloaded_error", "message": "Overloaded"}
        case FaultName.SWALLOWED_ERROR:
            assert seen.raw.endswith(STOP) and b"message_delta" not in seen.raw and pieces(seen) == 2
        case FaultName.MISSING_TERMINATOR:
            assert seen.outcome == "done" and STOP not in seen.raw and b'"stop_reason":"max_tokens"' in seen.lines[-1]
        case FaultName.MALFORMED_JSON:
            assert seen.broken_lines == 1 and seen.raw.endswith(STOP)
        case FaultName.INVALID_UTF8:
            assert not seen.is_utf8 and seen.raw.endswith(STOP)
        case FaultName.OVERSIZED_LINE:
            assert max(map(len, seen.lines)) > OVERSIZED_BYTES and seen.raw.endswith(STOP)
        case FaultName.WRONG_MODEL:
            assert b'"model":"some-other-model"' in seen.lines[0]
        case FaultName.EMPTY_ANSWER:
            assert b"content_block" not in seen.raw and b'"stop_reason":"end_turn"' in seen.raw
            assert seen.raw.endswith(STOP)
        case _:
            assert fault in (FaultName.SLOW_FIRST_BYTE, FaultName.SPLIT_UTF8)
            assert seen.outcome == "done" and seen.broken_lines == 0 and seen.raw.endswith(STOP)


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
            assert seen.status == 500 and seen.body["error"]["type"] == "api_error"
        case _ if fault in STATUSES:
            assert (seen.outcome, seen.status) == ("done", STATUSES[fault]) and seen.body["type"] == "error"
        case FaultName.BAD_GATEWAY_HTML:
            assert seen.status == HTML_STATUS and seen.raw.startswith(b"<html>")
        case FaultName.MALFORMED_JSON:
            with pytest.raises(json.JSONDecodeError):
                _ = seen.body
        case FaultName.INVALID_UTF8:
            assert not seen.is_utf8
        case FaultName.OVERSIZED_LINE:
            assert len(seen.raw) > OVERSIZED_BYTES and seen.body["content"]
        case FaultName.WRONG_MODEL:
            assert seen.body["model"] == "some-other-model"
        case FaultName.EMPTY_ANSWER:
            assert seen.body["content"] == [] and seen.body["usage"]["output_tokens"] > 0
        case _:
            assert fault in (FaultName.SLOW_FIRST_BYTE, FaultName.SPLIT_UTF8)
            assert seen.outcome == "done" and seen.body["content"][0]["text"]


@pytest.mark.parametrize(
    ("fault", "kind", "message"),
    [
        (FaultName.BUSY_429, "rate_limit_error", "This request would exceed your organization's rate limit"),
        (FaultName.BUSY_503, "overloaded_error", "Overloaded"),
        (FaultName.UNAUTHORIZED, "authentication_error", "invalid x-api-key"),
        (FaultName.NOT_FOUND, "not_found_error", "model: claude-sonnet-4-5"),
        (FaultName.LOAD_FAILED, "api_error", "Failed to load"),
        (FaultName.ERROR_500, "api_error", "Internal server error"),
        (FaultName.ERROR_WITH_200, "api_error", "Internal server error"),
    ],
)
async def test_errors_have_anthropics_types(
    http: aiohttp.ClientSession, fault: FaultName, kind: str, message: str
) -> None:
    error = (await strike(http, fault, streamed=True)).body["error"]
    assert error["type"] == kind and error["message"].startswith(message)


async def test_a_rate_limit_says_when_to_come_back(http: aiohttp.ClientSession) -> None:
    seen = await strike(http, FaultName.BUSY_429, streamed=False, seconds=7)
    assert seen.status == 429 and seen.headers["retry-after"] == "7" and seen.headers["x-should-retry"] == "true"
