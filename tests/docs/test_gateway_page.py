"""The page on the gateway is true: its commands run, its tables name what there is."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.gateway.plain import ask
from tests.gateway.world import World, opened

from turnout.cli.main import build_parser, main
from turnout.gateway.wanted import _NAMED

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "gateway.md").read_text(encoding="utf-8")
BLOCKS = "\n".join(re.findall(r"```console\n(.*?)```", PAGE, re.S))
EXAMPLES = [shlex.split(example) for example in re.findall(r"^\$ (.*)$", BLOCKS, re.M)]
ADDRESS = "http://127.0.0.1:8787"


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with opened(tmp_path_factory.mktemp("page")) as world:
        yield world


def test_every_example_is_one_that_is_tested_here() -> None:
    assert {words[0] for words in EXAMPLES} == {"turnout", "curl"}
    assert {words[1] for words in EXAMPLES if words[0] == "turnout"} == {"serve", "config"}


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
@pytest.mark.parametrize("words", [words for words in EXAMPLES if words[0] == "curl"], ids=" ".join)
def test_what_is_asked_with_curl_is_answered(gateway: World, words: list[str]) -> None:
    command = [word.replace(ADDRESS, gateway.url) for word in words]
    told = subprocess.run([*command, "--fail"], capture_output=True, text=True, timeout=60, check=True)
    assert told.stdout


@pytest.mark.parametrize("words", [words for words in EXAMPLES if words[:2] == ["turnout", "serve"]], ids=" ".join)
def test_how_it_is_started_is_understood(words: list[str]) -> None:
    options = build_parser().parse_args(words[1:])
    assert options.command == "serve" and (options.config is None or (ROOT / options.config).is_file())


@pytest.mark.parametrize("words", [words for words in EXAMPLES if words[:2] == ["turnout", "config"]], ids=" ".join)
def test_what_is_checked_is_valid(words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert main(words[1:]) == 0


def test_every_path_of_the_page_is_there(gateway: World) -> None:
    (_, dialects) = PAGE.split("## Dialects", 1)
    paths = re.findall(r"`(/[a-z0-9/_]*)`", dialects.split("##")[0])
    assert len(paths) > 20
    assert {path for path in paths if ask(f"{gateway.url}{path}").status == 404} == set()


def test_the_page_names_every_header_that_is_understood() -> None:
    assert set(re.findall(r"`x-turnout-([a-z]+)`", PAGE)) - {"decision", "reason", "warning"} == _NAMED


def test_the_page_names_every_code_of_an_error() -> None:
    (_, errors) = PAGE.split("## Errors", 1)
    told = set(
        re.findall(r"`([a-z_]+)`", "".join(re.findall(r"^\| \d+ \| (.*?) \|", errors.split("## What")[0], re.M)))
    )
    sources = " ".join(path.read_text(encoding="utf-8") for path in (ROOT / "src/turnout/gateway").rglob("*.py"))
    known = set(re.findall(r"\b[45]\d\d, \"([a-z_]+)\"", sources))
    assert known - told == set(), "say on the page what it means"
    assert {code for code in told if f'"{code}"' not in sources} == set()


def test_the_page_names_every_metric(gateway: World) -> None:
    (_, metrics) = PAGE.split("## Metrics", 1)
    told = set(re.findall(r"`(turnout_[a-z_]+)`", metrics.split("## Traces")[0]))
    text = ask(f"{gateway.url}/metrics").text
    there = set(re.findall(r"^# TYPE (\S+)", text, re.M))
    elsewhere = {
        *(f"turnout_vram_{which}_bytes" for which in ("total", "free")),
        *(f"turnout_predictor_{what}" for what in ("info", "problem")),
        *(f"turnout_challenger_{what}" for what in ("info", "agreement_ratio")),
        *(f"turnout_drift_{what}" for what in ("alarms", "checked_timestamp_seconds")),
    }
    assert there - told == set()
    assert told - there - elsewhere == set()


def test_links_of_the_page_lead_somewhere() -> None:
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", PAGE):
        assert (ROOT / "docs" / target).exists(), target
    for path in re.findall(r"`(packaging/[A-Za-z.]+)`", PAGE):
        assert (ROOT / path).exists() or path in ("packaging/.env", "packaging/keys.json"), path
