"""Tasks through a gateway: judged, fed back, added up; and who is no gateway is told apart."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from turnout.errors import ConfigurationError, RequestError, TurnoutError, UnreachableError
from turnout.lab import generate
from turnout.lab.traffic import Reply, Tally, tallies, tally, traffic

TASKS = generate(3, seed=5)


@contextmanager
def gateway(*, status: int = 200, header: bool = True, feedback: int = 200) -> Iterator[tuple[str, list[Any]]]:
    """One that answers the first task rightly and all others not; where it listens, and what it was told."""
    told: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            told.append((self.path, body))
            if self.path == "/turnout/feedback":
                self.say(feedback, {} if feedback == 200 else {"error": {"message": "no history"}})
                return
            right = body["messages"][0]["content"] == TASKS[0].prompt
            said = {"choices": [{"message": {"content": TASKS[0].answer if right else "no idea at all"}}]}
            self.say(status, said if status == 200 else {"error": {"message": "not so"}})

        def say(self, code: int, said: Any) -> None:
            raw = json.dumps(said).encode()
            self.send_response(code)
            if header:
                self.send_header("x-turnout-decision", f"d{len(told)}")
                self.send_header("x-turnout-candidate", "some/one")
            self.send_header("Content-Length", str(len(raw)))
            self.end_headers()
            self.wfile.write(raw)

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", told
        finally:
            server.shutdown()
            thread.join()


def test_answers_are_judged_and_fed_back() -> None:
    with gateway() as (url, told):
        replies = list(traffic(url, TASKS))
    assert [(reply.candidate, reply.score) for reply in replies] == [("some/one", 1), ("some/one", 0), ("some/one", 0)]
    verdicts = [body for path, body in told if path == "/turnout/feedback"]
    assert [verdict["kind"] for verdict in verdicts] == ["good", "bad", "bad"]
    assert [verdict["decision"] for verdict in verdicts] == ["d1", "d3", "d5"]
    questions = [body for path, body in told if path == "/v1/chat/completions"]
    assert all((body["model"], body["temperature"]) == ("auto", 0) for body in questions)


def test_a_task_that_nobody_can_answer_now_counts_as_unanswered() -> None:
    with gateway(status=503) as (url, told):
        assert [(reply.candidate, reply.score) for reply in traffic(url, TASKS[:1])] == [("", 0)]
    assert len(told) == 1


@pytest.mark.parametrize(
    ("manner", "kind", "words"),
    [
        ({"status": 401}, RequestError, "answers 401: not so"),
        ({"header": False}, UnreachableError, "is no Turnout gateway; start one: turnout lab up"),
        ({"feedback": 500}, RequestError, r"keeps no feedback \(500: no history\)"),
    ],
)
def test_what_is_wrong_with_a_gateway_is_said(manner: Any, kind: type[TurnoutError], words: str) -> None:
    with gateway(**manner) as (url, _), pytest.raises(kind, match=words):
        list(traffic(url, TASKS))


def test_where_nothing_listens_it_says_how_to_start_one() -> None:
    with pytest.raises(UnreachableError, match=r"no gateway answers at http://127\.0\.0\.1:9 .*turnout lab up"):
        list(traffic("http://127.0.0.1:9", TASKS))


@pytest.mark.parametrize("address", ["127.0.0.1:8787", "ftp://x", "http://", "http://x:port"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match="no address of a gateway"):
        list(traffic(address, TASKS))


def test_replies_are_added_up_by_candidate() -> None:
    replies = [Reply("b", 1, 0.2), Reply("a", 0, 0.4), Reply("b", 0, 0.4)]
    assert tallies(replies) == {"a": Tally(1, 0, 0.4), "b": Tally(2, 0.5, pytest.approx(0.3))}
    assert tally(replies) == Tally(3, pytest.approx(1 / 3), pytest.approx(1 / 3))
    assert tally([]) == Tally(0, 0, 0)
