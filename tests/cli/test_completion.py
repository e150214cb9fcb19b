"""`turnout completion`: a script for each shell that knows the commands and their options."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Turnout = Callable[..., Any]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_script_knows_commands_and_options(turnout: Turnout, shell: str) -> None:
    ran = turnout("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert all(word in ran.out for word in ("ask", "chat", "feedback", "candidate", "quality", "watch"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not there")
@pytest.mark.parametrize(
    ("line", "offered"),
    [("turnout fe", "feedback"), ("turnout ask --qua", "--quality"), ("turnout feedback go", "good")],
)
def test_bash_completes_what_is_begun(turnout: Turnout, tmp_path: Path, line: str, offered: str) -> None:
    script = tmp_path / "turnout.bash"
    script.write_text(turnout("completion", "bash").out, encoding="utf-8")
    asking = f"""
        source {script}
        COMP_LINE={line!r} COMP_WORDS=({line}) COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))
        $(complete -p turnout | sed 's/.*-F \\([^ ]*\\).*/\\1/')
        echo "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", asking], capture_output=True, text=True, check=True, timeout=30)
    assert offered in done.stdout.split()


def test_json_holds_the_script(turnout: Turnout) -> None:
    result = json.loads(turnout("completion", "zsh", "--json").out)
    assert result["shell"] == "zsh" and result["script"].startswith("#compdef turnout")


def test_another_shell_is_refused_with_those_there_are(turnout: Turnout) -> None:
    ran = turnout("completion", "cmd")
    assert ran.code == 2 and "fish" in ran.err
