"""Tables of any kind in, one parquet file by the contract out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from turnout_pipelines import importing

from turnout.errors import DataError
from turnout.learning.outcomes import read_outcomes


def rows(n: int = 6, **columns: Any) -> list[dict[str, Any]]:
    return [
        {
            "prompt_id": f"p{at}",
            "prompt": f"prüfe {at}",
            "model": model,
            "score": (at % 3) / 2,
            "dataset": f"set-{at % 2}",
            "group": f"g{at // 2}",
            "latency_s": 1.5 * (1 + cost),
            "cost_usd": cost,
        }
        | columns
        for at in range(n)
        for model, cost in (("big", 0.5), ("small", 0.0))
    ]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    path.write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8")
    return path


def test_what_is_written_reads_as_what_was_read(tmp_path: Path) -> None:
    source = write(tmp_path / "t.jsonl", rows())
    result = importing.run(outcomes=[source], output=tmp_path / "new" / "out.parquet")
    before, after = read_outcomes([source]), read_outcomes([tmp_path / "new" / "out.parquet"])
    for name in ("prompts", "scores", "seconds", "cost_usd"):
        pd.testing.assert_frame_equal(getattr(after, name), getattr(before, name))
    assert result == {
        "output": str(tmp_path / "new" / "out.parquet"),
        "rows": 12,
        "prompts": 6,
        "models": ["small", "big"],
        "data_fingerprint": before.fingerprint,
    }
    assert after.fingerprint == before.fingerprint


def test_the_file_keeps_the_contract(tmp_path: Path) -> None:
    importing.run(outcomes=[write(tmp_path / "t.jsonl", rows(judge="someone"))], output=tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert set(table.columns) >= {"prompt_id", "prompt", "model", "score", "dataset", "group", "latency_s", "cost_usd"}
    assert "judge" not in table.columns
    assert not table.duplicated(["prompt_id", "model"]).any()
    assert table["score"].between(0, 1).all()


def test_several_files_and_repeated_rows_become_one_table(tmp_path: Path) -> None:
    passed = write(tmp_path / "a.jsonl", rows(score=1.0))
    failed = tmp_path / "b.csv"
    pd.DataFrame(rows(score=0.0)).to_csv(failed, index=False)
    assert importing.run(outcomes=[passed, failed], output=tmp_path / "out.parquet")["rows"] == 12
    assert set(pd.read_parquet(tmp_path / "out.parquet")["score"]) == {0.5}


def test_only_the_datasets_asked_for_are_kept(tmp_path: Path) -> None:
    source = write(tmp_path / "t.jsonl", rows())
    assert importing.run(outcomes=[source], output=tmp_path / "out.parquet", datasets=["set-1"])["prompts"] == 3
    assert set(pd.read_parquet(tmp_path / "out.parquet")["dataset"]) == {"set-1"}


def test_unmeasured_columns_and_missing_answers_are_left_out(tmp_path: Path) -> None:
    plain = [{key: row[key] for key in ("prompt_id", "prompt", "model", "score")} for row in rows()][:-1]
    result = importing.run(outcomes=[write(tmp_path / "t.jsonl", plain)], output=tmp_path / "out.parquet")
    table = pd.read_parquet(tmp_path / "out.parquet")
    assert result["rows"] == len(table) == 11
    assert not {"latency_s", "cost_usd"} & set(table.columns)


def test_a_broken_table_writes_nothing(tmp_path: Path) -> None:
    source = write(tmp_path / "t.jsonl", rows(score=2))
    with pytest.raises(DataError, match="row 1"):
        importing.run(outcomes=[source], output=tmp_path / "out.parquet")
    assert list(tmp_path.iterdir()) == [source]


def test_lone_surrogates_do_not_stop_an_import(tmp_path: Path) -> None:
    source = write(tmp_path / "t.jsonl", rows(prompt="half a pair \ud800", group="\udfff"))
    importing.run(outcomes=[source], output=tmp_path / "out.parquet")
    assert set(pd.read_parquet(tmp_path / "out.parquet")["prompt"]) == {"half a pair ?"}
