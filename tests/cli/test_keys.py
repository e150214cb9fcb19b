"""`turnout keys`: a key is shown once, its digest kept; hostile names and files are refused in a sentence."""

from __future__ import annotations

import json
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from turnout.config.gateway import GatewayLimits
from turnout.gateway.keys import Keyring, read_keys

Turnout = Callable[..., Any]


@pytest.fixture
def file(state: Path) -> Path:
    """Where the keys are unless it is said otherwise."""
    return state / "keys.json"


def test_a_key_is_printed_once_and_lets_in(turnout: Turnout, file: Path) -> None:
    ran = turnout("keys", "add", "ada")
    key = ran.out.strip()
    assert ran.code == 0 and ran.out == f"{key}\n" and key.startswith("tk-")
    assert key not in ran.err and "ada" in ran.err
    with Keyring(file, GatewayLimits()).admitted(key) as caller:
        assert caller == "ada"
    listed = turnout("keys", "list")
    assert "ada" in listed.out and key not in listed.out + listed.err + file.read_text()


def test_only_its_owner_may_read_the_file(turnout: Turnout, file: Path) -> None:
    turnout("keys", "add", "ada")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_limits_are_kept_and_listed(turnout: Turnout, file: Path) -> None:
    assert turnout("keys", "add", "ada", "--rpm", "60", "--concurrent", "4").code == 0
    (kept,) = read_keys(file)
    assert (kept.requests_per_minute, kept.max_concurrent) == (60, 4)
    listed = turnout("keys", "list").out
    assert "60 a minute" in listed and "4 at once" in listed


def test_json_is_one_object(turnout: Turnout, file: Path) -> None:
    added = json.loads(turnout("keys", "add", "ada", "--json").out)
    assert added.keys() == {"name", "key", "file"} and added["file"].endswith("keys.json")
    listed = json.loads(turnout("keys", "list", "--json").out)
    assert [key["name"] for key in listed["keys"]] == ["ada"]
    assert "sha256" not in str(listed) and added["key"] not in str(listed)
    assert json.loads(turnout("keys", "remove", "ada", "--json").out)["name"] == "ada"
    assert json.loads(turnout("keys", "list", "--json").out)["keys"] == []


def test_a_key_that_is_removed_is_refused_from_then_on(turnout: Turnout, file: Path) -> None:
    for name in ("ada", "grace"):
        turnout("keys", "add", name)
    ran = turnout("keys", "remove", "ada")
    assert (ran.code, ran.out) == (0, "removed the key of ada\n")
    assert [key.name for key in read_keys(file)] == ["grace"]


def test_the_file_can_be_named_or_configured(turnout: Turnout, state: Path, tmp_path: Path) -> None:
    assert turnout("keys", "add", "ada", "--file", tmp_path / "deep" / "mine.json").code == 0
    configuration = tmp_path / "hybrid.yaml"
    configuration.write_text(
        f"providers: {{ollama: {{base_url: 'http://127.0.0.1:9'}}}}\ngateway: {{keys_file: '{tmp_path / 'theirs.json'}'}}\n"
    )
    assert turnout("keys", "add", "grace", "--config", configuration).code == 0
    assert [key.name for key in read_keys(tmp_path / "deep" / "mine.json")] == ["ada"]
    assert [key.name for key in read_keys(tmp_path / "theirs.json")] == ["grace"]
    assert not state.exists()


@pytest.mark.parametrize(
    "name", ["", " ", "a b", "a/b", "../ada", "a\nb", "a\x00", "x" * 65, "ünï", "a\x1b[31m", "a,b", "a:b", "\udcff"]
)
def test_a_name_of_no_use_is_refused(turnout: Turnout, file: Path, name: str) -> None:
    ran = turnout("keys", "add", name)
    assert (ran.code, ran.out) == (1, "") and "letters, digits" in ran.err
    assert not file.exists()


@pytest.mark.parametrize("limit", ["0", "-1", "1.5", "many", "nan", "1" * 30, ""])
@pytest.mark.parametrize("option", ["--rpm", "--concurrent"])
def test_a_limit_of_no_use_is_refused(turnout: Turnout, file: Path, option: str, limit: str) -> None:
    ran = turnout("keys", "add", "ada", option, limit)
    assert ran.code in (1, 2) and ran.out == "" and not file.exists()


def test_a_name_is_given_once(turnout: Turnout, file: Path) -> None:
    turnout("keys", "add", "ada")
    before = file.read_bytes()
    ran = turnout("keys", "add", "ada")
    assert (ran.code, ran.out) == (1, "") and "remove it first" in ran.err
    assert file.read_bytes() == before


def test_what_is_not_there_cannot_be_removed(turnout: Turnout, file: Path) -> None:
    ran = turnout("keys", "remove", "nobody\x1b[31m")
    assert ran.code == 1 and "has no key" in ran.err and "\x1b" not in ran.err
    assert not file.exists()


@pytest.mark.parametrize(
    "content", [b"", b"{}", b"[]", b'{"keys": 1}', b'{"keys": [{}]}', b"\xff" * 100, b"[" * 100_000]
)
@pytest.mark.parametrize("action", [("add", "ada"), ("list",), ("remove", "ada")])
def test_a_file_that_is_none_is_left_alone(
    turnout: Turnout, file: Path, action: tuple[str, ...], content: bytes
) -> None:
    file.parent.mkdir()
    file.write_bytes(content)
    ran = turnout("keys", *action)
    assert ran.code == 1 and "no file of keys" in ran.err and ran.out == ""
    assert file.read_bytes() == content


def test_a_folder_that_cannot_be_written_is_told(turnout: Turnout, unwritable: Path) -> None:
    ran = turnout("keys", "add", "ada")
    assert ran.code == 1 and "cannot be written" in ran.err and ran.out == ""


def test_without_keys_the_list_is_empty(turnout: Turnout, file: Path) -> None:
    ran = turnout("keys", "list")
    assert (ran.code, ran.out) == (0, "") and "no key" in ran.err


@pytest.mark.parametrize("arguments", [(), ("forget",), ("add",), ("remove",)])
def test_wrong_usage_is_two(turnout: Turnout, arguments: tuple[str, ...]) -> None:
    assert turnout("keys", *arguments).code == 2
