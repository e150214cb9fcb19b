"""What is configured about providers, as values: defaults, ranges, names, addresses, and nothing that changes later."""

from __future__ import annotations

import copy
import dataclasses
import pickle
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from turnout.config.providers import (
    BreakerSettings,
    CandidateSettings,
    HealthSettings,
    Provider,
    ProviderSettings,
    QueueLimits,
    RetrySettings,
    Timeouts,
    is_loopback,
    name_problem,
)
from turnout.errors import ConfigurationError

INFINITY, NAN = float("inf"), float("nan")
SECTIONS = (Timeouts, QueueLimits, BreakerSettings, RetrySettings, HealthSettings, CandidateSettings)
ZERO_IS_FINE = {
    "max_waiting",
    "starvation_s",
    "retries",
    "base_s",
    "max_wait_s",
    "keep_alive_s",
    "prompt_usd_per_million",
    "completion_usd_per_million",
    "vram_mb",
}
NUMBERS = [
    (section, field.name)
    for section in SECTIONS
    for field in dataclasses.fields(section)
    if "Flag" not in str(field.type) and field.name != "capabilities"
]


def settings(**rest: Any) -> ProviderSettings:
    return ProviderSettings(**{"name": "here", "kind": "ollama", "base_url": "http://127.0.0.1:11434", **rest})


def provider(**rest: Any) -> Provider:
    return Provider(**{"kind": "ollama", "base_url": "http://127.0.0.1:11434", **rest})


# Numbers


@pytest.mark.parametrize("section", SECTIONS)
def test_every_section_can_be_made_without_a_word(section: type) -> None:
    assert section() == section()
    assert hash(section()) == hash(section())


@pytest.mark.parametrize(("section", "name"), NUMBERS)
@pytest.mark.parametrize("value", [-1, NAN, -INFINITY])
def test_a_number_below_zero_or_none_at_all_is_refused_with_its_name(section: type, name: str, value: float) -> None:
    with pytest.raises(ConfigurationError, match=rf"{name} is {value}; it must be"):
        section(**{name: value})


@pytest.mark.parametrize(("section", "name"), NUMBERS)
def test_zero_is_refused_where_it_would_stop_everything(section: type, name: str) -> None:
    if name in ZERO_IS_FINE and (section, name) != (QueueLimits, "max_wait_s"):
        assert getattr(section(**{name: 0}), name) == 0
    else:
        with pytest.raises(ConfigurationError, match=f"{name} is 0"):
            section(**{name: 0})


@pytest.mark.parametrize(("section", "name"), NUMBERS)
def test_a_time_without_end_is_refused_but_for_staying_in_memory(section: type, name: str) -> None:
    if name == "keep_alive_s":
        assert section(**{name: INFINITY}).keep_alive_s == INFINITY
    else:
        with pytest.raises(ConfigurationError, match=f"{name} is inf"):
            section(**{name: INFINITY})


@pytest.mark.parametrize(
    ("section", "values", "name"),
    [
        (BreakerSettings, {"failure_share": 1.01}, "failure_share"),
        (BreakerSettings, {"minimum_calls": 21}, "minimum_calls"),
        (BreakerSettings, {"window": 4}, "minimum_calls"),
        (BreakerSettings, {"max_open_s": 9.0}, "max_open_s"),
        (BreakerSettings, {"open_s": 121.0}, "max_open_s"),
        (HealthSettings, {"max_age_s": 5.0}, "max_age_s"),
        (HealthSettings, {"interval_s": 20.0}, "max_age_s"),
        (RetrySettings, {"retries": 21}, "retries"),
    ],
)
def test_values_that_do_not_fit_each_other_are_refused(section: type, values: dict[str, Any], name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} is"):
        section(**values)


@pytest.mark.parametrize(
    ("section", "values"),
    [
        (BreakerSettings, {"failure_share": 1.0, "window": 5, "minimum_calls": 5, "open_s": 120.0}),
        (HealthSettings, {"interval_s": 0.1, "max_age_s": 0.2}),
        (RetrySettings, {"retries": 20, "base_s": 10.0, "max_wait_s": 0.0}),
        (QueueLimits, {"max_resident": 1, "max_waiting": 0}),
        (CandidateSettings, {"context_length": 1, "keep_alive_s": 0.0}),
    ],
)
def test_values_at_the_edge_of_their_ranges_are_taken(section: type, values: dict[str, Any]) -> None:
    made = section(**values)
    assert {name: getattr(made, name) for name in values} == values


@given(st.sampled_from(NUMBERS), st.integers(-(2**64), 2**64) | st.floats())
def test_any_number_is_taken_as_it_is_or_refused_by_name(field: tuple[type, str], value: float) -> None:
    section, name = field
    try:
        made = section(**{name: value})
    except ConfigurationError as error:
        assert str(error)
    else:
        assert getattr(made, name) == value
        assert value >= 0


@pytest.mark.parametrize("value", [10**400, -(10**400)], ids=["above", "below"])
def test_a_number_beyond_all_measure_is_refused_by_name(value: int) -> None:
    with pytest.raises(ConfigurationError, match="connect_s"):
        Timeouts(connect_s=value)


def test_the_defaults_leave_room_for_a_local_load() -> None:
    limits = Timeouts()
    assert limits.connect_s < limits.probe_s < limits.first_token_s < limits.load_s < limits.total_s


# A provider as an adapter takes it


def test_the_settings_of_a_model_that_is_not_named_are_the_defaults() -> None:
    own = CandidateSettings(context_length=8192)
    made = settings(models={"qwen3:4b": own})
    assert made.candidate("qwen3:4b") is own or made.candidate("qwen3:4b") == own
    assert made.candidate("other") == CandidateSettings()


@pytest.mark.parametrize("name", ["", " ", "a/b", "a,b", " a", "a\n", "a|b", "a*", "a?", "a[0]"])
def test_a_name_that_cannot_stand_in_a_candidate_is_refused(name: str) -> None:
    assert name_problem(name)
    with pytest.raises(ConfigurationError, match="a provider is named"):
        settings(name=name)


@pytest.mark.parametrize("name", ["ollama", "lm-studio", "llama.cpp", "büro", "a b", "1"])
def test_any_other_name_is_taken(name: str) -> None:
    assert name_problem(name) == ""
    assert settings(name=name).name == name


@pytest.mark.parametrize(
    "url", ["", "127.0.0.1:11434", "localhost", "ftp://x", "file:///etc/passwd", "HTTP://x", "//x"]
)
def test_an_address_of_another_kind_is_refused(url: str) -> None:
    for make in (settings, provider):
        with pytest.raises(ConfigurationError, match="base_url"):
            make(base_url=url)


@pytest.mark.parametrize("transport", ["", "requests", "AIOHTTP", None])
def test_an_unknown_transport_is_refused_with_those_that_are_known(transport: Any) -> None:
    for make in (settings, provider):
        with pytest.raises(ConfigurationError, match=r"transport is .* aiohttp, httpx"):
            make(transport=transport)


def test_what_was_given_can_change_without_changing_the_settings() -> None:
    models = {"m": CandidateSettings()}
    options: dict[str, Any] = {"cloud": True, "deep": {"list": [1]}}
    made = settings(models=models, options=options)
    models["n"] = CandidateSettings()
    options["deep"]["list"].append(2)
    del options["cloud"]
    assert set(made.models) == {"m"}
    assert made.options == {"cloud": True, "deep": {"list": (1,)}}


def test_nothing_about_the_settings_can_be_changed() -> None:
    made = settings(options={"cloud": True})
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.base_url = "http://elsewhere"  # type: ignore[misc]
    with pytest.raises(TypeError):
        made.options["cloud"] = False  # type: ignore[index]
    with pytest.raises(TypeError):
        made.models["m"] = CandidateSettings()  # type: ignore[index]


def test_settings_are_copied_and_pickled_as_what_they_are() -> None:
    made = settings(models={"m": CandidateSettings(context_length=1)}, options={"cloud": True})
    assert copy.deepcopy(made) == made == pickle.loads(pickle.dumps(made))
    assert dataclasses.replace(made, name="there").models == made.models


def test_the_settings_show_no_key() -> None:
    assert "key_variable='A_KEY'" in repr(settings(key_variable="A_KEY"))


# A provider as the configuration describes it


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1234",
        "https://api.example.org/v1",
        "http://[::1]:11434",
        "http://localhost/",
        "http://h:1/a/b",
    ],
)
def test_an_address_with_or_without_port_and_path_is_taken(url: str) -> None:
    assert provider(base_url=url).base_url == url


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///v1",
        "http://:80",
        "http://h:port",
        "http://h:123456",
        "http://a b",
        "http://h\n",
        "http://[::1",
    ],
)
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="base_url is"):
        provider(base_url=url)


def test_a_port_beyond_the_last_one_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="base_url"):
        provider(base_url="http://h:99999")


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(ConfigurationError, match="user name or a password") as caught:
        provider(base_url="http://me:secret@h")
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("variable", ["", "A KEY", "1KEY", "A-KEY", "sk-ant-0123456789abcdef", "A_KEY=x", "ä"])
def test_a_key_in_place_of_the_name_of_its_variable_is_refused_and_not_repeated(variable: str) -> None:
    with pytest.raises(ConfigurationError, match="name of an environment variable") as caught:
        provider(key_variable=variable)
    assert not variable or variable not in str(caught.value)


@pytest.mark.parametrize("model", ["", "a,b", " a", "a "])
def test_a_language_model_that_cannot_stand_in_a_candidate_is_refused(model: str) -> None:
    with pytest.raises(ConfigurationError, match="a language model is named"):
        provider(models={model: CandidateSettings()})


@pytest.mark.parametrize("model", ["qwen/qwen3-4b@q4", "llama3.3:70b", "hf.co/a/b:Q4_K_M", "C:\\models\\m.gguf"])
def test_a_language_model_may_be_named_as_its_provider_names_it(model: str) -> None:
    assert list(provider(models={model: CandidateSettings()}).models) == [model]


# Where prompts go


@pytest.mark.parametrize(
    ("url", "local"),
    [
        ("http://127.0.0.1:1234", True),
        ("http://127.1.2.3/v1", True),
        ("http://localhost:11434", True),
        ("http://LOCALHOST", True),
        ("http://ollama.localhost", True),
        ("http://[::1]:11434/v1", True),
        ("http://192.168.0.2:1234", False),
        ("http://0.0.0.0:1234", False),
        ("https://api.openai.com/v1", False),
        ("http://localhost.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://127.example.org", False),
        ("http://notlocalhost", False),
        ("http://example.org/localhost", False),
        ("http://localhost@example.org", False),
        ("http://example.org:80/@127.0.0.1", False),
        ("http://[::2]", False),
        ("localhost", False),
        ("", False),
    ],
)
def test_prompts_stay_here_only_behind_an_address_of_this_machine(url: str, local: bool) -> None:
    assert is_loopback(url) is local
    if url.startswith("http") and "@" not in url:
        assert provider(base_url=url).is_local is local


def test_whoever_configures_it_may_say_otherwise() -> None:
    assert provider(base_url="http://gateway.lan", local=True).is_local
    assert not provider(local=False).is_local


ADDRESSES = st.builds(
    "http://{}{}{}{}".format,
    st.sampled_from(["localhost", "127.0.0.1", "[::1]", "example.org", "me"]),
    st.sampled_from(["", "@", "#@", "?@", "/@", "\\@", ":80@", "%40", ".", "#", "?", ":80"]),
    st.sampled_from(["", "localhost", "127.0.0.1", "[::1]", "example.org"]),
    st.sampled_from(["", "/", ":80", ":80/v1", "@example.org", "#x", "?x"]),
)


@examples(max_examples=100)
@given(ADDRESSES)
def test_an_address_is_of_this_machine_only_where_the_client_goes_to_this_machine(url: str) -> None:
    try:
        host = httpx.URL(url).host
    except httpx.InvalidURL:
        return
    if is_loopback(url):
        assert host in ("localhost", "127.0.0.1", "::1") or host.endswith(".localhost")
