"""Keys: who is let in, how often and how many at once; what a file of keys may hold."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.gateway.plain import ask
from tests.gateway.world import SETTINGS, opened
from tests.providers.fakes import FakeClock

from turnout.config.gateway import GatewayLimits
from turnout.errors import ConfigurationError
from turnout.gateway.keys import Key, Keyring, change_keys, digest, new_key, read_keys, write_keys
from turnout.gateway.refusals import RefusedError

FREE = GatewayLimits()


def ring(
    path: Path, limits: GatewayLimits = FREE, clock: FakeClock | None = None, **of_key: Any
) -> tuple[Keyring, str]:
    """A keyring with one key, and the key."""
    key, kept = new_key("ada", **of_key)
    write_keys(path / "keys.json", (kept,))
    return Keyring(path / "keys.json", limits, clock or FakeClock()), key


def refusal(keyring: Keyring, key: str | None) -> RefusedError:
    with pytest.raises(RefusedError) as caught, keyring.admitted(key):
        pass
    return caught.value


def test_a_key_lets_in_and_tells_whose_it_is(tmp_path: Path) -> None:
    keyring, key = ring(tmp_path)
    with keyring.admitted(key) as caller:
        assert caller == "ada"


@pytest.mark.parametrize("key", [None, "", "tk-", "ada", "x" * 10_000, "\udcff\x00"])
def test_anything_else_does_not(tmp_path: Path, key: str | None) -> None:
    keyring, _ = ring(tmp_path)
    refused = refusal(keyring, key)
    assert refused.refusal.status == 401 and refused.headers == {"WWW-Authenticate": "Bearer"}


def test_the_file_holds_no_key(tmp_path: Path) -> None:
    _, key = ring(tmp_path)
    content = (tmp_path / "keys.json").read_text()
    assert key not in content and key[3:] not in content and digest(key) in content
    assert (tmp_path / "keys.json").stat().st_mode & 0o077 == 0


def test_keys_are_never_alike() -> None:
    assert len({new_key("ada")[0] for _ in range(1000)}) == 1000
    assert all(len(new_key("ada")[0]) >= 46 for _ in range(10))


# Limits


def test_only_so_many_run_at_once(tmp_path: Path) -> None:
    keyring, key = ring(tmp_path, GatewayLimits(max_concurrent_per_key=2))
    with keyring.admitted(key), keyring.admitted(key):
        refused = refusal(keyring, key).refusal
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "too_many_at_once", "1")
    with keyring.admitted(key):
        pass


def test_what_fails_gives_its_place_back(tmp_path: Path) -> None:
    keyring, key = ring(tmp_path, GatewayLimits(max_concurrent_per_key=1))
    for _ in range(5):
        with pytest.raises(RuntimeError), keyring.admitted(key):
            raise RuntimeError
    with keyring.admitted(key):
        pass


def test_a_key_has_limits_of_its_own(tmp_path: Path) -> None:
    keyring, key = ring(tmp_path, GatewayLimits(requests_per_minute_per_key=1000), requests_per_minute=1)
    with keyring.admitted(key):
        pass
    assert refusal(keyring, key).refusal.code == "rate_limited"


def test_after_the_time_that_is_told_there_is_room_again(tmp_path: Path) -> None:
    clock = FakeClock()
    keyring, key = ring(tmp_path, clock=clock, requests_per_minute=7)
    for _ in range(20):
        try:
            with keyring.admitted(key):
                continue
        except RefusedError as error:
            clock.advance(int(error.refusal.headers["Retry-After"]))
        with keyring.admitted(key):
            pass


@given(
    per_minute=st.integers(1, 600),
    pauses=st.lists(st.floats(0, 90, allow_nan=False), min_size=1, max_size=80),
)
def test_no_window_sees_more_than_its_share(
    tmp_path_factory: pytest.TempPathFactory, per_minute: int, pauses: list[float]
) -> None:
    """Over any stretch of time at most a full bucket and what dripped in meanwhile; and who keeps to it is never refused."""
    clock = FakeClock(0.0)
    keyring, key = ring(tmp_path_factory.mktemp("ring"), clock=clock, requests_per_minute=per_minute)
    let_in: list[float] = []
    for pause in pauses:
        clock.advance(pause)
        try:
            with keyring.admitted(key):
                let_in.append(clock())
        except RefusedError as error:
            assert 0 < error.refusal.retry_after_s <= 60 / per_minute + 1e-6
    for first, start in enumerate(let_in):
        for last, end in enumerate(let_in[first:], 1):
            assert last <= per_minute + (end - start) * per_minute / 60 + 1e-6
    if all(pause >= 60 / per_minute for pause in pauses):
        assert len(let_in) == len(pauses)


# The file


def test_a_change_of_the_file_counts_soon(tmp_path: Path) -> None:
    clock = FakeClock()
    keyring, old = ring(tmp_path, clock=clock)
    new, kept = new_key("grace")
    change_keys(tmp_path / "keys.json", lambda _: (kept,))
    clock.advance(2)
    with keyring.admitted(new) as caller:
        assert caller == "grace"
    assert refusal(keyring, old).refusal.code == "invalid_api_key"


def test_a_file_that_breaks_leaves_the_keys_that_were(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()
    keyring, key = ring(tmp_path, clock=clock)
    for broken in (b"{", b"", None):
        file = tmp_path / "keys.json"
        file.unlink() if broken is None else file.write_bytes(broken)
        clock.advance(2)
        with keyring.admitted(key):
            pass
    assert "those from before count" in caplog.text


@given(
    st.one_of(
        st.binary(max_size=80), st.recursive(st.none() | st.text(max_size=5), st.lists).map(json.dumps).map(str.encode)
    )
)
def test_a_file_is_keys_or_an_error(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("file") / "keys.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError):
        read_keys(file)


def spoiled(**fields: Any) -> Callable[[dict[str, Any]], object]:
    return lambda entry: entry.update(fields)


@pytest.mark.parametrize(
    "spoil",
    [
        spoiled(name=""),
        spoiled(name="a/b"),
        spoiled(name="a b"),
        spoiled(name="a\n"),
        spoiled(name="x" * 65),
        spoiled(name=None),
        spoiled(sha256="short"),
        spoiled(sha256="A" * 64),
        spoiled(created_at="today"),
        spoiled(created_at=float("nan")),
        spoiled(created_at=1e300),
        spoiled(max_concurrent=0),
        spoiled(max_concurrent=True),
        spoiled(max_concurrent=1.5),
        spoiled(requests_per_minute=10**400),
        spoiled(more=1),
        lambda entry: entry.pop("name"),
    ],
)
def test_an_entry_of_no_use_is_refused(tmp_path: Path, spoil: Callable[[dict[str, Any]], object]) -> None:
    entry = asdict(new_key("ada")[1])
    spoil(entry)
    (tmp_path / "keys.json").write_text(json.dumps({"keys": [entry]}))
    with pytest.raises(ConfigurationError, match="no file of keys"):
        read_keys(tmp_path / "keys.json")


def test_two_keys_of_one_name_are_refused(tmp_path: Path) -> None:
    write_keys(tmp_path / "keys.json", (new_key("ada")[1], new_key("ada")[1]))
    with pytest.raises(ConfigurationError, match="one name"):
        read_keys(tmp_path / "keys.json")


def test_of_two_who_change_the_file_at_once_neither_loses(tmp_path: Path) -> None:
    def add(name: str) -> None:
        change_keys(tmp_path / "keys.json", lambda keys: (*keys, new_key(name)[1]))

    threads = [threading.Thread(target=add, args=(f"user-{number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {key.name for key in read_keys(tmp_path / "keys.json")} == {f"user-{number}" for number in range(8)}


def test_without_a_file_the_gateway_does_not_begin(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="turnout keys add"):
        Keyring(tmp_path / "none.json", FREE)
    with pytest.raises(ConfigurationError):
        Keyring(tmp_path, FREE)
    if os.geteuid() != 0:
        write_keys(tmp_path / "keys.json", ())
        (tmp_path / "keys.json").chmod(0)
        with pytest.raises(ConfigurationError):
            Keyring(tmp_path / "keys.json", FREE)


# Over HTTP


def test_everything_but_health_and_the_page_needs_a_key(tmp_path: Path) -> None:
    key, kept = new_key("ada", requests_per_minute=30)
    slow = Key(name="slow", sha256=digest("tk-slow"), created_at=0, requests_per_minute=1)
    write_keys(tmp_path / "keys.json", (kept, slow))
    with opened(tmp_path, SETTINGS, f"{{keys_file: '{tmp_path / 'keys.json'}'}}") as world:
        for path in ("/healthz", "/readyz", "/"):
            assert ask(world.url + path).status == 200
        for path in (
            "/v1/models",
            "/api/tags",
            "/turnout/status",
            "/turnout/decisions",
            "/metrics",
            "/openapi.json",
            "/none",
        ):
            refused = ask(world.url + path)
            assert refused.status == 401 and refused.headers["WWW-Authenticate"] == "Bearer", path
        assert ask(f"{world.url}/v1/models", Authorization=f"Bearer {key}").status == 200
        assert ask(f"{world.url}/v1/models", Authorization=f"bearer  {key} ").status == 200
        assert ask(f"{world.url}/v1/models", x_api_key=key).status == 200
        for wrong in (f"Basic {key}", key, f"Bearer {key}x", "Bearer", "Bearer \xff"):
            assert ask(f"{world.url}/v1/models", Authorization=wrong).status == 401
        assert ask(f"{world.url}/v1/models?api_key={key}").status == 401
        assert ask(f"{world.url}/v1/models", x_api_key="tk-slow").status == 200
        refused = ask(f"{world.url}/v1/models", x_api_key="tk-slow")
        assert refused.status == 429 and 55 <= int(refused.headers["Retry-After"]) <= 60
