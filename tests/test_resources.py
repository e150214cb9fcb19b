"""The sampler: samples in the background, survives what fails, and is read for nothing."""

from __future__ import annotations

import builtins
import logging
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest

from turnout.bandwidth import measured_bandwidth
from turnout.resources import Reader, ResourceSampler
from turnout.types import Resources

WAIT_S = 10.0


def sample(number: int) -> Resources:
    return Resources(sampled_s=number, ram_total_bytes=1, ram_free_bytes=1, cpu_share=0)


class Counted:
    """A reader that counts, fails where it is told to, and says when it has been asked often enough."""

    def __init__(self, enough: int = 3, fails: Callable[[int], bool] = lambda _: False) -> None:
        self.count = 0
        self.threads: set[str] = set()
        self.reached = threading.Event()
        self._enough, self._fails = enough, fails

    def __call__(self) -> Resources:
        self.count += 1
        self.threads.add(threading.current_thread().name)
        if self.count >= self._enough:
            self.reached.set()
        if self._fails(self.count):
            raise OSError("the driver hiccups")
        return sample(self.count)


# The sampler


def test_before_the_first_sample_nothing_is_known() -> None:
    assert ResourceSampler(read=Counted()).latest is None


def test_the_first_sample_is_there_once_it_has_started() -> None:
    reader = Counted()
    with ResourceSampler(3600, reader) as sampler:
        assert sampler.latest == sample(1)
        assert reader.threads == {threading.current_thread().name}


def test_it_goes_on_in_a_thread_of_its_own() -> None:
    reader = Counted()
    with ResourceSampler(0.001, reader) as sampler:
        assert reader.reached.wait(WAIT_S)
    assert sampler.latest is not None and sampler.latest.sampled_s >= 2
    assert "turnout-resources" in reader.threads


def test_reading_the_latest_sample_asks_nobody() -> None:
    reader = Counted()
    with ResourceSampler(3600, reader) as sampler:
        assert len({id(sampler.latest) for _ in range(1000)}) == 1
        assert reader.count == 1


def test_once_stopped_it_samples_no_more_and_the_last_sample_stays(recwarn: pytest.WarningsRecorder) -> None:
    reader = Counted()
    sampler = ResourceSampler(0.001, reader)
    sampler.start()
    assert reader.reached.wait(WAIT_S)
    sampler.stop()
    count, latest = reader.count, sampler.latest
    sampler.stop()
    assert (reader.count, sampler.latest) == (count, latest)
    assert not any(thread.name == "turnout-resources" for thread in threading.enumerate())


def test_stopping_does_not_wait_for_the_next_sample() -> None:
    sampler = ResourceSampler(3600, Counted())
    sampler.start()
    ended = threading.Thread(target=sampler.stop)
    ended.start()
    ended.join(WAIT_S)
    assert not ended.is_alive()


def test_one_that_never_started_can_be_stopped() -> None:
    ResourceSampler(read=Counted()).stop()


def test_a_reader_that_fails_ends_nothing_and_the_last_good_sample_stays(caplog: pytest.LogCaptureFixture) -> None:
    reader = Counted(enough=5, fails=lambda count: count > 1)
    with caplog.at_level(logging.ERROR, "turnout"), ResourceSampler(0.001, reader) as sampler:
        assert reader.reached.wait(WAIT_S)
        assert sampler.latest == sample(1)
    assert any("could not be read" in record.getMessage() for record in caplog.records)


def test_a_reader_that_fails_at_first_is_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    reader = Counted(enough=4, fails=lambda count: count < 3)
    with caplog.at_level(logging.CRITICAL, "turnout"), ResourceSampler(0.001, reader) as sampler:
        assert reader.reached.wait(WAIT_S)
    assert sampler.latest is not None and sampler.latest.sampled_s >= 3


def test_one_that_was_stopped_can_start_again() -> None:
    reader = Counted(enough=4)
    sampler = ResourceSampler(3600, reader)
    with sampler:
        pass
    sampler._interval_s = 0.001
    with sampler:
        assert reader.reached.wait(0.5)


# The machine


@pytest.fixture
def without_binding(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine where `pynvml` is not installed."""
    usual = builtins.__import__

    def refuse(name: str, *rest: Any) -> Any:
        if name == "pynvml":
            raise ImportError(name)
        return usual(name, *rest)

    monkeypatch.delitem(sys.modules, "pynvml", raising=False)
    monkeypatch.setattr(builtins, "__import__", refuse)


class NVMLError(Exception):
    pass


class Driver:
    """The NVML binding of a machine with some cards: (total, free) of each. `fails` names the call that does."""

    NVMLError = NVMLError

    def __init__(self, *cards: tuple[int, int], fails: str = "") -> None:
        self.cards, self.fails, self.opened = cards, fails, 0

    def _ask(self, call: str) -> None:
        if self.fails == call:
            raise NVMLError("no answer")

    def nvmlInit(self) -> None:  # noqa: N802
        self._ask("init")
        self.opened += 1

    def nvmlDeviceGetCount(self) -> int:  # noqa: N802
        self._ask("count")
        return len(self.cards)

    def nvmlDeviceGetHandleByIndex(self, index: int) -> int:  # noqa: N802
        self._ask("handle")
        return index

    def nvmlDeviceGetName(self, handle: int) -> str | bytes:  # noqa: N802
        self._ask("name")
        return b"NVIDIA GeForce RTX 3060" if handle else "NVIDIA GeForce RTX 4090"

    def nvmlDeviceGetMemoryInfo(self, handle: int) -> Any:  # noqa: N802
        self._ask("memory")
        total, free = self.cards[handle]
        return SimpleNamespace(total=total, free=free)


@pytest.fixture
def driver(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Driver]:
    """Put a driver in place of the machine's own."""

    def place(*cards: tuple[int, int], fails: str = "") -> Driver:
        made = Driver(*cards, fails=fails)
        monkeypatch.setitem(sys.modules, "pynvml", made)  # type: ignore[arg-type]
        return made

    return place


def test_memory_and_cores_are_those_of_this_machine(without_binding: None) -> None:
    found = Reader().read()
    assert found.ram_total_bytes == psutil.virtual_memory().total
    assert 0 < found.ram_free_bytes <= found.ram_total_bytes
    assert 0 <= found.cpu_share <= 1
    assert found.sampled_s > 0


def test_without_the_binding_nobody_knows_of_video_memory(without_binding: None) -> None:
    found = Reader().read()
    assert (found.vram_total_bytes, found.vram_free_bytes) == (None, None)


@pytest.mark.parametrize("fails", ["init", "count"])
def test_without_a_driver_nobody_knows_of_video_memory(driver: Callable[..., Driver], fails: str) -> None:
    driver((8, 4), fails=fails)
    assert Reader().read().vram_free_bytes is None


def test_without_a_card_nobody_knows_of_video_memory(driver: Callable[..., Driver]) -> None:
    driver()
    assert Reader().read().vram_free_bytes is None


def test_video_memory_is_that_of_all_cards(driver: Callable[..., Driver]) -> None:
    made = driver((8_000, 3_000), (16_000, 15_000))
    reader = Reader()
    found = [reader.read() for _ in range(3)]
    assert {(each.vram_total_bytes, each.vram_free_bytes) for each in found} == {(24_000, 18_000)}
    assert made.opened == 1


def test_a_driver_that_stops_answering_leaves_the_rest_and_says_so_once(
    driver: Callable[..., Driver], caplog: pytest.LogCaptureFixture
) -> None:
    made = driver((8_000, 3_000))
    reader = Reader()
    made.fails = "memory"
    with caplog.at_level(logging.WARNING, "turnout"):
        found = [reader.read() for _ in range(3)]
    assert {each.vram_free_bytes for each in found} == {None}
    assert all(each.ram_free_bytes > 0 for each in found)
    assert len(caplog.records) == 1


def test_the_card_is_the_first_and_told_by_its_driver(driver: Callable[..., Driver]) -> None:
    driver((8_000, 3_000), (16_000, 15_000))
    assert Reader().read().card == "NVIDIA GeForce RTX 4090"


def test_a_driver_that_tells_no_name_still_tells_memory(driver: Callable[..., Driver]) -> None:
    driver((8_000, 3_000), fails="name")
    found = Reader().read()
    assert (found.card, found.vram_total_bytes) == (None, 8_000)


def test_what_was_measured_of_the_memory_before_is_told_with_each_sample(without_binding: None, tmp_path: Path) -> None:
    assert Reader().read().ram_bytes_per_s is Reader(tmp_path).read().ram_bytes_per_s is None
    known = measured_bandwidth(tmp_path)
    assert Reader(tmp_path).read().ram_bytes_per_s == pytest.approx(known, rel=1e-6)
