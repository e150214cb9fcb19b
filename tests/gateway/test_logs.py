"""What is logged: a line for each request, whatever it brings; never a prompt, an answer or a secret."""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.plain import ask, chat
from tests.gateway.raw import request, send
from tests.gateway.world import SETTINGS, World, opened

from turnout.gateway.keys import new_key, write_keys
from turnout.gateway.logs import JsonLines, TextLines, set_up_logs

PROMPT = "the-word-that-nobody-logs"
PROVIDER_KEY = "sk-provider-5c1d8a7b9e3f4a6d"
FOREIGN_KEY = "sk-foreign-77aa88bb99cc00dd"
EVERYWHERE = (
    *(
        "/",
        "/page/index.html",
        "/openapi.json",
        "/metrics",
        "/v1/models",
        "/api/tags",
        "/api/ps",
        "/readyz",
        "/nothing",
    ),
    *("/turnout/status", "/turnout/decisions", "/turnout/timeline"),
)


@pytest.fixture
def lines() -> Iterator[io.StringIO]:
    """Everything that is logged, as JSON, at the level that a gateway has."""
    stream, root, own = io.StringIO(), logging.getLogger(), logging.getLogger("turnout")
    handler = logging.StreamHandler(stream)
    handler.setFormatter(JsonLines())
    access = logging.getLogger("turnout.gateway.access")
    before = root.level, access.level, own.propagate
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    access.setLevel(logging.INFO)
    own.propagate = True  # a command that ran in this process before keeps its log to itself
    yield stream
    root.removeHandler(handler)
    root.setLevel(before[0])
    access.setLevel(before[1])
    own.propagate = before[2]


def told(lines: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in lines.getvalue().splitlines()]


def requests(lines: io.StringIO) -> list[dict[str, object]]:
    return [line for line in told(lines) if line["message"] == "request"]


def test_a_request_is_one_line(world: World, lines: io.StringIO) -> None:
    said = chat(world.url, PROMPT)
    (line,) = requests(lines)
    assert (line["method"], line["path"], line["status"]) == ("POST", "/v1/chat/completions", 200)
    assert line["decision"] == said.decision and line["candidate"] == said.headers["x-turnout-candidate"]
    assert float(str(line["seconds"])) > 0 and str(line["time"]).endswith("Z")


def test_what_is_refused_is_a_line_too(world: World, lines: io.StringIO) -> None:
    ask(f"{world.url}/nothing")
    send(world.url, request("GET", "/healthz", host="evil.example"))
    send(world.url, b"no HTTP\r\n\r\n")
    assert [line["code"] for line in requests(lines)] == ["not_found", "unknown_host", "bad_http"]


def test_a_path_neither_begins_a_line_nor_fills_the_log(world: World, lines: io.StringIO) -> None:
    send(world.url, request("GET", "/%0a%0d%1b[31m" + "a" * 5000))
    (line,) = requests(lines)
    assert len(str(line["path"])) <= 200


@given(st.text(max_size=40), st.text(max_size=40))
def test_a_line_stays_one_whatever_is_in_it(message: str, value: str) -> None:
    record = logging.LogRecord("turnout", logging.INFO, "", 0, message, (), None)
    record.fields = {"path": value}
    assert json.loads(JsonLines().format(record))["path"] == value
    assert len(JsonLines().format(record).splitlines()) == 1
    plain = TextLines().format(record)
    assert plain.isprintable() and len(plain.splitlines()) == 1


def test_lines_of_requests_can_be_left_out(capsys: pytest.CaptureFixture[str]) -> None:
    root, access = logging.getLogger(), logging.getLogger("turnout.gateway.access")
    before = root.handlers[:], root.level
    try:
        set_up_logs("text", requests=False)
        access.info("request")
        logging.getLogger("turnout").warning("this is told")
        assert "this is told" in (err := capsys.readouterr().err) and "request" not in err
    finally:
        root.handlers[:], access.level = before[0], logging.NOTSET
        root.setLevel(before[1])


# Secrets


def test_prompts_and_answers_are_never_logged(world: World, lines: io.StringIO) -> None:
    for _ in range(2):
        chat(world.url, PROMPT)
        chat(world.url, PROMPT, stream=True)
        chat(world.url, PROMPT, model="nobody")
        ask(f"{world.url}/api/chat", {"model": "auto", "messages": [{"role": "user", "content": PROMPT}]})
        ask(f"{world.url}/v1/responses", {"model": "auto", "input": PROMPT, "temperature": PROMPT})
        ask(f"{world.url}/turnout/route", {"prompt": PROMPT})
        ask(f"{world.url}/v1/embeddings", {"model": "auto", "input": PROMPT})
        ask(f"{world.url}/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": [PROMPT]}]})
        send(world.url, request("POST", "/v1/responses", ["Content-Length: 5", "Content-Length: 6"], PROMPT.encode()))
        send(world.url, request("POST", "/v1/responses", (), PROMPT.encode()))
        world.fails("error_500", count=3)
        world.fails("reset_mid_stream", count=3)
    assert len(requests(lines)) >= 16
    assert PROMPT not in lines.getvalue()


def test_secrets_are_nowhere_to_be_read(
    tmp_path: Path, lines: io.StringIO, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of a provider, of the gateway, and what a client sends by mistake: not in any answer, page, log or file of ours."""
    monkeypatch.setenv("SOME_PROVIDER_KEY", PROVIDER_KEY)
    key, kept = new_key("ada")
    write_keys(tmp_path / "keys.json", (kept,))
    settings = f"{{keys_file: '{tmp_path / 'keys.json'}', cors_origins: ['https://page.example']}}"
    outputs: list[str] = []
    with telltale() as address, opened(tmp_path, _provider(address) + SETTINGS, settings) as world:
        for authorization in (f"Bearer {key}", f"Bearer {FOREIGN_KEY}", f"Basic {FOREIGN_KEY}", FOREIGN_KEY):
            headers = {"Authorization": authorization, "Origin": "https://page.example", "x_api_token": FOREIGN_KEY}
            outputs += [str(ask(world.url + path, **headers)) for path in EVERYWHERE]
            outputs.append(str(chat(world.url, "what is a mutex?", **headers)))
            outputs.append(str(chat(world.url, "what is a mutex?", stream=True, **headers)))
            outputs.append(str(chat(world.url, "what is a mutex?", model="theirs/gpt-x", **headers)))
            outputs.append(str(ask(f"{world.url}/turnout/route", {"prompt": "what is a mutex?"}, **headers)))
            head = request("POST", "/v1/responses", [f"Authorization: {authorization}\r\n folded: x"], b"{}")
            outputs.append(str(send(world.url, head)))
            outputs.append(str(send(world.url, request("GET", "/", [f"Authorization: {authorization}\0"]))))
    captured = capfd.readouterr()
    outputs += [lines.getvalue(), captured.out, captured.err]
    outputs += [path.read_bytes().decode("latin-1") for path in (tmp_path / "state").rglob("*") if path.is_file()]
    everything = "\n".join(outputs)
    assert "Incorrect API key provided" in everything
    for secret in (key, key[3:], PROVIDER_KEY, FOREIGN_KEY):
        assert secret not in everything, everything[max(0, everything.find(secret) - 300) :][:400]
    assert "ada" in lines.getvalue()  # whose request it was is told


def _provider(address: str) -> str:
    return f"  theirs: {{kind: openai, base_url: '{address}', key_variable: SOME_PROVIDER_KEY, models: ['gpt-x']}}\n"


@contextmanager
def telltale() -> Iterator[str]:
    """A provider that refuses every request and repeats what it was sent, the key included."""

    class Handler(BaseHTTPRequestHandler):
        def refuse(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            key = self.headers.get("Authorization", "")
            body = json.dumps({"error": {"message": f"Incorrect API key provided: {key}", "code": "invalid_api_key"}})
            self.send_response(401)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body.encode())

        do_GET = do_POST = refuse  # noqa: N815 - so http.server calls them

        def log_message(self, *_: object) -> None:
            """Nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1"
        finally:
            server.shutdown()
            thread.join()
