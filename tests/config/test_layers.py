"""Defaults, file, profile, environment, command line: which value wins, and where it is said to come from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any

import pytest

from turnout.config.layers import profile_names
from turnout.config.loader import Loaded, example_text, load
from turnout.config.machine import Machine, look
from turnout.config.problems import InvalidConfigurationError, Problem
from turnout.config.schema import Configuration, provider_settings

Read = Callable[..., Loaded]
Refused = Callable[..., tuple[Problem, ...]]

LARGE = Machine(memory_mb=64_000, cores=16, gpu=True)
SMALL = Machine(memory_mb=8_000, cores=4, gpu=False)


def test_an_empty_file_is_the_default_configuration(read: Read) -> None:
    loaded = read("")
    assert loaded.configuration == Configuration()
    assert (loaded.notes, loaded.profile) == ((), "none")
    assert {str(origin) for _, _, origin in loaded.origins()} == {"default"}


def test_each_layer_wins_over_the_ones_below_it(read: Read) -> None:
    def port(**options: Any) -> tuple[int, str]:
        loaded = read(
            "gateway: {port: 1}\n" if "file" in options else "", **{k: v for k, v in options.items() if k != "file"}
        )
        return loaded.configuration.gateway.port, str(loaded.origin(("gateway", "port")))

    environment = {"TURNOUT__GATEWAY__PORT": "3"}
    assert port() == (8787, "default")
    assert port(file=True) == (1, "f.yaml:1")
    assert port(file=True, environment=environment) == (3, "environment TURNOUT__GATEWAY__PORT")
    assert port(file=True, environment=environment, settings=["gateway.port=4"]) == (
        4,
        "command line --set gateway.port",
    )


def threshold(loaded: Loaded) -> tuple[float, str]:
    path = ("routing", "escalation", "threshold")
    return loaded.configuration.routing.escalation.threshold, loaded.origin(path).layer


def test_a_profile_chosen_from_outside_lies_over_the_file(read: Read) -> None:
    text = "routing: {escalation: {threshold: .6}}\n"
    assert threshold(read(text)) == (0.6, "file")
    assert threshold(read(text, profile="high-end")) == (0.75, "profile")
    assert threshold(read(text, environment={"TURNOUT_PROFILE": "high-end"})) == (0.75, "profile")
    environment = {"TURNOUT_PROFILE": "high-end", "TURNOUT__ROUTING__ESCALATION__THRESHOLD": "0.8"}
    assert threshold(read(text, environment=environment)) == (0.8, "environment")


def test_a_profile_that_the_file_names_lies_under_the_files_own_values(read: Read) -> None:
    assert threshold(read("profile: high-end\n")) == (0.75, "profile")
    assert threshold(read("profile: high-end\nrouting: {escalation: {threshold: .6}}\n")) == (0.6, "file")


def test_the_command_line_chooses_the_profile_before_the_environment_and_the_file(read: Read) -> None:
    environment = {"TURNOUT_PROFILE": "resource-constrained"}
    assert read("profile: high-end\n").profile == "high-end"
    assert read("profile: high-end\n", environment=environment).profile == "resource-constrained"
    assert read("profile: high-end\n", environment=environment, profile="none").profile == "none"


@pytest.mark.parametrize(("machine", "name"), [(LARGE, "high-end"), (SMALL, "resource-constrained")])
def test_auto_chooses_by_the_machine_and_says_so(read: Read, machine: Machine, name: str) -> None:
    loaded = read("profile: auto\n", machine=lambda: machine)
    assert loaded.profile == name
    (note,) = loaded.notes
    assert name in note and str(machine) in note


@pytest.mark.parametrize(
    ("machine", "profile"),
    [
        (Machine(memory_mb=32_000, cores=8, gpu=True), "high-end"),
        (Machine(memory_mb=32_000, cores=8, gpu=False), "none"),
        (Machine(memory_mb=16_000, cores=8, gpu=True), "none"),
        (Machine(memory_mb=64_000, cores=2, gpu=True), "resource-constrained"),
        (Machine(memory_mb=12_000, cores=8, gpu=False), "resource-constrained"),
    ],
)
def test_the_profile_follows_memory_cores_and_gpu(machine: Machine, profile: str) -> None:
    assert machine.profile == profile


def test_this_machine_can_be_looked_at() -> None:
    machine = look()
    assert machine.cores >= 1 and machine.memory_mb > 100


@pytest.mark.parametrize("name", profile_names(None))
def test_every_profile_that_ships_is_valid_and_changes_something(read: Read, name: str, example: str) -> None:
    assert {"high-end", "resource-constrained"} <= set(profile_names(None))
    for text in ("", example):
        changed = read(text, profile=name)
        assert changed.fingerprint != read(text).fingerprint
        for settings in provider_settings(changed.configuration):
            if settings.name in ("lmstudio", "ollama"):
                expected = 1 if name == "resource-constrained" else 4
                assert settings.queue.max_concurrent >= expected


def test_a_profile_brings_no_provider_that_is_not_configured(read: Read) -> None:
    text = "providers:\n  ollama:\n  other: {kind: openai, base_url: http://x}\n  lmstudio:\n"
    for options in ({"profile": "high-end"}, {}):
        loaded = read(text if options else f"profile: high-end\n{text}", **options)
        assert list(loaded.configuration.providers) == ["ollama", "other", "lmstudio"]
    only = read("providers: {ollama: }\n", profile="high-end").configuration.providers
    assert list(only) == ["ollama"] and only["ollama"].queue is not None and only["ollama"].queue.max_concurrent == 4


def test_own_profiles_beside_the_file_go_before_those_that_ship(tmp_path: Path) -> None:
    file = tmp_path / "hybrid.yaml"
    file.write_text("gateway: {port: 1}\n")
    (tmp_path / "profiles").mkdir()
    (tmp_path / "profiles" / "night.yaml").write_text("gateway: {port: 2}\n")
    (tmp_path / "profiles" / "high-end.yaml").write_text("gateway: {port: 3, prt: 4}\n")
    assert load(file, environment={}, profile="night").configuration.gateway.port == 2
    with pytest.raises(InvalidConfigurationError) as caught:
        load(file, environment={}, profile="high-end")
    (problem,) = caught.value.problems
    assert (problem.origin.where, problem.origin.line) == (str(tmp_path / "profiles" / "high-end.yaml"), 1)


def test_an_unknown_profile_is_refused_where_it_is_named(refused: Refused) -> None:
    (problem,) = refused("hybrid:\nprofile: high-ende\n")
    assert (problem.origin.line, problem.nearest) == (2, "high-end")
    assert "environment TURNOUT_PROFILE" in str(refused("", environment={"TURNOUT_PROFILE": "x"})[0])
    assert "command line --profile" in str(refused("", profile="../../etc/passwd")[0])


def test_the_providers_of_a_file_are_all_there_are(read: Read) -> None:
    assert list(read("providers: {ollama: }\n").configuration.providers) == ["ollama"]
    environment = {"TURNOUT__PROVIDERS__OLLAMA__ENABLED": "false"}
    providers = read("", environment=environment).configuration.providers
    assert [(name, entry.enabled) for name, entry in providers.items()] == [("lmstudio", True), ("ollama", False)]


def test_providers_take_what_they_do_not_set_from_the_shared_sections(read: Read) -> None:
    text = (
        "performance: {queue: {max_waiting: 7, max_concurrent: 9}}\nfallback: {breaker: {open_s: 3}}\n"
        "providers:\n  ollama: {queue: {max_concurrent: 2}}\n  lmstudio: {breaker: {probes: 2}}\n"
    )
    loaded = read(text)
    by_name = {settings.name: settings for settings in provider_settings(loaded.configuration)}
    ollama, lmstudio = by_name["ollama"], by_name["lmstudio"]
    assert (ollama.queue.max_concurrent, ollama.queue.max_waiting, ollama.queue.max_concurrent_per_candidate) == (
        2,
        7,
        1,
    )
    assert (lmstudio.queue.max_concurrent, lmstudio.queue.max_waiting) == (9, 7)
    assert (lmstudio.breaker.open_s, lmstudio.breaker.probes, ollama.breaker.open_s) == (3, 2, 3)
    assert str(loaded.origin(("providers", "ollama", "queue", "max_waiting"))) == "f.yaml:1"
    assert str(loaded.origin(("providers", "ollama", "queue", "max_concurrent_per_candidate"))) == "default"


def test_models_are_a_list_of_names_a_list_of_sections_or_a_mapping(read: Read) -> None:
    for models in (
        "[b, {name: a, context_length: 5}]",
        "[{name: b}, {name: a, context_length: 5}]",
        "{b: , a: {context_length: 5}}",
    ):
        models_read = read(f"providers: {{ollama: {{models: {models}}}}}\n").configuration.providers["ollama"].models
        assert list(models_read) == ["b", "a"] and models_read["a"].context_length == 5


def test_variables_find_keys_whatever_their_case_and_marks(read: Read) -> None:
    text = "providers: {ollama: {models: ['qwen2.5:7b']}}\nvoices: {Deep-Thought: {system_prompt: x}}\n"
    environment = {
        "TURNOUT__PROVIDERS__OLLAMA__MODELS__QWEN2_5_7B__CONTEXT_LENGTH": "4096",
        "TURNOUT__VOICES__DEEP_THOUGHT__SYSTEM_PROMPT": "no: mapping, 3",
        "turnout__hybrid__learning": "no",
        "TURNOUT_MODELS": "elsewhere",
    }
    configuration = read(text, environment=environment).configuration
    assert configuration.providers["ollama"].models["qwen2.5:7b"].context_length == 4096
    assert configuration.voices["Deep-Thought"].system_prompt == "no: mapping, 3"
    assert configuration.hybrid.learning is False


def test_settings_carry_lists_sections_quotes_and_dots(read: Read) -> None:
    settings = [
        "providers.ollama.models=[a, {name: 'b', context_length: 3}]",
        'providers.ollama.models."c.d:7b".context_length=5',
        'voices.x={system_prompt: "1"}',
        "voices.y.system_prompt=1",
        "history.retention_days=null",
        "routing.preference=0.5",
    ]
    configuration = read("", settings=settings).configuration
    models = configuration.providers["ollama"].models
    assert [(name, entry.context_length) for name, entry in models.items()] == [("a", None), ("b", 3), ("c.d:7b", 5)]
    assert [voice.system_prompt for voice in configuration.voices.values()] == ["1", "1"]
    assert configuration.history.retention_days is None
    assert configuration.routing.preference == 0.5


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"environment": {"TURNOUT__ROUTING__PREFERNCE": "fast"}}, "unknown key prefernce; did you mean preference?"),
        ({"environment": {"TURNOUT__ROUTING": "fast"}}, "routing: expected a section with keys (fast)"),
        ({"environment": {"TURNOUT__ROUTING____X": "fast"}}, "two underscores between steps"),
        ({"environment": {"TURNOUT__GATEWAY__PORT__X": "1"}}, "gateway.port"),
        ({"settings": ["gateway.port"]}, "expected section.key=value"),
        ({"settings": ["=1"]}, "expected section.key=value"),
        ({"settings": ["gateway..port=1"]}, "expected section.key=value"),
        (
            {"settings": ["gateway.port=eighty"]},
            "command line --set gateway.port: gateway.port: expected a whole number",
        ),
        ({"settings": ["gateway.cors_origins=[a"]}, "gateway.cors_origins: is not YAML"),
        ({"settings": ["gateway.port=1", "gateway.port.x=2"]}, "gateway.port has no keys below it"),
        ({"settings": ["routing.rules[0].name=x"]}, "expected section.key=value"),
    ],
)
def test_mistakes_in_variables_and_settings_name_them(refused: Refused, options: dict[str, Any], words: str) -> None:
    problems = refused("", **options)
    assert any(words in str(problem) for problem in problems), problems
    assert all(problem.origin.line is None for problem in problems)


def test_the_file_is_the_named_one_then_the_usual_one_then_the_example(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert load(environment={}).source == "example.yaml"
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "hybrid.yaml").write_text("gateway: {port: 1}\n")
    assert load(environment={}).configuration.gateway.port == 1
    other = tmp_path / "other.yaml"
    other.write_text("gateway: {port: 2}\n")
    assert load(environment={"TURNOUT_CONFIG": str(other)}).configuration.gateway.port == 2
    assert load(environment={"TURNOUT_CONFIG": "none"}, path=other).source == str(other)
    with pytest.raises(InvalidConfigurationError, match="cannot be read"):
        load(environment={"TURNOUT_CONFIG": str(tmp_path / "none.yaml")})


def test_the_example_ships_as_it_stands_in_the_repository(example: str, read: Read) -> None:
    assert example_text() == example
    loaded = read(example)
    assert loaded.notes == ()
    assert len(loaded.configuration.routing.rules) >= 5
    assert all(rule.description for rule in loaded.configuration.routing.rules)


def test_the_documentation_names_every_section_and_every_key_of_it(read: Read) -> None:
    text = (Path(__file__).parents[2] / "docs" / "configuration.md").read_text(encoding="utf-8")
    for entry in fields(Configuration):
        assert f"| `{entry.name}` |" in text
        section = getattr(Configuration(), entry.name)
        if is_dataclass(section):
            (row,) = [line for line in text.splitlines() if line.startswith(f"| `{entry.name}` |")]
            assert all(f"`{key.name}`" in row for key in fields(section)), row
    example = text.split("```yaml\n")[1:]
    for block in example:
        read(block.split("```")[0])
