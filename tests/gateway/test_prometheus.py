"""/metrics: what Prometheus reads is what really happened, in names and shapes that it understands."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TypeAlias

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open_metrics
from prometheus_client.parser import text_string_to_metric_families
from tests.gateway.plain import ask, chat
from tests.gateway.world import FAST, PLAIN, World, opened

from turnout.execution.drift_note import Alarm, Drift
from turnout.execution.histogram import Histogram
from turnout.execution.status import ChallengerStatus, ConfigurationStatus, PredictorStatus, Status
from turnout.execution.tallies import MOST_NAMES, Tally
from turnout.gateway import prometheus
from turnout.types import Attempt, Tried, Usage

Read: TypeAlias = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def read(text: str) -> Read:
    """Every sample by its name and labels."""
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def scraped(world: World) -> Read:
    said = ask(f"{world.url}/metrics")
    assert said.status == 200, said.text
    return read(said.text)


def value(samples: Read, name: str, **labels: str) -> float:
    return samples.get((f"turnout_{name}", tuple(sorted(labels.items()))), 0.0)


def test_counters_are_the_requests_that_were_made(world: World) -> None:
    before = scraped(world)
    first = chat(world.url, model=FAST)
    assert chat(world.url, model=PLAIN).status == chat(world.url, model=FAST, stream=True).status == 200
    assert ask(f"{world.url}/turnout/feedback", {"decision": first.decision, "kind": "good"}).status == 200
    world.fails("error_500", "lmstudio", path="/v1/chat/completions")
    world.fails("error_500", "lmstudio", path="/api/v1/chat")
    failed = chat(world.url, model=FAST)
    assert failed.status >= 500
    after = scraped(world)

    def grown(name: str, **labels: str) -> float:
        return value(after, name, **labels) - value(before, name, **labels)

    assert grown("requests_total", outcome="answered") == 3
    assert sum(after[key] - before.get(key, 0) for key in after if key[0] == "turnout_requests_total") == 4
    assert grown("candidate_calls_total", candidate=FAST) == 3
    assert grown("candidate_calls_total", candidate=PLAIN) == 1
    assert grown("candidate_chosen_total", candidate=FAST) == 2
    assert grown("response_seconds_count") == 3
    assert grown("first_token_seconds_count") == 1
    assert grown("tokens_total", candidate=PLAIN, kind="completion") > 0
    assert grown("feedback_total", kind="good") == 1
    assert sum(after[key] for key in after if key[0] == "turnout_candidate_failures_total") >= 1
    assert grown("history_recorded_total") > 0


def test_what_is_known_now_is_told(world: World) -> None:
    samples = scraped(world)
    assert value(samples, "candidate_up", candidate=FAST) == 1
    assert value(samples, "provider_up", provider="ollama") == 1
    assert value(samples, "running", candidate=FAST) == value(samples, "waiting", candidate=FAST) == 0
    assert value(samples, "ram_total_bytes") > value(samples, "ram_free_bytes") > 0
    assert value(samples, "workers") == 1
    assert value(samples, "configuration_problem") == 0
    assert [key for key in samples if key[0] == "turnout_build_info"]
    assert not [key for key in samples if key[0] == "turnout_predictor_info"], "nothing was learned here"
    states = {dict(key[1])["state"]: held for key, held in samples.items() if key[0] == "turnout_breaker_state"}
    assert states == {"closed": 1, "half_open": 0, "open": 0}


def test_every_family_is_explained_and_begins_with_our_name(world: World) -> None:
    families = list(text_string_to_metric_families(ask(f"{world.url}/metrics").text))
    assert len(families) > 30
    assert {family.name: family.documentation for family in families if not family.documentation} == {}
    assert not [family.name for family in families if not family.name.startswith("turnout_")]


def test_buckets_add_up_and_never_fall(world: World) -> None:
    chat(world.url)
    (family,) = (
        one
        for one in text_string_to_metric_families(ask(f"{world.url}/metrics").text)
        if one.name == "turnout_response_seconds"
    )
    buckets = [(float(one.labels["le"]), one.value) for one in family.samples if one.name.endswith("_bucket")]
    (count,) = (one.value for one in family.samples if one.name.endswith("_count"))
    assert buckets == sorted(buckets) and buckets[-1] == (float("inf"), count)
    assert [held for _, held in buckets] == sorted(held for _, held in buckets)


def test_open_metrics_are_told_to_who_asks_for_them(world: World) -> None:
    said = ask(f"{world.url}/metrics", Accept="application/openmetrics-text; version=1.0.0")
    assert said.headers["Content-Type"].startswith("application/openmetrics-text")
    assert {family.name for family in read_open_metrics(said.text)} >= {"turnout_requests", "turnout_response_seconds"}


def test_a_gateway_without_the_library_says_what_to_install(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "prometheus_client.exposition", None)
    said = ask(f"{world.url}/metrics")
    assert (said.status, said.json["error"]["code"]) == (501, "not_installed")
    assert "pip install 'turnout[gateway]'" in said.json["error"]["message"]


@pytest.fixture
def without_metrics(tmp_path: Path) -> Iterator[World]:
    with opened(tmp_path, gateway="{metrics: false}") as world:
        yield world


def test_nothing_is_there_where_metrics_are_switched_off(without_metrics: World) -> None:
    assert ask(f"{without_metrics.url}/metrics").status == 404


def test_what_was_learned_is_told_with_what_drifted() -> None:
    predictor = {"version": "one", "trained_at": "then", "candidates": (FAST,)}
    against = {"since": 5.0, "problem": "", "compared": 4, "agreement_share": 0.75, "canary_requests": 2}
    status = Status(
        version="1",
        taken_at=0.0,
        uptime_s=0.0,
        configuration=ConfigurationStatus(fingerprint="f"),
        predictor=PredictorStatus(**predictor, problem="it was altered"),
        challenger=ChallengerStatus(**predictor, **against, mode="shadow"),
        drift=Drift(9.0, (Alarm("speed", FAST, 1.0, "slower"), Alarm("speed", PLAIN, 1.0, "slower"))),
    )
    families = {family.name: family for family in prometheus._learned(status)}
    alarms = {one.labels["kind"]: one.value for one in families["turnout_drift_alarms"].samples}
    assert alarms == {"success": 0, "calibration": 0, "features": 0, "speed": 2, "language_model": 0}
    (info,) = families["turnout_challenger_info"].samples
    assert info.labels == {"version": "one", "trained_at": "then", "mode": "shadow"}
    assert families["turnout_challenger_agreement_ratio"].samples[0].value == 0.75
    assert families["turnout_predictor_problem"].samples[0].value == 1


def test_what_was_drawn_is_counted_by_candidate() -> None:
    tally = Tally()
    tally.compared(FAST, PLAIN)
    tally.compared(PLAIN, PLAIN)
    tally.of(FAST).explored += 3
    tally.of(PLAIN).canary += 2
    told = {
        (sample.name, sample.labels["candidate"]): sample.value
        for family in prometheus._candidates(tally)
        for sample in family.samples
        if len(sample.labels) == 1 and sample.value
    }
    assert told == {
        ("turnout_explored_total", FAST): 3,
        ("turnout_canary_requests_total", PLAIN): 2,
        ("turnout_challenger_compared_total", PLAIN): 2,
        ("turnout_challenger_agreed_total", PLAIN): 1,
    }


def test_labels_are_bounded_whatever_the_traffic() -> None:
    tally = Tally()
    for number in range(MOST_NAMES * 2):
        name = f"somebody/{number}"
        attempt = Attempt(candidate=name, started_at=0.0, usage=Usage(1, 1))
        tally.of(name).ended(Tried(candidate=name, role="first", attempts=(attempt,)))
    families = {family.name: family for family in prometheus._candidates(tally)}
    assert len(families["turnout_candidate_calls"].samples) == MOST_NAMES + 1


def test_buckets_of_a_histogram_hold_what_is_below_them() -> None:
    histogram = Histogram()
    for seconds in (0.0, 0.001, 0.003, 0.5, 70.0, 5000.0):
        histogram.add(seconds)
    below = dict(histogram.octaves(prometheus.FIRST_OCTAVE, prometheus.LAST_OCTAVE))
    for limit, count in below.items():
        assert count == sum(seconds < limit for seconds in (0.0, 0.001, 0.003, 0.5, 70.0, 5000.0)), limit
