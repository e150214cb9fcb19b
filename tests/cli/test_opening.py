"""Names that nobody has, and providers of which none listens: what a person is told."""

from __future__ import annotations

import pytest

from turnout.cli.opening import check_named, starting
from turnout.config.providers import Provider
from turnout.config.schema import Configuration
from turnout.errors import RequestError
from turnout.execution.status import status
from turnout.types import ProviderState, Snapshot


def looked_at(**available: bool) -> Snapshot:
    states = {
        name: ProviderState(provider=name, available=there, observed_s=0.0, problem="" if there else "refused")
        for name, there in available.items()
    }
    return Snapshot(taken_s=0.0, providers=states)


def told(configuration: Configuration, **available: bool) -> str:
    return starting(configuration, status(looked_at(**available), fingerprint="", uptime_s=0.0))


def test_one_provider_that_listens_is_enough() -> None:
    assert told(Configuration(), lmstudio=False, ollama=True) == ""


def test_each_provider_is_named_with_its_address_and_how_to_start_it() -> None:
    said = told(Configuration(), lmstudio=False, ollama=False)
    assert "http://127.0.0.1:1234 (lmstudio), http://127.0.0.1:11434 (ollama)" in said
    assert "lms server start" in said and "ollama serve" in said


def test_without_an_enabled_provider_the_configuration_is_the_place_to_begin() -> None:
    off = Provider(kind="ollama", base_url="http://127.0.0.1:11434", enabled=False)
    assert "turnout config init" in told(Configuration(providers={"ollama": off}))


def test_an_unknown_name_is_refused_with_the_nearest_or_with_all() -> None:
    check_named("voice", "explorer", ["explorer"])
    check_named("voice", "", [])
    for name, known, said in (
        ("explore", ["explorer", "security"], "did you mean explorer?"),
        ("zzz", ["explorer", "security"], "there are explorer, security"),
        ("explorer", [], "the configuration has none"),
    ):
        with pytest.raises(RequestError, match=said.replace("?", r"\?")):
            check_named("voice", name, known)
