"""Answers on their way: headers in both directions, signs of life, readers that stall, answers that are remembered."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai import APIError, OpenAI
from tests.gateway.world import ENDLESS, FAST, LONG, PLAIN, SETTINGS, SHORT, World, opened

from turnout.errors import NoCandidateError
from turnout.gateway import replying
from turnout.gateway.replying import header_text, is_lasting
from turnout.types import CandidateState, Snapshot

OURS = ("x-turnout-decision", "x-turnout-candidate", "x-turnout-reason")


@pytest.fixture
def http(world: World) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=world.url, timeout=60) as made:
        yield made


@pytest.fixture
def client(world: World) -> Iterator[OpenAI]:
    with OpenAI(base_url=f"{world.url}/v1", api_key="none") as made:
        yield made


def ask(prompt: str = SHORT, **more: Any) -> dict[str, Any]:
    return {"model": "auto", "messages": [{"role": "user", "content": prompt}], **more}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/chat/completions", ask()),
        ("/v1/chat/completions", ask(stream=True)),
        ("/v1/completions", {"model": "auto", "prompt": SHORT}),
        ("/v1/responses", {"model": "auto", "input": SHORT}),
        ("/v1/responses", {"model": "auto", "input": SHORT, "stream": True}),
        ("/api/chat", ask()),
        ("/api/generate", {"model": "auto", "prompt": SHORT, "stream": False}),
    ],
)
def test_every_answer_tells_who_gave_it_and_why(http: httpx.Client, path: str, body: dict[str, Any]) -> None:
    response = http.post(path, json=body)
    assert response.status_code == 200 and all(response.headers[name] for name in OURS)
    assert response.headers["x-turnout-candidate"] == FAST


def test_an_id_and_its_header_name_the_same_decision(client: OpenAI) -> None:
    made = client.chat.completions.with_raw_response.create(**ask())
    assert made.parse().id == f"chatcmpl-{made.headers['x-turnout-decision']}"


@pytest.mark.parametrize(
    ("name", "value"),
    [("preference", "quality"), ("preference", "0.01"), ("conversation", "c1"), ("user", "u1"), ("deadline", "30")],
)
def test_a_request_may_say_how_it_is_answered(http: httpx.Client, name: str, value: str) -> None:
    response = http.post("/v1/chat/completions", json=ask(), headers={f"x-turnout-{name}": value})
    assert response.status_code == 200 and "x-turnout-warning" not in response.headers


@pytest.mark.parametrize(
    ("name", "value"), [("preference", "cheap"), ("deadline", "soon"), ("deadline", "-1"), ("hold", "maybe")]
)
def test_a_header_of_no_use_is_refused(world: World, http: httpx.Client, name: str, value: str) -> None:
    response = http.post("/v1/chat/completions", json=ask(), headers={f"x-turnout-{name}": value})
    assert response.status_code == 400 and response.json()["error"]["param"] == f"x-turnout-{name}"
    assert world.chats == []


def test_an_unknown_header_of_ours_is_told(http: httpx.Client) -> None:
    response = http.post("/v1/chat/completions", json=ask(), headers={"x-turnout-speed": "9"})
    assert "x-turnout-speed is unknown" in response.headers["x-turnout-warning"]


def test_the_candidate_can_be_named_beside_the_request(http: httpx.Client) -> None:
    named = {"x-turnout-candidate": PLAIN}
    assert http.post("/v1/chat/completions", json=ask(), headers=named).json()["model"] == PLAIN
    nobody = http.post("/v1/chat/completions", json=ask(), headers={"x-turnout-candidate": "ollama/nobody"})
    assert nobody.status_code == 400 and nobody.json()["error"]["code"] == "no_candidate"


def test_a_deadline_that_passes_is_told(world: World, http: httpx.Client) -> None:
    world.slow()
    response = http.post("/v1/chat/completions", json=ask(ENDLESS), headers={"x-turnout-deadline": "0.5"})
    assert (response.status_code, response.json()["error"]["code"]) == (504, "deadline_passed")
    assert response.headers["x-should-retry"] == "false"


def test_a_stream_that_is_held_comes_in_one_piece(client: OpenAI) -> None:
    with client.chat.completions.create(**ask(stream=True), extra_headers={"x-turnout-hold": "true"}) as stream:
        said = [text for chunk in stream if (text := chunk.choices[0].delta.content)]
    assert len(said) == 1


def test_a_remembered_answer_is_given_again_unless_it_is_asked_afresh(tmp_path: Path) -> None:
    with (
        opened(tmp_path, SETTINGS.replace("exact: {enabled: false}", "exact: {enabled: true}")) as world,
        httpx.Client(base_url=world.url) as http,
    ):
        asked = [http.post("/v1/chat/completions", json=ask(temperature=0)).json() for _ in range(2)]
        assert [answer["turnout"]["cached"] for answer in asked] == ["", "exact"] and len(world.chats) == 1
        fresh = http.post("/v1/chat/completions", json=ask(temperature=0), headers={"x-turnout-cache": "no"}).json()
        assert fresh["turnout"]["cached"] == "" and len(world.chats) == 2


# Signs of life


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replying, "SIGN_OF_LIFE_S", 0.05)


@pytest.mark.parametrize(
    ("path", "sign"), [("/v1/chat/completions", b": waiting"), ("/api/chat", b'"content":""},"done":false')]
)
def test_a_stream_shows_life_before_it_answers(
    world: World, http: httpx.Client, impatient: None, path: str, sign: bytes
) -> None:
    world.fails("slow_first_byte", seconds=0.5)
    content = http.post(path, json=ask(stream=True)).content
    first, *rest = content.split(b"\n")
    assert sign in first and (b"[DONE]" in content or b'"done":true' in rest[-2])


def test_clients_pass_over_signs_of_life(world: World, client: OpenAI, impatient: None) -> None:
    world.fails("slow_first_byte", seconds=0.5)
    with client.chat.completions.create(**ask(stream=True)) as stream:
        assert "".join(chunk.choices[0].delta.content or "" for chunk in stream)


def test_a_failure_after_a_sign_of_life_is_an_exception(world: World, client: OpenAI, impatient: None) -> None:
    world.fails("slow_first_byte", seconds=0.3)
    world.fails("error_500")
    with pytest.raises(APIError) as failed, client.chat.completions.create(**ask(stream=True)) as stream:
        list(stream)
    assert failed.value.code == "no_answer"


# Readers


def test_a_reader_that_takes_nothing_is_sent_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replying, "STALLED_S", 0.3)
    body = json.dumps(ask(ENDLESS, model=PLAIN, stream=True, logprobs=True, top_logprobs=20)).encode()
    with socket.socket() as reader:
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        host, _, port = world.url.removeprefix("http://").partition(":")
        reader.connect((host, int(port)))
        head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: {len(body)}\r\n\r\n"
        reader.sendall(head.encode() + body)
        world.is_busy()
        world.is_quiet()
        reader.settimeout(20)
        content = b""
        try:
            while piece := reader.recv(1 << 20):
                content = content[-1000:] + piece
        except ConnectionResetError:
            pass
    assert b"[DONE]" not in content and world.count("generations_cancelled") > 0


def test_a_stream_that_breaks_has_no_clean_end(world: World, http: httpx.Client) -> None:
    world.breaks()
    content = http.post("/v1/chat/completions", json=ask(LONG, model=FAST, stream=True)).content
    assert b"[DONE]" not in content and b"event: error" in content
    content = http.post("/api/chat", json=ask(LONG, model=FAST, stream=True)).content
    assert b'"done":true' not in content and json.loads(content.splitlines()[-1])["code"] == "broken_answer"


def test_nothing_in_an_answer_ends_a_line(http: httpx.Client) -> None:
    for path in ("/v1/chat/completions", "/api/chat"):
        for part in range(12):
            text = http.post(path, json=ask(f"{LONG}, part {part}", stream=True)).text
            assert text.splitlines() == text.removesuffix("\n").split("\n")


# Parts


@given(st.text())
def test_any_text_becomes_a_header_of_one_line(text: str) -> None:
    made = header_text(text)
    assert made.isascii() and (made == "" or made.isprintable()) and len(made) <= 500


def test_a_request_is_to_blame_where_no_state_is() -> None:
    states = {
        "a/b": CandidateState(candidate="a/b", model=None, problem="left alone after failures"),
        "a/c": CandidateState(candidate="a/c", model=None),
    }
    snapshot = Snapshot(taken_s=0.0, candidates=states)
    assert is_lasting(NoCandidateError({"a/c": "cannot see pictures", "a/b": "cannot see pictures"}), snapshot)
    assert is_lasting(NoCandidateError({"x/y": "no such candidate"}), snapshot)
    assert not is_lasting(
        NoCandidateError({"a/c": "cannot see pictures", "a/b": "left alone after failures"}), snapshot
    )
    assert not is_lasting(NoCandidateError({}), snapshot)
