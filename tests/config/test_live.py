"""A configuration that follows its file: whole or not at all, whatever an editor or a mount does."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from turnout.config.live import LiveConfiguration
from turnout.config.loader import Loaded
from turnout.config.problems import InvalidConfigurationError
from turnout.config.schema import fingerprint

WAIT_S = 20.0


def text(port: int) -> str:
    """A file in which three values belong together."""
    return (
        f"gateway: {{port: {port}}}\nfallback: {{max_attempts: {port}}}\n"
        f"voices:\n  v{port}: {{system_prompt: number {port}}}\n"
    )


def number(loaded: Loaded) -> int:
    """The one value that all three say; a mix of two files says several."""
    configuration = loaded.configuration
    (voice,) = configuration.voices
    found = {configuration.gateway.port, configuration.fallback.max_attempts, int(voice[1:])}
    assert len(found) == 1, found
    return found.pop()


def until(holds: Callable[[], bool]) -> None:
    """Wait for what the watcher will do."""
    end = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < end, "nothing happened"
        time.sleep(0.01)


def swap_in(path: Path, content: str) -> None:
    """As editors do: write beside, rename over."""
    aside = path.with_name(f".{path.name}.swp")
    aside.write_text(content)
    aside.replace(path)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    folder = tmp_path / "config"
    folder.mkdir()
    path = folder / "hybrid.yaml"
    path.write_text(text(1))
    return path


@pytest.fixture
def live(file: Path) -> Iterator[LiveConfiguration]:
    """Watched, quick to take what has settled, slow to compare: changes must come from the watcher."""
    with LiveConfiguration(file, environment={}, settle_s=0.02, empty_s=0.3, recheck_s=0.5) as watched:
        yield watched


def still(file: Path) -> LiveConfiguration:
    """Not watched: the test says when to read."""
    return LiveConfiguration(file, environment={})


def test_a_changed_file_serves_and_listeners_hear_of_it(file: Path) -> None:
    live, heard = still(file), []
    live.on_change(lambda before, after: heard.append((number(before), number(after))))
    held = live.current
    assert not live.reload()
    file.write_text(text(2))
    assert live.reload()
    assert (number(live.current), number(held), heard) == (2, 1, [(1, 2)])
    assert (live.status.fingerprint, live.status.reloads) == (live.current.fingerprint, 1)


def test_a_wrong_file_changes_nothing_and_is_told_with_its_line(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    live = still(file)
    file.write_text(text(2) + "gatewy: {}\n")
    with caplog.at_level(logging.ERROR):
        assert not live.reload()
    assert number(live.current) == 1
    assert f"{file}:5: gatewy: unknown key gatewy; did you mean gateway?" in live.status.problem
    assert live.status.problem in caplog.text and live.status.problem_at is not None
    file.write_text(text(1))
    assert not live.reload()
    assert live.status.problem == "" and live.status.problem_at is None


def test_a_file_that_is_gone_changes_nothing_and_may_come_back(file: Path) -> None:
    live = still(file)
    file.unlink()
    assert not live.reload() and number(live.current) == 1
    assert "cannot be read" in live.status.problem
    file.write_text(text(3))
    assert live.reload() and number(live.current) == 3


def test_a_listener_that_raises_does_not_stop_the_others(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    live, heard = still(file), []
    live.on_change(lambda *_: 1 / 0)
    live.on_change(lambda _, after: heard.append(number(after)))
    file.write_text(text(2))
    assert live.reload() and heard == [2]
    assert "a listener failed" in caplog.text


def test_there_must_be_a_valid_file_at_the_start(file: Path) -> None:
    file.write_text("gateway: 3\n")
    with pytest.raises(InvalidConfigurationError):
        LiveConfiguration(file)
    with pytest.raises(InvalidConfigurationError):
        LiveConfiguration(file.with_name("none.yaml"))


def test_the_other_layers_hold_over_every_reload(file: Path) -> None:
    live = LiveConfiguration(file, environment={"TURNOUT__HYBRID__LEARNING": "no"}, settings=["gateway.workers=3"])
    file.write_text(text(2))
    assert live.reload()
    configuration = live.current.configuration
    assert (configuration.hybrid.learning, configuration.gateway.workers) == (False, 3)


@pytest.mark.parametrize("reloads", [100, pytest.param(1_000, marks=pytest.mark.slow)])
def test_reloads_never_show_a_mix_of_two_files(file: Path, reloads: int) -> None:
    live, seen, failures = still(file), set(), []
    done = threading.Event()

    def look() -> None:
        try:
            while not done.is_set():
                loaded = live.current
                seen.add(number(loaded))
                assert fingerprint(loaded.configuration) == loaded.fingerprint
                time.sleep(0.001)
        except BaseException as error:
            failures.append(error)
            raise

    reader = threading.Thread(target=look)
    reader.start()
    try:
        for port in range(1, reloads + 1):
            swap_in(file, text(port + 1) if port % 10 else text(port + 1) + "oops: 1\n")
            assert live.reload() is bool(port % 10)
    finally:
        done.set()
        reader.join()
    assert not failures
    assert number(live.current) == reloads and live.status.reloads == reloads * 9 // 10
    assert len(seen) > 10


def test_a_watched_file_may_be_written_in_place_or_replaced(live: LiveConfiguration, file: Path) -> None:
    file.write_text(text(2))
    until(lambda: number(live.current) == 2)
    for port in (3, 4, 5):
        swap_in(file, text(port))
        until(lambda port=port: number(live.current) == port)


def test_a_watched_file_that_is_wrong_is_told_until_it_is_mended(live: LiveConfiguration, file: Path) -> None:
    swap_in(file, "gateway: {port: many}\n")
    until(lambda: "expected a whole number" in live.status.problem)
    assert number(live.current) == 1
    swap_in(file, text(2))
    until(lambda: number(live.current) == 2)
    assert not live.status.problem


def test_a_half_written_file_is_never_taken(file: Path) -> None:
    seen = []
    with LiveConfiguration(file, environment={}, settle_s=0.3, empty_s=2, recheck_s=0.5) as live:
        live.on_change(lambda _, after: seen.append(number(after)))
        with file.open("w") as writing:
            for line in text(2).splitlines(keepends=True):
                writing.write(line)
                writing.flush()
                time.sleep(0.05)
        until(lambda: number(live.current) == 2)
    assert seen == [2] and not live.status.problem


def test_an_emptied_file_is_not_taken_for_an_empty_configuration_at_once(live: LiveConfiguration, file: Path) -> None:
    file.write_text("")
    time.sleep(0.15)
    assert number(live.current) == 1
    until(lambda: live.current.configuration.gateway.port == 8787)


def test_a_swapped_link_is_followed_as_mounted_volumes_swap_it(tmp_path: Path) -> None:
    mount = tmp_path / "mount"
    for port in (1, 2, 3):
        (mount / f"..{port}").mkdir(parents=True)
        (mount / f"..{port}" / "hybrid.yaml").write_text(text(port))
    (mount / "..data").symlink_to("..1")
    (mount / "hybrid.yaml").symlink_to("..data/hybrid.yaml")
    with LiveConfiguration(mount / "hybrid.yaml", environment={}, settle_s=0.02, recheck_s=0.5) as live:
        for port in (2, 3):
            (mount / "..data_tmp").symlink_to(f"..{port}")
            (mount / "..data_tmp").replace(mount / "..data")
            until(lambda port=port: number(live.current) == port)


def test_a_folder_that_goes_away_and_comes_back_is_watched_again(live: LiveConfiguration, file: Path) -> None:
    elsewhere = file.parent.with_name("elsewhere")
    file.parent.rename(elsewhere)
    until(lambda: "cannot be read" in live.status.problem)
    assert number(live.current) == 1
    file.parent.mkdir()
    file.write_text(text(2))
    until(lambda: number(live.current) == 2)
    swap_in(file, text(3))
    until(lambda: number(live.current) == 3)


def test_without_the_library_the_content_is_compared(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchfiles", None)
    with LiveConfiguration(file, environment={}, settle_s=0.01, recheck_s=0.05) as live:
        file.write_text(text(2))
        until(lambda: number(live.current) == 2)


def test_a_listener_may_stop_the_watching(file: Path) -> None:
    live = LiveConfiguration(file, environment={}, settle_s=0.01, recheck_s=0.1).start()
    live.on_change(lambda *_: live.stop())
    swap_in(file, text(2))
    until(lambda: number(live.current) == 2)
    live.stop()
    live.stop()
    swap_in(file, text(3))
    time.sleep(0.3)
    assert number(live.current) == 2
    with live:
        until(lambda: number(live.current) == 3)
