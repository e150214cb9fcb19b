"""Outcome tables that keep the contract: three formats, one result."""

from __future__ import annotations

import gzip
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import DataError, TooFewRowsError
from turnout.learning.outcomes import OutcomeTable, factorize, read_outcomes

FORMATS = (".parquet", ".csv", ".jsonl")

PROMPTS = (
    "sort the imports",
    "12345",
    "true",
    "NA",
    "null",
    "2024-05-01",
    'a "quoted", comma',
    "two\nlines\r\nand\ttab",
    "  padded  ",
    "日本語の変数名 🐛 e\u0301 \u2028 \u202e",
    "=1+1",
    "nan",
)


def rows(**columns: Any) -> list[dict[str, Any]]:
    """Every prompt answered by two models; a column is one value or one for each row."""
    made: list[dict[str, Any]] = []
    for number, prompt in enumerate(PROMPTS):
        made.extend(
            {"prompt_id": f"{number:03}", "prompt": prompt, "model": model, "score": (number % 4) / 4 + extra}
            for model, extra in (("007", 0.0), ("7", 0.125))
        )
    for name, values in columns.items():
        for position, row in enumerate(made):
            row[name] = values[position % len(values)] if isinstance(values, list) else values
    return made


def write(path: Path, table: Sequence[dict[str, Any]]) -> Path:
    frame = pd.DataFrame(table)
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path, index=False)
        case ".csv":
            frame.to_csv(path, index=False, lineterminator="\n")
        case ".jsonl":
            path.write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8")
    return path


def assert_equal(one: OutcomeTable, other: OutcomeTable) -> None:
    for name in ("prompts", "scores", "seconds", "cost_usd", "answer_tokens"):
        pd.testing.assert_frame_equal(getattr(one, name), getattr(other, name))
    assert one.fingerprint == other.fingerprint


# Three formats


MEASURED = ("score", "latency_s", "cost_usd", "completion_tokens")
FULL = {
    "dataset": ["mmlu.law", "mmlu.law", "01", "01", "1", "1"],
    "group": ["g1", "g1", "g2", "g2", "01", "01", "1", "1"],
    "latency_s": [0.5, 1.25, None],
    "cost_usd": [0.0, 0.0078125],
    "prompt_tokens": 10,
    "completion_tokens": 5,
}


@pytest.mark.parametrize("columns", [{}, FULL], ids=["required columns", "all columns"])
@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_every_format_gives_the_same_table(tmp_path: Path, suffix: str, columns: dict[str, Any]) -> None:
    table = rows(**columns)
    expected = read_outcomes([write(tmp_path / "t.parquet", table)])
    assert_equal(read_outcomes([write(tmp_path / f"t{suffix}", table)]), expected)
    assert expected.prompts["prompt"].tolist() == list(PROMPTS)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_table_holds_what_was_written(tmp_path: Path, suffix: str) -> None:
    table = read_outcomes([write(tmp_path / f"t{suffix}", rows(**FULL))])
    assert table.scores.columns.tolist() == ["007", "7"]
    assert table.scores.loc["003"].tolist() == [0.75, 0.875]
    assert table.seconds.loc["000"].tolist() == [0.5, 1.25]
    assert np.isnan(table.seconds.loc["001", "007"])
    assert table.cost_usd.loc["011", "7"] == 0.0078125
    assert (table.answer_tokens == 5).all(axis=None)
    assert table.prompts.loc["001", ["dataset", "group"]].tolist() == ["01", "g2"]
    assert len(table.fingerprint) == 16


@pytest.mark.parametrize("suffix", FORMATS)
def test_unknown_columns_change_nothing(tmp_path: Path, suffix: str) -> None:
    table = read_outcomes([write(tmp_path / f"a{suffix}", rows())])
    more = rows(answer="42", judge="gpt", source=["x", "y"], index=3)
    assert_equal(read_outcomes([write(tmp_path / f"b{suffix}", more)]), table)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_order_of_rows_changes_nothing(tmp_path: Path, suffix: str) -> None:
    table = read_outcomes([write(tmp_path / f"a{suffix}", rows(**FULL))])
    assert_equal(read_outcomes([write(tmp_path / f"b{suffix}", rows(**FULL)[::-1])]), table)


@pytest.mark.parametrize("suffix", FORMATS)
def test_several_files_are_read_as_one(tmp_path: Path, suffix: str) -> None:
    table = rows(**FULL)
    parts = [write(tmp_path / f"{number}{suffix}", table[number::2]) for number in range(2)]
    assert_equal(read_outcomes(parts), read_outcomes([write(tmp_path / f"all{suffix}", table)]))


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=30), min_size=1, max_size=5))
def test_any_prompt_survives_json_lines(prompts: list[str]) -> None:
    table = [
        {"prompt_id": str(number), "prompt": prompt, "model": "m", "score": 1} for number, prompt in enumerate(prompts)
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = write(Path(folder) / "t.jsonl", table)
        assert read_outcomes([path]).prompts["prompt"].tolist() == prompts


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_a_byte_order_mark_and_windows_line_ends_are_no_content(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"t{suffix}", [row for row in rows() if "\n" not in row["prompt"]])
    expected = read_outcomes([path])
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert_equal(read_outcomes([path]), expected)


def test_blank_lines_between_json_lines_are_skipped(tmp_path: Path) -> None:
    path = write(tmp_path / "t.jsonl", rows())
    expected = read_outcomes([path])
    path.write_text("\n\n" + path.read_text(encoding="utf-8").replace("\n", "\n \n") + "\n\n", encoding="utf-8")
    assert_equal(read_outcomes([path]), expected)


def test_compressed_tables_are_read(tmp_path: Path) -> None:
    for suffix in (".csv", ".jsonl"):
        path = write(tmp_path / f"t{suffix}", rows())
        packed = tmp_path / f"t{suffix}.gz"
        packed.write_bytes(gzip.compress(path.read_bytes()))
        assert_equal(read_outcomes([packed]), read_outcomes([path]))


def test_lone_surrogates_become_question_marks_in_every_text(tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    odd = {"prompt_id": "id\ud800", "prompt": "a \udfff b", "model": "m\ud800", "dataset": "d\ud800", "group": "\ud800"}
    path.write_text(json.dumps({**odd, "score": 1}), encoding="utf-8")
    table = read_outcomes([path])
    assert table.prompts.reset_index().loc[0].tolist() == ["id?", "a ? b", "d?", "?"]
    assert table.scores.columns.tolist() == ["m?"]


@pytest.mark.parametrize(
    ("column", "values"),
    [
        ("score", pd.array([1, 0] * 12, "Int64")),
        ("score", np.array([True, False] * 12)),
        ("score", np.array(["1", "0.0"] * 12)),
        ("score", np.array([1, 0] * 12, np.float16)),
    ],
    ids=["nullable integers", "booleans", "numbers as text", "half precision"],
)
def test_scores_of_any_numeric_kind_are_numbers(tmp_path: Path, column: str, values: Any) -> None:
    pd.DataFrame(rows()).assign(**{column: values}).to_parquet(tmp_path / "t.parquet")
    assert read_outcomes([tmp_path / "t.parquet"]).scores.loc["000"].tolist() == [1.0, 0.0]


def test_text_columns_of_categories_are_text(tmp_path: Path) -> None:
    table = rows(dataset=["a", "a", None, None], group=["g", "g", None, None, "h", "h"])
    kinds = dict.fromkeys(["prompt_id", "prompt", "model", "dataset", "group"], "category")
    pd.DataFrame(table).astype(kinds).to_parquet(tmp_path / "c.parquet")
    assert_equal(read_outcomes([tmp_path / "c.parquet"]), read_outcomes([write(tmp_path / "t.parquet", table)]))


def test_numeric_ids_are_text(tmp_path: Path) -> None:
    for suffix in (".parquet", ".jsonl"):
        numbers = [{**row, "prompt_id": int(row["prompt_id"]), "group": 3} for row in rows()]
        table = read_outcomes([write(tmp_path / f"t{suffix}", numbers)])
        assert set(table.prompts.index) == {str(number) for number in range(len(PROMPTS))}
        assert set(table.prompts["group"]) == {"3"}


# Rules where a table repeats itself or leaves something out


@pytest.mark.parametrize("suffix", FORMATS)
def test_several_rows_of_one_prompt_and_model_are_averaged(tmp_path: Path, suffix: str) -> None:
    twice = [
        {"prompt_id": "p", "prompt": "x", "model": "m", "score": score, "latency_s": seconds}
        for score, seconds in ((0.0, 1.0), (1.0, 3.0), (1.0, None), (0.0, None))
    ]
    table = read_outcomes([write(tmp_path / f"t{suffix}", twice)])
    assert table.scores.loc["p", "m"] == 0.5
    assert table.seconds.loc["p", "m"] == 2.0


def test_missing_combinations_are_unknown_not_failed(tmp_path: Path) -> None:
    table = read_outcomes([write(tmp_path / "t.parquet", rows()[:-1])])
    assert table.scores.isna().sum().tolist() == [0, 1]


def test_without_groups_equal_prompts_share_one(tmp_path: Path) -> None:
    prompts = ["Sort  the imports", "sort the\nIMPORTS ", "sort the imports!"]
    table = [{"prompt_id": str(at), "prompt": prompt, "model": "m", "score": 1} for at, prompt in enumerate(prompts)]
    group = read_outcomes([write(tmp_path / "t.jsonl", table)]).prompts["group"].tolist()
    assert group[0] == group[1] != group[2]


def test_a_missing_group_falls_back_to_the_prompt(tmp_path: Path) -> None:
    hashed = read_outcomes([write(tmp_path / "a.parquet", rows())]).prompts["group"]
    mixed = read_outcomes([write(tmp_path / "b.parquet", rows(group=["g", "g", None, None]))]).prompts["group"]
    assert mixed.tolist() == ["g" if at % 2 == 0 else hashed.iloc[at] for at in range(len(PROMPTS))]


def test_a_missing_dataset_is_nameless(tmp_path: Path) -> None:
    assert set(read_outcomes([write(tmp_path / "t.parquet", rows())]).prompts["dataset"]) == {""}


@pytest.mark.parametrize(
    ("prefixes", "expected"),
    [(["mmlu"], {"mmlu.law", "mmlu.math"}), (["mmlu.l", "gsm"], {"mmlu.law", "gsm8k"}), ([], None), (["MMLU"], set())],
)
def test_datasets_are_chosen_by_prefix(tmp_path: Path, prefixes: list[str], expected: set[str] | None) -> None:
    names = ["mmlu.law", "mmlu.math", "gsm8k"]
    path = write(tmp_path / "t.parquet", rows(dataset=[name for name in names for _ in range(2)]))
    if expected == set():
        with pytest.raises(TooFewRowsError, match="MMLU"):
            read_outcomes([path], prefixes)
        return
    assert set(read_outcomes([path], prefixes).prompts["dataset"]) == (set(names) if expected is None else expected)


@pytest.mark.parametrize("column", ["prompt", "dataset", "group", *MEASURED, "model"])
def test_the_fingerprint_changes_with_every_part(tmp_path: Path, column: str) -> None:
    table = rows(**FULL)
    before = read_outcomes([write(tmp_path / "a.parquet", table)]).fingerprint
    for row in table[:2] if column == "prompt" else [row for row in table if row["model"] == "7"]:
        row[column] = 0.25 if column in MEASURED else f"other {column}"
    for row in table:
        row["group"] = "one group for all" if column == "group" else row["group"]
        row["dataset"] = "one dataset for all" if column == "dataset" else row["dataset"]
    assert read_outcomes([write(tmp_path / "b.parquet", table)]).fingerprint != before


# Choosing candidates


def table_of(**columns: list[float]) -> list[dict[str, Any]]:
    """Three models; `columns` give each its score, seconds or cost."""
    return [
        {
            "prompt_id": str(prompt),
            "prompt": f"do {prompt}",
            "model": model,
            "score": float(prompt == 2),
            **{name: values[at] for name, values in columns.items()},
        }
        for prompt in range(3)
        for at, model in enumerate("abc")
    ]


@pytest.mark.parametrize(
    ("columns", "order"),
    [
        ({"cost_usd": [3, 1, 2], "latency_s": [1, 2, 3], "score": [0.1, 0.2, 0.3]}, "bca"),
        ({"cost_usd": [0, 0, 0], "latency_s": [2, 1, 3], "score": [0.1, 0.2, 0.3]}, "bac"),
        ({"cost_usd": [None, 1, 2], "latency_s": [3, 2, 1], "score": [0.1, 0.2, 0.3]}, "cba"),
        ({"latency_s": [None, None, None], "score": [0.3, 0.1, 0.2]}, "bca"),
        ({"score": [0.5, 0.5, 0.5]}, "abc"),
    ],
    ids=["by cost", "all free: by seconds", "a cost unknown: by seconds", "nothing measured: by score", "all alike"],
)
def test_candidates_run_from_the_cheapest(tmp_path: Path, columns: dict[str, list[float]], order: str) -> None:
    table = read_outcomes([write(tmp_path / "t.parquet", table_of(**columns))])
    assert table.cheapest_first() == tuple(order)


def test_selecting_drops_only_prompts_without_any_score(tmp_path: Path) -> None:
    table = [row for row in table_of() if not (row["prompt_id"] == "1" and row["model"] in "ab")]
    read = read_outcomes([write(tmp_path / "t.parquet", table)])
    chosen = read.select(["b", "a"])
    assert chosen.prompts.index.tolist() == ["0", "2"]
    assert chosen.scores.columns.tolist() == ["a", "b", "c"], "other models stay, they take noise out of the targets"
    assert chosen.fingerprint == read.fingerprint
    assert read.select(["c", "a"]).prompts.index.tolist() == ["0", "1", "2"]


@pytest.mark.parametrize(
    ("candidates", "kind", "message"),
    [
        (["a", "nobody"], DataError, "nobody.*the table has: a, b, c"),
        (["a", "a"], DataError, "twice"),
        (["a"], TooFewRowsError, "at least two candidates"),
        ([], TooFewRowsError, "two candidates"),
    ],
)
def test_a_useless_choice_of_candidates_is_explained(
    tmp_path: Path, candidates: list[str], kind: type[Exception], message: str
) -> None:
    table = read_outcomes([write(tmp_path / "t.parquet", table_of())])
    with pytest.raises(kind, match=message):
        table.select(candidates)


def test_scores_that_are_all_the_same_teach_nothing(tmp_path: Path) -> None:
    table = read_outcomes([write(tmp_path / "t.parquet", table_of(score=[1, 1, 0.5]))])
    with pytest.raises(DataError, match="every value is 1"):
        table.select(["a", "b"])
    assert len(table.select(["a", "c"]).prompts) == 3


def test_rows_are_taken_by_position(tmp_path: Path) -> None:
    table = read_outcomes([write(tmp_path / "t.parquet", table_of(latency_s=[1, 2, 3]))])
    taken = table.take(np.array([2, 0]))
    for frame in (taken.prompts, taken.scores, taken.seconds, taken.cost_usd):
        assert frame.index.tolist() == ["2", "0"]


def test_labels_become_numbers_that_are_equal_where_the_labels_are() -> None:
    assert factorize(pd.Series(["b", "a", "b", "c"])).tolist() == [0, 1, 0, 2]
