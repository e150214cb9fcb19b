"""The status: everything in one frozen value, with the same keys whatever is known."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError

import pytest

from turnout import Router
from turnout.config.live import LiveStatus
from turnout.config.problems import Problem
from turnout.config.tree import Origin
from turnout.execution.drift_note import Alarm, Drift
from turnout.execution.following import Challenging
from turnout.execution.metrics import Metrics
from turnout.execution.status import status
from turnout.types import CandidateState, LanguageModel, ProviderState, Resources, Snapshot, Speeds

MODEL = LanguageModel(
    name="small",
    capabilities=frozenset({"tools", "chat"}),
    context_length=32_768,
    loaded=False,
    size_bytes=4_000_000_000,
    parameters="7B",
    quantization="Q4_K_M",
)
SNAPSHOT = Snapshot(
    taken_s=100.0,
    providers={
        "lmstudio": ProviderState(provider="lmstudio", available=True, observed_s=98.0, version="0.3"),
        "ollama": ProviderState(
            provider="ollama", available=False, observed_s=float("-inf"), problem="not looked at yet"
        ),
    },
    candidates={
        "lmstudio/small": CandidateState(
            candidate="lmstudio/small", model=MODEL, running=1, waiting=2, speeds=Speeds(decode_tokens_per_s=30.0)
        ),
        "ollama/large": CandidateState(
            candidate="ollama/large", model=None, breaker="open", problem="left alone after failures"
        ),
    },
    resources=Resources(sampled_s=99.0, ram_total_bytes=16, ram_free_bytes=8, cpu_share=0.25),
)

DRIFT = Drift(70.0, (Alarm("speed", "ollama/large", 60.0, "it is slower"),), 9)


def test_a_candidate_is_told_with_everything_that_its_provider_says() -> None:
    told = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0).candidates["lmstudio/small"]
    assert (told.provider, told.running, told.waiting, told.is_cold) == ("lmstudio", 1, 2, True)
    assert told.capabilities == ("chat", "tools") and told.context_length == 32_768
    assert told.speeds.decode_tokens_per_s == 30


def test_a_candidate_that_its_provider_does_not_list_is_told_with_its_problem() -> None:
    told = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0).candidates["ollama/large"]
    assert (told.loaded, told.capabilities, told.breaker) == (None, (), "open")
    assert told.problem == "left alone after failures"


def test_a_provider_says_how_old_its_look_is() -> None:
    providers = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0).providers
    assert providers["lmstudio"].looked_ago_s == 2 and providers["lmstudio"].version == "0.3"
    assert providers["ollama"].looked_ago_s is None and not providers["ollama"].available


def test_a_followed_file_says_what_is_wrong_with_its_newest_content() -> None:
    problem = Problem(Origin("file", "hybrid.yaml", 3), "routing", "unknown key")
    live = LiveStatus(path="hybrid.yaml", fingerprint="live", loaded_at=9.0, reloads=2, problems=(problem,))
    told = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0, live=live, profile="auto").configuration
    assert (told.fingerprint, told.path, told.profile, told.reloads) == ("live", "hybrid.yaml", "auto", 2)
    assert "unknown key" in told.problem


def test_a_file_that_is_not_followed_is_told_by_path_and_fingerprint() -> None:
    told = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0, path="hybrid.yaml").configuration
    assert (told.fingerprint, told.path, told.loaded_at, told.problem) == ("abc", "hybrid.yaml", None, "")


def test_the_predictor_says_when_it_was_trained_and_whom_it_knows(router: Router) -> None:
    told = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0, predictor=router.predictor).predictor
    assert told is not None
    assert told.trained_at == "2025-01-01T00:00:00+00:00" == told.version
    assert told.candidates == router.candidates


def test_the_predictor_says_since_when_it_serves_and_what_is_wrong_with_a_newer_one(router: Router) -> None:
    found = status(
        SNAPSHOT, fingerprint="abc", uptime_s=5.0, predictor=router.predictor, since=50.0, problem="it was altered"
    ).predictor
    assert found is not None and (found.since, found.problem) == (50.0, "it was altered")


def test_the_challenger_is_told_with_what_came_of_comparing_it(router: Router) -> None:
    assert router.predictor is not None
    metrics = Metrics()
    for rival in ("lmstudio/small", "ollama/large"):
        metrics.compared("ollama/large", rival)
    told = status(
        SNAPSHOT,
        fingerprint="abc",
        uptime_s=5.0,
        challenger=Challenging(router.predictor, 60.0, "shadow", ""),
        metrics=metrics.snapshot(),
    ).challenger
    assert told is not None and (told.mode, told.since) == ("shadow", 60.0)
    assert (told.compared, told.agreement_share, told.canary_requests) == (2, 0.5, 0)


def test_drift_is_told_as_it_was_found() -> None:
    found = status(SNAPSHOT, fingerprint="abc", uptime_s=5.0, drift=DRIFT).to_json()["drift"]
    assert found["checked_at"] == 70.0 and found["decisions"] == 9
    assert found["alarms"] == [{"kind": "speed", "candidate": "ollama/large", "since": 60.0, "text": "it is slower"}]


def test_json_has_the_same_keys_whatever_is_known(router: Router) -> None:
    assert router.predictor is not None
    full = status(
        SNAPSHOT,
        fingerprint="abc",
        uptime_s=5.0,
        predictor=router.predictor,
        challenger=Challenging(router.predictor, 60.0, "canary", ""),
        drift=DRIFT,
        threshold=0.7,
        metrics=Metrics().snapshot(),
        history={"waiting": 0},
        caches={"exact": {"hits": 1}},
    ).to_json()
    empty = status(Snapshot(taken_s=0.0), fingerprint="", uptime_s=0.0).to_json()
    assert list(full) == list(empty)
    assert full == json.loads(json.dumps(full))
    assert full["history"] == {"waiting": 0} and full["caches"]["exact"]["hits"] == 1
    assert full["resources"] == {
        "ram_total_bytes": 16,
        "ram_free_bytes": 8,
        "cpu_share": 0.25,
        "vram_total_bytes": None,
        "vram_free_bytes": None,
        "card": None,
        "ram_bytes_per_s": None,
    }
    assert empty["predictor"] is empty["challenger"] is empty["drift"] is None and empty["metrics"] is None


def test_the_status_cannot_be_changed() -> None:
    with pytest.raises(FrozenInstanceError):
        status(SNAPSHOT, fingerprint="abc", uptime_s=5.0).threshold = 1.0  # type: ignore[misc]
