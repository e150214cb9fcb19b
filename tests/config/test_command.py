"""`turnout config`: check, show, schema and init, as a person or a build script calls them."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from turnout.cli import config
from turnout.config.json_schema import json_schema
from turnout.errors import ConfigurationError

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Run:
    """Run `turnout config` in an empty folder; the exit code and what was printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TURNOUT_PROFILE", raising=False)

    def run(*arguments: str) -> tuple[int, str]:
        parser = argparse.ArgumentParser()
        shared = argparse.ArgumentParser(add_help=False)
        shared.add_argument("--json", action="store_true")
        config.add_command(parser.add_subparsers(), shared)
        options = parser.parse_args(["config", *arguments])
        return options.run(options), capsys.readouterr().out

    return run


def test_check_praises_a_valid_file(run: Run, tmp_path: Path, example: str) -> None:
    (tmp_path / "a.yaml").write_text(example)
    code, out = run("check", "a.yaml")
    assert code == 0 and "a.yaml: valid, 2 of 3 providers enabled, 7 rules" in out


def test_check_takes_the_example_where_no_file_is(run: Run) -> None:
    code, out = run("check")
    assert code == 0 and out.startswith("example.yaml: valid")


def test_check_tells_every_problem_and_fails(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("hybird:\ngateway: {port: many}\n")
    code, out = run("check", "a.yaml")
    assert code == 1
    assert out.splitlines() == [
        "a.yaml:1: hybird: unknown key hybird; did you mean hybrid?",
        "a.yaml:2: gateway.port: expected a whole number (many)",
    ]
    code, out = run("check", "a.yaml", "--json")
    result = json.loads(out)
    assert code == 1 and result["valid"] is False
    assert [(entry["line"], entry["path"], entry["nearest"]) for entry in result["problems"]] == [
        (1, "hybird", "hybrid"),
        (2, "gateway.port", ""),
    ]


def test_check_tells_notes_about_old_keys(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("ollama: {maxConcurrent: 2}\n")
    code, out = run("check", "a.yaml")
    assert code == 0 and "note: a.yaml:1: providers.ollama.maxConcurrent is now providers.ollama.queue.max_conc" in out
    result = json.loads(run("check", "a.yaml", "--json")[1])
    assert result["valid"] is True and len(result["notes"]) == 2 and len(result["fingerprint"]) == 16


def test_a_file_that_is_not_there_is_a_problem(run: Run) -> None:
    code, out = run("check", "none.yaml")
    assert code == 1 and "none.yaml: cannot be read" in out


def test_show_prints_what_holds_and_where_it_came_from(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("gateway:\n  port: 1\n")
    code, out = run("show", "a.yaml", "--origins", "--set", "routing.preference=quality", "--profile", "high-end")
    lines = dict(line.split(": ", 1) for line in out.splitlines() if not line.startswith("#"))
    assert code == 0
    assert lines["gateway.port"].split() == ["1", "#", "a.yaml:2"]
    assert lines["routing.preference"].split("#")[1].strip() == "command line --set routing.preference"
    assert "profile high-end" in lines["routing.escalation.threshold"]
    assert lines["hybrid.learning"].split() == ["true", "#", "default"]
    assert "#" not in run("show", "a.yaml")[1].splitlines()[1]


def test_show_as_json_holds_the_configuration_and_the_origins(run: Run) -> None:
    result = json.loads(run("show", "--json", "--origins", "--set", "gateway.port=5")[1])
    assert result["configuration"]["gateway"]["port"] == 5
    assert result["origins"]["gateway.port"] == "command line --set gateway.port"
    assert result["origins"]["routing.rules[0].when"].startswith("example.yaml:")


def test_show_never_prints_a_secret(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text(
        "history: {url: 'postgresql://me:hunter2@host/db'}\n"
        "providers:\n  x:\n    kind: openai\n    base_url: http://host\n    key_variable: MY_KEY\n"
        "    options: {api_key: hunter2, max_tokens: 5, headers: {authorization: hunter2}}\n"
        "voices: {v: {system_prompt: 'use sk-proj-hunter2hunter2hunter2'}}\n"
    )
    for arguments in ((), ("--json",), ("--origins",)):
        code, out = run("show", "a.yaml", *arguments)
        assert code == 0 and "hunter2" not in out
        assert "MY_KEY" in out and "postgresql://" in out


def test_show_of_a_wrong_file_is_an_error_that_tells_all(run: Run, tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("a: 1\nb: 2\n")
    with pytest.raises(ConfigurationError, match=r"a.yaml:1: a: .*\n.*a.yaml:2: b: "):
        run("show", "a.yaml")


def test_init_writes_the_example_and_its_schema_and_overwrites_nothing(run: Run, tmp_path: Path, example: str) -> None:
    code, _ = run("init")
    assert code == 0
    assert (tmp_path / "config" / "hybrid.yaml").read_text() == example
    assert json.loads((tmp_path / "config" / "hybrid.schema.json").read_text()) == json_schema()
    assert run("check")[1].startswith("config/hybrid.yaml: valid")
    with pytest.raises(ConfigurationError, match="--force"):
        run("init")
    (tmp_path / "config" / "hybrid.yaml").write_text("")
    assert json.loads(run("init", "--force", "--json")[1])["file"] == "config/hybrid.yaml"
    assert (tmp_path / "config" / "hybrid.yaml").read_text() == example


def test_init_tells_why_it_cannot_write(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="cannot be written"):
        run("init", "file/hybrid.yaml")


def accepts(data: Any) -> bool:
    return jsonschema.Draft202012Validator(json_schema()).is_valid(data)


def test_the_schema_accepts_what_the_reader_accepts(run: Run, example: str) -> None:
    schema = json.loads(run("schema")[1])
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema == json.loads(run("schema", "--json")[1])
    data = yaml.safe_load(example)
    jsonschema.validate(data, schema)
    data["providers"]["ollama"]["models"] = ["a", {"name": "b", "context_length": 3}]
    data["providers"]["lmstudio"]["models"] = {"a": {}, "b": {"keep_alive_s": 3}}
    data["routing"]["rules"] = None
    data["gateway"] = None
    jsonschema.validate(data, schema)
    assert example.startswith("# yaml-language-server: $schema=hybrid.schema.json\n")


@pytest.mark.parametrize(
    "data",
    [
        {"hybird": {}},
        {"gateway": {"port": "80"}},
        {"gateway": {"port": 99_999}},
        {"routing": {"preference": "fst"}},
        {"routing": {"escalation": {"threshold": 1.5}}},
        {"routing": {"rules": [{"name": "a", "when": "b"}]}},
        {"routing": {"rules": [{"name": "a", "when": "b", "then": {}}]}},
        {"providers": {"ollama": {"models": [3]}}},
        {"providers": {"ollama": {"models": [{"context_length": 3}]}}},
        {"providers": {"ollama": {"models": [{"name": "a", "contxt": 3}]}}},
    ],
)
def test_the_schema_refuses_what_an_editor_can_know_is_wrong(data: Any) -> None:
    assert not accepts(data)
