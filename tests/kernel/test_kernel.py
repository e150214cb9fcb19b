"""When the compiled functions are used, and when not."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from tests.kernel.both import compiled_only

from turnout import kernel

SOURCE = Path(kernel.__file__).parent
PROMPT = "why does our naïve Lock 锁 deadlock? see app.py:\n```python\nx = {1, 2}\n```\nA. yes\nB. no"


def run(script: str, **environment: str) -> str:
    """What a fresh process prints."""
    clean = {name: value for name, value in os.environ.items() if name != "TURNOUT_PURE_PYTHON"}
    return subprocess.run(
        [sys.executable, "-c", script, PROMPT],
        env=clean | environment,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout.strip()


def can_compile() -> bool:
    compiler = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(compiler) is not None and (Path(sysconfig.get_path("include")) / "Python.h").exists()


@pytest.mark.skipif(not can_compile(), reason="no compiler here")
def test_the_extension_is_built_where_there_is_a_compiler() -> None:
    assert run("from turnout import kernel; print(kernel.COMPILED)") == "True", "run 'make setup' again"


def test_source_and_package_are_of_one_revision() -> None:
    source = (SOURCE / "_native.c").read_text(encoding="utf-8")
    assert re.findall(r"#define REVISION (\d+)", source) == [str(kernel.REVISION)]


def test_an_environment_variable_turns_it_off() -> None:
    script = "from turnout import kernel; print(kernel.COMPILED)"
    assert run(script, TURNOUT_PURE_PYTHON="1") == "False"


@compiled_only
@pytest.mark.parametrize("other", ["0", "del"])
def test_a_library_of_another_revision_is_not_used(other: str) -> None:
    change = "del native.REVISION" if other == "del" else "native.REVISION = 0"
    script = (
        "import importlib\nfrom turnout import kernel\nfrom turnout.kernel import _native as native\n"
        f"{change}\nprint(importlib.reload(kernel).COMPILED)"
    )
    assert run(script) == "False"


@compiled_only
def test_a_library_that_cannot_be_loaded_is_not_used() -> None:
    script = (
        "import sys\nsys.modules['turnout.kernel._native'] = None\nfrom turnout import kernel\n"
        "from turnout.features import extract\nassert extract(sys.argv[1])\nprint(kernel.COMPILED)"
    )
    assert run(script) == "False"


@compiled_only
def test_schema_and_features_are_the_same_with_and_without_it() -> None:
    script = (
        "import hashlib, sys\nfrom turnout.features import extract, schema_hash\nf = extract(sys.argv[1])\n"
        "raw = b''.join(part.tobytes() for part in (f.buckets, f.counts))\n"
        "print(schema_hash(), hashlib.sha256(raw).hexdigest(), f.vector.astype(float).round(5).tolist(), f.task.type)"
    )
    assert run(script) == run(script, TURNOUT_PURE_PYTHON="1")
