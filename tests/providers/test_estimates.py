"""Running estimates of speeds: what one outlier does, what is taken from an answer, and what outlives a restart."""

from __future__ import annotations

import json
import logging
import math
import statistics
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.providers.fakes import answer

from turnout.providers.estimates import SMOOTHING, Estimates, RunningMean
from turnout.types import Answer, Speeds, Timings

SPEEDS = st.floats(1e-6, 1e6)
CANDIDATE = "local/small"


def mean_of(values: list[float]) -> RunningMean:
    mean = RunningMean()
    for value in values:
        mean.add(value)
    return mean


# The running mean


def test_before_the_first_measurement_nothing_is_known() -> None:
    assert (RunningMean().value, RunningMean().quantile(1.6)) == (None, None)


def test_one_measurement_is_its_own_mean_and_has_no_spread_yet() -> None:
    mean = mean_of([3.0])
    assert mean.value == pytest.approx(3.0) and mean.quantile(1.6) is None


@given(st.lists(SPEEDS, min_size=1, max_size=int(1 / SMOOTHING)))
def test_the_first_few_measurements_weigh_the_same(values: list[float]) -> None:
    assert mean_of(values).value == pytest.approx(statistics.geometric_mean(values))


@given(st.lists(SPEEDS, min_size=2, max_size=int(1 / SMOOTHING)))
def test_the_spread_of_the_first_few_is_that_of_their_logarithms(values: list[float]) -> None:
    expected = statistics.pvariance([math.log(value) for value in values])
    assert mean_of(values).log_variance == pytest.approx(expected, rel=1e-6, abs=1e-9)


@given(st.lists(SPEEDS, min_size=1, max_size=80))
def test_the_mean_stays_between_the_least_and_the_most(values: list[float]) -> None:
    mean = mean_of(values)
    assert min(values) * 0.999 <= (mean.value or 0) <= max(values) * 1.001
    assert mean.log_variance >= 0


def test_one_outlier_moves_it_little_and_a_new_level_shows_within_a_dozen() -> None:
    mean = mean_of([10.0] * 50)
    mean.add(1000.0)
    assert 10 < (mean.value or 0) < 21
    changed = mean_of([10.0] * 50 + [40.0] * 12)
    assert 30 < (changed.value or 0) < 40


def test_the_quantile_grows_with_the_spread() -> None:
    steady, shaky = mean_of([2.0] * 20), mean_of([1.0, 4.0] * 10)
    assert steady.quantile(1.645) == pytest.approx(2.0)
    assert (shaky.quantile(1.645) or 0) > 4


@pytest.mark.parametrize("value", [0.0, -1.0, math.nan, math.inf, -math.inf])
def test_what_is_no_positive_number_is_left_out(value: float) -> None:
    assert mean_of([2.0, value]) == mean_of([2.0])


# What is taken from an answer


def told(
    prompt: int = 100, made: int = 101, cached: int = 0, timings: Timings | None = None, candidate: str = CANDIDATE
) -> Answer:
    whole = answer(candidate, prompt_tokens=prompt, completion_tokens=made, cached_tokens=cached)
    return replace(whole, timings=timings or Timings())


def speeds_after(whole: Answer, *, first_token_s: float | None, total_s: float) -> Speeds:
    estimates = Estimates()
    estimates.answered(whole, first_token_s=first_token_s, total_s=total_s)
    return estimates.speeds(CANDIDATE)


def test_of_a_candidate_never_measured_nothing_is_known() -> None:
    assert Estimates().speeds(CANDIDATE) == Speeds()


def test_a_short_prompt_measures_the_first_token_and_the_decoding() -> None:
    speeds = speeds_after(told(), first_token_s=0.5, total_s=2.5)
    assert speeds.first_token_s == pytest.approx(0.5)
    assert speeds.decode_tokens_per_s == pytest.approx(100 / 2)
    assert (speeds.prefill_tokens_per_s, speeds.measurements) == (None, 1)


def test_a_long_prompt_measures_how_fast_prompts_are_read() -> None:
    speeds = speeds_after(told(prompt=4000), first_token_s=2.0, total_s=4.0)
    assert speeds.prefill_tokens_per_s == pytest.approx(2000) and speeds.first_token_s is None


def test_it_is_counted_how_often_each_was_measured() -> None:
    estimates = filled()
    speeds = estimates.speeds(CANDIDATE)
    assert (speeds.prefill_count, speeds.decode_count, speeds.load_count, speeds.measurements) == (0, 8, 1, 8)
    assert estimates.speeds("local/großes:7b").prefill_count == 8


def test_what_came_from_the_providers_cache_was_not_read() -> None:
    speeds = speeds_after(told(prompt=4000, cached=3900), first_token_s=0.2, total_s=2.0)
    assert speeds.first_token_s == pytest.approx(0.2) and speeds.prefill_tokens_per_s is None


def test_the_providers_own_seconds_of_decoding_go_first() -> None:
    speeds = speeds_after(told(timings=Timings(decode_s=1.0)), first_token_s=0.5, total_s=60.0)
    assert speeds.decode_tokens_per_s == pytest.approx(100)


def test_loading_is_not_the_first_tokens_time() -> None:
    speeds = speeds_after(told(timings=Timings(load_s=20.0)), first_token_s=20.5, total_s=22.0)
    assert speeds.first_token_s == pytest.approx(0.5)


def test_an_answer_in_one_piece_measures_only_what_the_provider_timed() -> None:
    seen = speeds_after(told(prompt=4000), first_token_s=None, total_s=9.0)
    assert (seen.first_token_s, seen.prefill_tokens_per_s, seen.service_s) == (None, None, pytest.approx(9.0))
    timings = Timings(prefill_s=2.0, decode_s=4.0)
    speeds = speeds_after(told(prompt=4000, timings=timings), first_token_s=None, total_s=9.0)
    assert (speeds.prefill_tokens_per_s, speeds.decode_tokens_per_s) == (pytest.approx(2000), pytest.approx(25))


@pytest.mark.parametrize("first_token_s", [None, 5.5])
def test_a_load_that_came_with_the_request_passes_for_no_slowness(first_token_s: float | None) -> None:
    estimates = Estimates()
    whole = told(timings=Timings(decode_s=0.5))
    estimates.answered(whole, first_token_s=first_token_s, total_s=6.0, was_loaded=False)
    speeds = estimates.speeds(CANDIDATE)
    assert speeds.first_token_s is None and speeds.decode_tokens_per_s == pytest.approx(200)


def test_in_one_piece_what_reading_does_not_take_is_writing() -> None:
    assert speeds_after(told(prompt=40), first_token_s=None, total_s=10.0).decode_tokens_per_s == pytest.approx(10)


def test_reading_is_never_thought_to_take_more_than_half_of_an_answer_in_one_piece() -> None:
    estimates = Estimates()
    estimates.answered(told(prompt=40), first_token_s=30.0, total_s=40.0)
    estimates.answered(told(prompt=40), first_token_s=None, total_s=10.0)
    assert 9 < (estimates.speeds(told().candidate).decode_tokens_per_s or 0.0) < 20


def test_an_answer_of_a_few_tokens_says_nothing_about_decoding() -> None:
    assert speeds_after(told(made=7), first_token_s=0.5, total_s=0.6).decode_tokens_per_s is None
    assert speeds_after(told(made=8), first_token_s=0.5, total_s=0.6).decode_tokens_per_s == pytest.approx(70)


def test_an_answer_that_counts_no_tokens_still_measures_the_first_one() -> None:
    speeds = speeds_after(answer(), first_token_s=0.5, total_s=2.0)
    assert speeds == Speeds(first_token_s=pytest.approx(0.5), service_s=pytest.approx(2.0), measurements=1)


def test_loads_are_measured_by_candidate() -> None:
    estimates = Estimates()
    estimates.loaded(CANDIDATE, 4.0)
    estimates.loaded(CANDIDATE, 9.0)
    assert estimates.speeds(CANDIDATE) == Speeds(load_s=pytest.approx(6.0), load_count=2)
    assert estimates.speeds("local/large") == Speeds()


@given(
    first_token_s=st.none() | st.floats(0, 1e6),
    total_s=st.floats(0, 1e6),
    counts=st.tuples(*[st.integers(0, 10**9)] * 3),
    seconds=st.tuples(*[st.none() | st.floats(0, 1e9)] * 3),
)
def test_whatever_a_provider_claims_the_speeds_are_positive_numbers(
    first_token_s: float | None, total_s: float, counts: tuple[int, ...], seconds: tuple[float | None, ...]
) -> None:
    speeds = speeds_after(told(*counts, timings=Timings(*seconds)), first_token_s=first_token_s, total_s=total_s)
    known = (speeds.first_token_s, speeds.prefill_tokens_per_s, speeds.decode_tokens_per_s)
    assert all(value is None or 0 < value < math.inf for value in known)


# Over a restart


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "state" / "speeds.json"


def filled(path: Path | None = None) -> Estimates:
    estimates = Estimates(path)
    for step in range(1, 9):
        estimates.answered(told(), first_token_s=0.1 * step, total_s=2.0 + step)
        estimates.answered(told(prompt=3000 * step, candidate="local/großes:7b"), first_token_s=1.5, total_s=4.0)
    estimates.loaded(CANDIDATE, 12.0)
    return estimates


def test_what_was_saved_is_read_again(path: Path) -> None:
    before = filled(path)
    before.save()
    after = Estimates(path)
    for candidate in (CANDIDATE, "local/großes:7b"):
        assert after.speeds(candidate) == before.speeds(candidate) != Speeds()


def test_measuring_goes_on_where_it_stopped(path: Path) -> None:
    before = filled(path)
    before.save()
    after = Estimates(path)
    for estimates in (before, after):
        estimates.answered(told(), first_token_s=3.0, total_s=5.0)
    assert after.speeds(CANDIDATE) == before.speeds(CANDIDATE)


def test_nothing_is_written_where_nothing_changed(path: Path) -> None:
    estimates = filled(path)
    estimates.save()
    path.unlink()
    estimates.save()
    assert not path.exists()
    estimates.loaded(CANDIDATE, 1.0)
    estimates.save()
    assert path.exists()


def test_nothing_is_written_before_the_first_measurement(path: Path) -> None:
    Estimates(path).save()
    assert not path.exists()


def test_what_was_read_is_not_written_again(path: Path) -> None:
    filled(path).save()
    again = Estimates(path)
    path.unlink()
    again.save()
    assert not path.exists()


def test_without_a_path_nothing_is_written() -> None:
    filled().save()


def test_saving_leaves_one_file_and_no_halves(path: Path) -> None:
    filled(path).save()
    assert [file.name for file in path.parent.iterdir()] == ["speeds.json"]


def test_a_disk_that_refuses_is_logged_and_tried_again(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "taken").write_text("a file where a folder should be", encoding="utf-8")
    estimates = filled(tmp_path / "taken" / "speeds.json")
    caplog.clear()
    for _ in range(2):
        estimates.save()
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "were not saved" in caplog.text


def change(how: Callable[[dict[str, Any]], object]) -> Callable[[bytes], bytes]:
    def changed(content: bytes) -> bytes:
        document = json.loads(content)
        how(document)
        return json.dumps(document).encode()

    return changed


def first(document: dict[str, Any]) -> dict[str, Any]:
    return next(iter(document["candidates"].values()))


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda content: b"",
    "cut": lambda content: content[: len(content) // 2],
    "not text": lambda content: b"\xff\xfe\x00" + content,
    "a list": lambda content: b"[]",
    "null": lambda content: b"null",
    "deeply nested": lambda content: b"[" * 100_000,
    "another version": change(lambda d: d.update(version=2)),
    "no version": change(lambda d: d.pop("version")),
    "no candidates": change(lambda d: d.pop("candidates")),
    "candidates in a list": change(lambda d: d.update(candidates=[1])),
    "a candidate of nothing": change(lambda d: d["candidates"].update(x=None)),
    "a missing mean": change(lambda d: first(d).pop("load_s")),
    "two numbers where three belong": change(lambda d: first(d)["load_s"].pop()),
    "text for a number": change(lambda d: first(d)["load_s"].__setitem__(0, "fast")),
    "a speed that is not a number": change(lambda d: first(d)["load_s"].__setitem__(0, math.nan)),
    "a speed without bound": change(lambda d: first(d)["load_s"].__setitem__(0, math.inf)),
    "a spread below zero": change(lambda d: first(d)["load_s"].__setitem__(1, -1.0)),
    "a count below zero": change(lambda d: first(d)["load_s"].__setitem__(2, -1)),
    "no number of answers": change(lambda d: first(d).pop("answers")),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_file_is_logged_and_begun_anew(damage: str, path: Path, caplog: pytest.LogCaptureFixture) -> None:
    filled(path).save()
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    estimates = Estimates(path)
    assert estimates.speeds(CANDIDATE) == Speeds()
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert str(path) in caplog.text
    filled_again = filled(path)
    filled_again.save()
    assert Estimates(path).speeds(CANDIDATE) == filled_again.speeds(CANDIDATE)


OVERFLOWS: dict[str, Callable[[bytes], bytes]] = {
    "answers without bound": change(lambda d: first(d).update(answers=math.inf)),
    "an integer beyond every float": change(lambda d: first(d)["load_s"].__setitem__(0, 10**400)),
}


@pytest.mark.parametrize("damage", OVERFLOWS)
def test_a_file_with_numbers_beyond_every_bound_is_begun_anew_too(damage: str, path: Path) -> None:
    filled(path).save()
    path.write_bytes(OVERFLOWS[damage](path.read_bytes()))
    assert Estimates(path).speeds(CANDIDATE) == Speeds()


def test_a_number_of_answers_below_zero_is_damage(path: Path) -> None:
    filled(path).save()
    path.write_bytes(change(lambda d: first(d).update(answers=-5))(path.read_bytes()))
    assert Estimates(path).speeds(CANDIDATE) == Speeds()


def test_a_folder_in_its_place_is_logged(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Estimates(tmp_path).speeds(CANDIDATE) == Speeds()
    assert "cannot be used" in caplog.text


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(-1e6, 1e6) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=8,
)


@given(
    st.binary(max_size=200)
    | st.builds(lambda d: json.dumps({"version": 1, "candidates": {CANDIDATE: d}}).encode(), JSON)
)
def test_no_file_whatever_keeps_it_from_starting(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "speeds.json"
    path.write_bytes(content)
    speeds = Estimates(path).speeds(CANDIDATE)
    assert speeds.first_token_s is None or speeds.first_token_s > 0


def test_a_file_that_is_not_there_is_no_damage(path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert Estimates(path).speeds(CANDIDATE) == Speeds()
    assert caplog.records == []
