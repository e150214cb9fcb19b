"""The gateway as a process: how it begins, how it ends, and that nothing of it is left behind."""

from __future__ import annotations

import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
from tests.cli.emulated import emulating
from tests.gateway.plain import ask, chat
from tests.gateway.processes import PATIENCE_S, Behind, served
from tests.gateway.raw import connected, receive, request
from tests.gateway.world import until

from turnout.config.gateway import Gateway
from turnout.config.values import SettingError
from turnout.emulators.server import Emulator

SLOW = "write 120 words about queues"
ONE = "ollama/llama3.1:8b"
"""Named where another choice would have to be loaded first."""


@pytest.fixture(scope="module")
def provider() -> Iterator[tuple[str, Emulator]]:
    """A pretended Ollama."""
    with emulating() as (url, emulator):
        yield url, emulator


@pytest.fixture
def url(provider: tuple[str, Emulator]) -> Iterator[str]:
    """Where it is; as fast as it can."""
    yield provider[0]
    provider[1].engine.clock.speed = 0.0


def slow(provider: tuple[str, Emulator], speed: float = 8.0) -> None:
    provider[1].engine.clock.speed = speed


def is_busy(provider: tuple[str, Emulator]) -> None:
    until(lambda: provider[1].engine.counters.running > 0, PATIENCE_S)


def is_refused(url: str) -> bool:
    parts = urlsplit(url)
    try:
        socket.create_connection((parts.hostname, parts.port), timeout=1).close()
    except ConnectionRefusedError:
        return True
    except OSError:
        return False
    return False


# Where it listens


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.0.5", "::", "example.com"])
def test_it_is_for_this_machine_only_unless_there_are_keys(host: str) -> None:
    with pytest.raises(SettingError, match="keys_file"):
        Gateway(host=host)
    Gateway(host=host, keys_file="keys.json")


def test_it_listens_on_loopback(tmp_path: Path, url: str) -> None:
    with served(tmp_path, url) as running:
        assert urlsplit(running.url).hostname == "127.0.0.1"
        listening = [
            each.laddr.ip for each in psutil.Process(running.process.pid).net_connections() if each.status == "LISTEN"
        ]
        assert listening == ["127.0.0.1"]


@pytest.mark.parametrize("workers", ["1", "2"])
def test_an_address_that_is_taken_is_told_and_ends_it_with_1(tmp_path: Path, url: str, workers: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        with served(tmp_path, url, "--port", port, "--workers", workers) as running:
            assert running.end() == 1
            assert f"port {port} cannot be listened on" in running.log and "--port" in running.log
            assert "Traceback" not in running.log


@pytest.mark.parametrize("arguments", [("--port", "x"), ("--workers", "0"), ("--host", "0.0.0.0"), ("--port", "70000")])
def test_wrong_usage_ends_it_with_2(tmp_path: Path, url: str, arguments: tuple[str, str]) -> None:
    with served(tmp_path, url, *arguments) as running:
        assert running.end() == 2
        assert "Traceback" not in running.log


def test_a_file_of_keys_that_is_not_there_ends_it(tmp_path: Path, url: str) -> None:
    for workers in (1, 2):
        folder = tmp_path / str(workers)
        folder.mkdir()
        with served(folder, url, workers=workers, keys_file=str(tmp_path / "none.json")) as running:
            assert running.end() in (1, 2)
            assert "turnout keys add" in running.log and "Traceback" not in running.log


# How it ends


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_signal_ends_it_with_0(tmp_path: Path, url: str, number: int, workers: int) -> None:
    with served(tmp_path, url, workers=workers) as running:
        assert chat(running.url).status == 200
        running.signal(number)
        assert running.end() == 0
        assert "Traceback" not in running.log
        assert is_refused(running.url)


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_what_is_under_way_comes_to_its_end(
    tmp_path: Path, url: str, provider: tuple[str, Emulator], workers: int
) -> None:
    with served(tmp_path, url, workers=workers, drain_s=PATIENCE_S) as running:
        address = running.url
        slow(provider)
        whole, streamed = (
            Behind(lambda stream=stream: chat(address, SLOW, stream=stream))  # type: ignore[misc]
            for stream in (False, True)
        )
        until(lambda: provider[1].engine.counters.running > 0, PATIENCE_S)
        running.signal()
        until(lambda: is_refused(address), PATIENCE_S)
        slow(provider, 0.0)
        assert whole.result.json["choices"][0]["finish_reason"] == "stop"
        assert streamed.result.text.endswith("data: [DONE]\n\n")
        assert running.end() == 0


def test_it_says_that_it_stops_before_it_refuses(tmp_path: Path, url: str, provider: tuple[str, Emulator]) -> None:
    with served(tmp_path, url, drain_s=PATIENCE_S) as running, connected(running.url) as before:
        before.sendall(request("GET", "/readyz"))
        assert receive(before).status == 200
        slow(provider)
        answer = Behind(lambda: chat(running.url, SLOW))
        is_busy(provider)
        running.signal()
        until(lambda: is_refused(running.url), PATIENCE_S)
        before.sendall(request("GET", "/readyz"))
        told = receive(before)
        assert (told.status, told.json, told.headers["connection"]) == (503, {"status": "stopping"}, "close")
        slow(provider, 0.0)
        assert answer.result.status == 200


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_second_signal_waits_for_nobody(
    tmp_path: Path, url: str, provider: tuple[str, Emulator], workers: int
) -> None:
    with served(tmp_path, url, workers=workers, drain_s=10 * PATIENCE_S) as running:
        address = running.url
        assert chat(address, model=ONE).status == 200  # loaded, so that it is only the next answer that takes long
        slow(provider, 0.01)
        answer = Behind(lambda: chat(address, SLOW, model=ONE))
        is_busy(provider)
        running.signal()
        until(lambda: is_refused(address), PATIENCE_S)
        running.signal()
        assert running.end() == 0
        with pytest.raises(OSError):
            assert answer.result.status == 200 and not answer.result.text


@pytest.mark.slow
def test_patience_ends(tmp_path: Path, url: str, provider: tuple[str, Emulator]) -> None:
    with served(tmp_path, url, drain_s=0.5) as running:
        address = running.url
        assert chat(address, model=ONE).status == 200  # loaded, so that it is only the next answer that takes long
        slow(provider, 0.01)
        answer = Behind(lambda: chat(address, SLOW, model=ONE))
        is_busy(provider)
        running.signal()
        assert running.end() == 0
        assert "broken off" in running.log
        with pytest.raises(OSError):
            assert answer.result.status == 200 and not answer.result.text


# Several workers


@pytest.mark.slow
def test_each_worker_answers(tmp_path: Path, url: str) -> None:
    with served(tmp_path, url, workers=2) as running:
        until(lambda: ask(f"{running.url}/turnout/status").json["workers"] == 2, PATIENCE_S)
        socks = [connected(running.url) for _ in range(60)]
        for sock in socks:
            sock.sendall(request("GET", "/healthz"))
            assert receive(sock).status == 200
        held = [sum(each.status == "ESTABLISHED" for each in worker.net_connections()) for worker in running.workers]
        assert len(held) == 2 and all(held), held
        for sock in socks:
            sock.close()


@pytest.mark.slow
def test_a_worker_that_is_killed_is_replaced(tmp_path: Path, url: str) -> None:
    with served(tmp_path, url, workers=2) as running:
        address = running.url
        until(lambda: len(running.workers) == 2, PATIENCE_S)
        victim, survivor = running.workers
        victim.kill()
        until(
            lambda: victim.pid not in {each.pid for each in running.workers} and len(running.workers) == 2, PATIENCE_S
        )
        assert survivor.pid in {each.pid for each in running.workers}
        until(lambda: ask(f"{address}/turnout/status").json["workers"] == 2, PATIENCE_S)
        assert all(chat(address).status == 200 for _ in range(10))
        running.signal()
        assert running.end() == 0
        assert "is replaced" in running.log


@pytest.mark.slow
def test_no_worker_is_left_when_the_one_that_started_them_is_killed(tmp_path: Path, url: str) -> None:
    with served(tmp_path, url, workers=2, drain_s=1.0) as running:
        assert chat(running.url).status == 200
        until(lambda: len(running.workers) == 2, PATIENCE_S)
        family = psutil.Process(running.process.pid).children(recursive=True)
        running.process.kill()
        running.process.wait(PATIENCE_S)
        _, alive = psutil.wait_procs(family, timeout=PATIENCE_S)
        assert not alive
        assert is_refused(running.url)


@pytest.mark.slow
def test_all_workers_end_together(tmp_path: Path, url: str) -> None:
    with served(tmp_path, url, workers=3) as running:
        assert chat(running.url).status == 200
        family = psutil.Process(running.process.pid).children(recursive=True)
        running.signal()
        assert running.end() == 0
        assert not psutil.wait_procs(family, timeout=PATIENCE_S)[1]
        assert "killed" not in running.log
