"""The latest snapshot: shared for a moment, never older than that, with the machine's resources."""

from __future__ import annotations

from collections.abc import Callable

from tests.providers.fakes import FakeClock

from turnout.execution.watch import FRESH_S, Watch
from turnout.types import CandidateState, Resources, Snapshot


class Eye:
    """Sees candidates with the problems they have at that moment, and counts its looks."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.problems = {"a/1": "", "b/1": "left alone after failures"}
        self.looks = 0

    def snapshot(self) -> Snapshot:
        self.looks += 1
        return Snapshot(
            taken_s=self.clock(),
            candidates={
                name: CandidateState(candidate=name, model=None, problem=problem)
                for name, problem in self.problems.items()
            },
        )


def resources(free: int = 1) -> Resources:
    return Resources(sampled_s=0.0, ram_total_bytes=10, ram_free_bytes=free, cpu_share=0.5)


def test_requests_of_one_moment_share_a_snapshot() -> None:
    clock = FakeClock()
    eye = Eye(clock)
    watch = Watch(eye, now=clock)
    first = watch.snapshot()
    clock.advance(FRESH_S * 0.99)
    assert watch.snapshot() is first and eye.looks == 1
    clock.advance(FRESH_S * 0.02)
    later = watch.snapshot()
    assert later is not first and eye.looks == 2 and later.taken_s == clock()


def test_the_first_snapshot_is_a_look_whatever_the_clock_says() -> None:
    for start_s in (0.0, -5.0, 1e9):
        clock = FakeClock(start_s)
        eye = Eye(clock)
        assert Watch(eye, now=clock).snapshot().taken_s == start_s and eye.looks == 1


def test_the_machine_is_in_the_snapshot_as_it_was_sampled_last() -> None:
    clock = FakeClock()
    samples: list[Resources | None] = [None]
    watch = Watch(Eye(clock), lambda: samples[-1], now=clock)
    assert watch.snapshot().resources is None
    samples.append(resources(7))
    assert watch.snapshot().resources is None
    clock.advance(2 * FRESH_S)
    assert watch.snapshot().resources == resources(7)


def test_without_a_sampler_nobody_knows_the_machine() -> None:
    assert Watch(Eye(FakeClock())).snapshot().resources is None


def test_what_was_forgotten_is_looked_at_anew_at_once() -> None:
    clock = FakeClock()
    eye = Eye(clock)
    watch = Watch(eye, now=clock)
    watch.snapshot()
    eye.problems["a/1"] = "gone"
    watch.forget()
    assert watch.snapshot().candidates["a/1"].problem == "gone" and eye.looks == 2


def test_a_problem_is_at_most_a_few_milliseconds_old() -> None:
    clock = FakeClock()
    eye = Eye(clock)
    watch = Watch(eye, now=clock)
    watch.snapshot()
    assert watch.problem("a/1") == "" and watch.problem("b/1") == "left alone after failures"
    eye.problems.update({"a/1": "gone", "b/1": ""})
    clock.advance(2 * FRESH_S)
    assert watch.problem("a/1") == "gone" and watch.problem("b/1") == ""


def test_asking_for_a_problem_does_not_change_the_snapshot_that_is_shared() -> None:
    clock = FakeClock()
    watch = Watch(Eye(clock), now=clock)
    first = watch.snapshot()
    watch.problem("a/1")
    assert watch.snapshot() is first


def test_of_whom_the_providers_know_nothing_has_no_problem() -> None:
    assert Watch(Eye(FakeClock())).problem("cloud/alias") == ""
