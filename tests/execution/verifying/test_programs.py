"""Programs judge by their exit code, and none of them can hurt, whatever it does."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from pathlib import Path

import psutil
import pytest

from turnout.execution.verifying.programs import NoVerdictError, environment, material, run_program

GIVEN = material("rename x", "def y", "local/small", "edit")


def python(code: str) -> tuple[str, ...]:
    """A program in isolated mode, which starts fastest."""
    return (sys.executable, "-IS", "-c", code)


def run(command: tuple[str, ...], given: bytes = GIVEN, timeout_s: float = 30.0) -> bool:
    return asyncio.run(run_program(command, given, timeout_s))


def test_the_exit_code_is_the_verdict() -> None:
    assert run(python("raise SystemExit(0)")) is True
    assert run(python("raise SystemExit(1)")) is False


@pytest.mark.parametrize("code", ["raise SystemExit(3)", "import os; os.abort()", "import os; os.kill(os.getpid(), 9)"])
def test_any_other_end_is_no_verdict(code: str) -> None:
    with pytest.raises(NoVerdictError, match=r"exited with -?\d+"):
        run(python(code))


def test_it_reads_the_prompt_and_the_answer(tmp_path: Path) -> None:
    target = tmp_path / "seen.json"
    assert run(python(f"import sys; open({str(target)!r}, 'w').write(sys.stdin.read())"))
    assert json.loads(target.read_text()) == {
        "prompt": "rename x",
        "answer": "def y",
        "candidate": "local/small",
        "task": "edit",
    }


def test_a_program_that_is_not_there_is_no_verdict(tmp_path: Path) -> None:
    with pytest.raises(NoVerdictError, match="cannot be started"):
        run((str(tmp_path / "nothing"),))
    with pytest.raises(NoVerdictError, match="cannot be started"):
        run((str(tmp_path),))


def test_nothing_goes_through_a_shell(tmp_path: Path) -> None:
    target = tmp_path / "made"
    assert run((*python("raise SystemExit(0)"), f"; touch {target}", f"$(touch {target})"))
    assert not target.exists()


def test_one_that_hangs_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    note = tmp_path / "child"
    fork = f"import os, time\nchild = os.fork()\nif child: open({str(note)!r}, 'w').write(str(child))\ntime.sleep(600)"
    begun = time.monotonic()
    with pytest.raises(NoVerdictError, match="took longer than 3 s"):
        run(python(fork), timeout_s=3.0)
    assert time.monotonic() - begun < 30
    assert is_gone(int(note.read_text()))


def test_what_outlives_its_program_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "child"
    fork = (
        f"import os, time\nchild = os.fork()\n"
        f"if child: open({str(note)!r}, 'w').write(str(child)); os._exit(0)\n"
        "time.sleep(600)"
    )
    assert run(python(fork)) is True
    assert is_gone(int(note.read_text()))


def is_gone(process: int) -> bool:
    """Whether a process ended, or waits only to be buried by a parent that is not ours."""
    for _ in range(200):
        if not psutil.pid_exists(process) or psutil.Process(process).status() == psutil.STATUS_ZOMBIE:
            return True
        time.sleep(0.02)
    return False


def test_megabytes_of_output_and_of_input_that_nobody_reads_are_no_trouble() -> None:
    flood = "import sys\nfor _ in range(40): sys.stdout.write('x' * 1_000_000); sys.stderr.write('y' * 1_000_000)"
    assert run(python(flood), material("p" * 5_000_000, "a", "c", "t")) is True


def test_one_that_is_given_up_is_killed(tmp_path: Path) -> None:
    note = tmp_path / "own"

    async def give_up() -> None:
        code = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
        task = asyncio.create_task(run_program(python(code), GIVEN, 600.0))
        while not note.exists() or not note.read_text():
            await asyncio.sleep(0.02)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(give_up())
    assert is_gone(int(note.read_text()))


def test_no_secret_of_the_environment_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLOUD_API_KEY", "sk-secret")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")
    assert run(python("import os, sys; sys.exit('CLOUD_API_KEY' in os.environ or 'LC_ALL' not in os.environ)"))
    assert environment({"PATH": "p", "GITHUB_TOKEN": "t", "LC_TIME": "de"}) == {"PATH": "p", "LC_TIME": "de"}
    assert "CLOUD_API_KEY" in os.environ


def test_half_a_surrogate_pair_can_be_handed_over() -> None:
    assert json.loads(material("\ud800", "\0", "c", "t"))["answer"] == "\0"
