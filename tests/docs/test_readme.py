"""What the README shows works: its commands run, its Python runs, its links lead somewhere."""

from __future__ import annotations

import ast
import re
import shlex
import shutil
from pathlib import Path

import pandas as pd
import pytest

from turnout.cli.main import main

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.split("#")[0].strip()
    for block in re.findall(r"```console\n(.*?)```", README, re.S)
    for line in re.findall(r"^\$ (.*)$", block, re.M)
]


NEED_A_PROVIDER = {"ask", "chat", "feedback", "serve", "status"}
"""Run against an emulator by the test of the page about the command line."""

NEED_AN_ENGINE = {"lab"}
"""Run by the tests of that command, as it has no end of its own."""

NEED_A_HISTORY = {"retrain", "rollback"}
"""Run on histories by the tests of those jobs."""


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory with the files that the README's examples name."""
    folder = tmp_path_factory.mktemp("readme")
    table = pd.read_parquet(ROOT / "data" / "history.parquet")
    names = {"lmstudio/qwen2.5-coder-7b": "small", "ollama/llama-3.3-70b": "large"}
    table = table[table["model"].isin(names)].assign(model=table["model"].map(names))
    few = table["prompt_id"].drop_duplicates().sample(300, random_state=0)
    table[table["prompt_id"].isin(few)].to_parquet(folder / "mine.parquet")
    shutil.copytree(ROOT / "config", folder / "config")
    # The table above calls its models small and large; a newcomer's champion knows candidates of LM Studio and Ollama.
    example = folder / "config" / "hybrid.yaml"
    example.write_text(example.read_text(encoding="utf-8").replace("models: []", "models: [small]"), encoding="utf-8")
    (folder / "prompts.jsonl").write_text('{"id": 1, "prompt": "rename x to y"}\n', encoding="utf-8")
    return folder


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore")
def test_the_commands_and_the_python_of_the_readme_run(
    workplace: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(workplace)
    monkeypatch.delenv("TURNOUT_MODELS", raising=False)
    every = [shlex.split(command)[1:] for command in COMMANDS if command.startswith(".venv/bin/turnout")]
    turnout = [words for words in every if words[0] not in NEED_A_PROVIDER | NEED_AN_ENGINE | NEED_A_HISTORY]
    # Training comes after routing on the page, because a newcomer has a champion from `make train`.
    turnout.sort(key=lambda words: ["config", "evaluate", "train", "promote", "route"].index(words[0]))

    for words in turnout:
        if words[0] == "promote":
            words = ["promote", "1"]
        assert main(words) == 0, words

    routes, answers = re.findall(r"```python\n(.*?)```", README, re.S)
    exec(compile(routes, "README.md", "exec"), {})
    compile(answers, "README.md", "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)  # run on the page about the client
    assert "→" in capsys.readouterr().out


def test_every_make_target_of_the_readme_exists() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for command in COMMANDS:
        if command.startswith("make "):
            target = command.split()[1]
            assert re.search(rf"^{re.escape(target)}:", makefile, re.M), target


@pytest.mark.parametrize(
    "page",
    [
        "README.md",
        "CONTRIBUTING.md",
        "data/README.md",
        "models/README.md",
        "docs/decisions.md",
        "docs/providers.md",
        "docs/configuration.md",
        "docs/learning.md",
        "docs/laboratory.md",
        "docs/evidence.md",
        "models/lab/README.md",
    ],
)
def test_links_between_pages_lead_somewhere(page: str) -> None:
    text = (ROOT / page).read_text(encoding="utf-8")
    for target in re.findall(r"\]\((?!http|#)([^)#]+)", text):
        assert (ROOT / page).parent.joinpath(target).exists(), target
