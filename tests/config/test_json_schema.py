"""The exported schema: editors complete and check with it, so the file beside the example is the current one."""

from __future__ import annotations

import json
from pathlib import Path

from turnout.config.json_schema import json_schema


def test_the_schema_beside_the_example_is_the_current_one() -> None:
    beside = Path(__file__).parents[2] / "config" / "hybrid.schema.json"
    assert json.loads(beside.read_text(encoding="utf-8")) == json_schema()
