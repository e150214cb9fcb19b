"""What the page on the hybrid client shows works: its Python runs against an emulator."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from turnout.emulators.ollama import make
from turnout.emulators.server import EmulatorOptions, serving

pytestmark = pytest.mark.anyio
PAGE = Path(__file__).parents[2] / "docs" / "client.md"


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def test_the_example_answers_streams_and_takes_feedback(tmp_path: Path) -> None:
    import anyio

    (code,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.S)
    async with serving(make(EmulatorOptions())) as url:
        (tmp_path / "config").mkdir()
        (tmp_path / "config" / "hybrid.yaml").write_text(
            f"providers: {{ollama: {{base_url: '{url}', models: [{{name: 'llama3.1:8b', memory_mb: 100}}]}}}}"
        )
        done = await anyio.run_process(
            [sys.executable, "-c", code], cwd=tmp_path, stderr=subprocess.STDOUT, check=False
        )
    told = done.stdout.decode()
    assert done.returncode == 0, told
    assert "ollama/llama3.1:8b" in told and "Traceback" not in told
