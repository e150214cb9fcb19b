"""The sections as values: sound defaults, ranges on creation, nothing that can be changed, no pydantic."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Callable
from dataclasses import FrozenInstanceError, fields, is_dataclass, replace
from typing import Any

import pytest

from turnout.config.gateway import Gateway
from turnout.config.loader import load_content
from turnout.config.performance import ExactCache, Performance, Racing
from turnout.config.providers import (
    BreakerSettings,
    CandidateSettings,
    HealthSettings,
    Provider,
    ProviderSettings,
    QueueLimits,
    RetrySettings,
    is_loopback,
)
from turnout.config.records import History, Privacy
from turnout.config.resources import Fallback, MemoryLimits
from turnout.config.routing import Escalation, Hybrid, Routing
from turnout.config.rules import Effects, Prefer, Rule
from turnout.config.schema import Configuration, fingerprint, provider_settings, to_plain
from turnout.config.voices import Ensemble, Voice
from turnout.errors import ConfigurationError

LOCAL = "http://127.0.0.1:1234"


def test_nothing_configured_means_lm_studio_and_ollama_on_this_machine() -> None:
    lmstudio, ollama = provider_settings(Configuration())
    assert (lmstudio.name, lmstudio.kind, lmstudio.base_url) == ("lmstudio", "lmstudio", "http://127.0.0.1:1234")
    assert (ollama.name, ollama.kind, ollama.base_url) == ("ollama", "ollama", "http://127.0.0.1:11434")
    assert ollama.queue.max_concurrent_per_candidate == 1


def test_importing_the_schema_needs_only_the_standard_library() -> None:
    script = (
        "import sys\nfrom turnout.config.schema import Configuration\nConfiguration()\n"
        "print(*sorted({name.split('.')[0] for name in sys.modules}))"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"pydantic", "pydantic_core", "yaml", "watchfiles", "psutil", "cel"} & set(done.stdout.split())


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: Hybrid(canary_share=1.5), "canary_share is 1.5; it must be from 0 to 1"),
        (lambda: Hybrid(challenger="on"), "challenger is 'on'; it must be one of off, shadow, canary"),  # type: ignore[arg-type]
        (lambda: Escalation(threshold=0.95), "threshold is 0.95; it must lie between"),
        (lambda: Escalation(min_threshold=0.9, max_threshold=0.5), "min_threshold is 0.9, more than max_threshold"),
        (lambda: Escalation(threshold=float("nan")), "must be a finite number"),
        (lambda: Routing(preference="quick"), "must be one of fast, balanced, quality"),  # type: ignore[arg-type]
        (lambda: Routing(preference=-1), "must be at least 0"),
        (lambda: Effects(), "no effect; give one or more of force, prefer"),
        (lambda: Prefer(target=()), "target is empty"),
        (lambda: Rule(name=" ", when="true", then=Effects(hold=True)), "1 to 80 printable characters"),
        (lambda: Rule(name="a", when="", then=Effects(hold=True)), "when is empty"),
        (lambda: QueueLimits(max_concurrent=0), "max_concurrent is 0; it must be at least 1"),
        (lambda: RetrySettings(retries=100), "must be from 0 to 20"),
        (lambda: BreakerSettings(failure_share=0), "failure_share is 0; it must be above 0 and at most 1"),
        (lambda: BreakerSettings(window=3, minimum_calls=4), "minimum_calls is 4, more than the window of 3"),
        (lambda: BreakerSettings(open_s=10, max_open_s=5), "max_open_s is 5, less than open_s 10"),
        (lambda: HealthSettings(interval_s=30), "must be more than interval_s 30"),
        (lambda: CandidateSettings(context_length=0), "context_length is 0"),
        (lambda: CandidateSettings(prompt_usd_per_million=float("inf")), "must be a finite number"),
        (lambda: ExactCache(ttl_s=0), "must be above 0"),
        (lambda: Racing(quantile=0.4), "must be from 0.5 to 0.999"),
        (lambda: MemoryLimits(max_percent=101), "must be"),
        (lambda: Fallback(max_attempts=0), "must be at least 1"),
        (lambda: Gateway(host="0.0.0.0"), "which others can reach; name a keys_file"),
        (lambda: Gateway(port=70_000), "must be from 0 to 65535"),
        (lambda: History(url="history.db"), "no database address"),
        (lambda: History(prompts="some"), "one of full, features, none"),  # type: ignore[arg-type]
        (lambda: Privacy(patterns={"a": "("}), "'a': no regular expression"),
        (lambda: Privacy(patterns={"a": "x*"}), "'a': it matches the empty text"),
        (lambda: Voice(system_prompt=" "), "system_prompt is empty"),
        (lambda: Ensemble(kind="voices"), "names the voices that answer"),
        (lambda: Ensemble(kind="refine", candidates=("a",)), "less than two"),
        (lambda: Provider(kind="", base_url=LOCAL), "it names an adapter"),
        (lambda: Provider(kind="openai", base_url="localhost:80"), "expected http://HOST:PORT"),
        (lambda: Provider(kind="openai", base_url="http://me:pw@host"), "base_url holds a user name or a password"),
        (
            lambda: Provider(kind="openai", base_url=LOCAL, key_variable="sk-1"),
            "not the name of an environment variable",
        ),
        (lambda: Provider(kind="openai", base_url=LOCAL, models={"a,b": CandidateSettings()}), "has no comma"),
        (lambda: Configuration(providers={"a/b": Provider(kind="openai", base_url=LOCAL)}), "has no slash"),
        (lambda: ProviderSettings(name="", kind="openai", base_url=LOCAL), "is not empty"),
    ],
)
def test_what_is_out_of_range_is_refused_on_creation(make: Callable[[], object], words: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        make()
    assert words in str(caught.value)


def test_a_refused_address_does_not_repeat_its_password() -> None:
    with pytest.raises(ConfigurationError) as caught:
        Provider(kind="openai", base_url="http://me:hunter2@host")
    assert "hunter2" not in str(caught.value)


def test_a_language_model_may_be_kept_for_ever() -> None:
    assert CandidateSettings(keep_alive_s=float("inf")).keep_alive_s == float("inf")


def sections(value: object) -> list[Any]:
    if not is_dataclass(value):
        return []
    return [value] + [below for entry in fields(value) for below in sections(getattr(value, entry.name))]


@pytest.mark.parametrize("written", ["off", "false", "'off'"])
def test_an_unquoted_off_is_the_word(written: str) -> None:
    loaded = load_content(f"hybrid: {{challenger: {written}}}".encode(), "hybrid.yaml")
    assert loaded.configuration.hybrid.challenger == "off"


def test_no_section_can_be_changed() -> None:
    found = sections(Configuration())
    assert len(found) > 20
    for section in found:
        assert not hasattr(section, "__dict__")
        with pytest.raises(FrozenInstanceError):
            setattr(section, fields(section)[0].name, None)


def test_mappings_inside_cannot_be_changed_either() -> None:
    options: dict[str, Any] = {"a": [1, {"b": 2}]}
    provider = Provider(kind="openai", base_url=LOCAL, options=options)
    options["a"].append(3)
    assert provider.options == {"a": (1, {"b": 2})}
    for change in (
        lambda: provider.options.update(x=1),  # type: ignore[attr-defined]
        lambda: provider.options["a"][1].clear(),
        lambda: Configuration().providers.pop("ollama"),  # type: ignore[attr-defined]
    ):
        with pytest.raises(TypeError, match="does not change"):
            change()


def test_a_configuration_compares_copies_and_pickles_as_a_value() -> None:
    one = Configuration()
    assert one == Configuration()
    assert pickle.loads(pickle.dumps(one)) == one
    other = replace(one, routing=replace(one.routing, preference="fast"))
    assert other != one
    assert fingerprint(other) != fingerprint(one) == fingerprint(Configuration())


def test_plain_data_holds_every_field() -> None:
    plain = to_plain(Configuration())
    assert list(plain) == [entry.name for entry in fields(Configuration)]
    assert plain["routing"]["escalation"]["threshold"] == 0.7
    assert plain["providers"]["ollama"]["models"] == {}


def test_adapters_get_shared_limits_where_a_provider_sets_none() -> None:
    queue, breaker = QueueLimits(max_concurrent=7), BreakerSettings(open_s=3)
    configuration = Configuration(
        performance=Performance(queue=queue),
        fallback=Fallback(breaker=breaker),
        providers={
            "a": Provider(kind="openai", base_url=LOCAL),
            "b": Provider(
                kind="openai", base_url=LOCAL, queue=QueueLimits(max_concurrent=2), retry=RetrySettings(retries=0)
            ),
            "c": Provider(kind="openai", base_url=LOCAL, enabled=False),
        },
    )
    a, b = provider_settings(configuration)
    assert (a.queue, a.breaker, a.retry) == (queue, breaker, RetrySettings())
    assert (b.queue.max_concurrent, b.breaker, b.retry.retries) == (2, breaker, 0)


def test_candidates_are_named_in_order_of_preference() -> None:
    models = {"z": CandidateSettings(), "a": CandidateSettings(context_length=10)}
    configuration = Configuration(providers={"p": Provider(kind="openai", base_url=LOCAL, models=models)})
    assert configuration.candidates == ("p/z", "p/a")
    (settings,) = provider_settings(configuration)
    assert settings.candidate("a").context_length == 10 and settings.candidate("other") == CandidateSettings()


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1234", True),
        ("http://127.3.2.1", True),
        ("http://LOCALHOST:1/v1", True),
        ("http://[::1]:80", True),
        ("http://127.0.0.1.example.com", False),
        ("http://localhost.example.com", False),
        ("https://api.example.com/v1", False),
        ("http://192.168.1.2:11434", False),
    ],
)
def test_only_loopback_addresses_are_local_unless_told(url: str, local: bool) -> None:
    assert is_loopback(url) is local
    assert Provider(kind="openai", base_url=url).is_local is local
    assert Provider(kind="openai", base_url=url, local=not local).is_local is not local
