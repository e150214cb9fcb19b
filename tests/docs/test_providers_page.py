"""What the page on providers shows works: its Python runs against an emulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.emulators.ollama import make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "providers.md"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_example_asks_a_candidate_and_prints_its_answer() -> None:
    import anyio

    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    async with serving(make(EmulatorOptions())) as url:
        script = code.replace("http://127.0.0.1:11434", url)
        done = await anyio.run_process([sys.executable, "-c", script], stderr=subprocess.STDOUT, check=False)
    told = done.stdout.decode()
    assert done.returncode == 0, told
    assert "stop Usage(prompt_tokens=" in told
    assert "CandidateState(candidate='ollama/llama3.1:8b'" in told
