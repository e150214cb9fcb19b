"""Outcome tables that break the contract: one kind of error, with the file, the column and the row."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import DataError, TooFewRowsError
from turnout.learning.outcomes import REQUIRED, read_outcomes

FORMATS = (".parquet", ".csv", ".jsonl")
NAN, INFINITY = float("nan"), float("inf")


def rows(n: int = 4) -> list[dict[str, Any]]:
    return [
        {"prompt_id": f"p{at}", "prompt": f"do {at}", "model": "m", "score": 0.5, "latency_s": 1.0, "cost_usd": 0.1}
        for at in range(n)
    ]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    frame = pd.DataFrame(table, dtype=object) if path.suffix == ".csv" else pd.DataFrame(table)
    match path.suffix:
        case ".parquet":
            frame.to_parquet(path, index=False)
        case ".csv":
            frame.to_csv(path, index=False, na_rep="nan")
        case ".jsonl":
            path.write_text("\n".join(json.dumps(row) for row in table), encoding="utf-8")
    return path


def complaint(path: Path, kind: type[DataError] = DataError) -> str:
    """What reading says; it always names the file."""
    with pytest.raises(kind) as caught:
        read_outcomes([path])
    assert str(path) in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", REQUIRED)
def test_a_missing_column_is_named(tmp_path: Path, suffix: str, column: str) -> None:
    table = [{key: value for key, value in row.items() if key != column} for row in rows()]
    said = complaint(write(tmp_path / f"t{suffix}", table))
    assert f"column '{column}' is missing" in said
    assert "latency_s" in said, "what it has instead helps to find a misspelt name"


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("score", [NAN, INFINITY, -INFINITY, -0.01, 1.01, 5, -3], ids=str)
def test_a_score_outside_its_range_is_named_with_its_row(tmp_path: Path, suffix: str, score: float) -> None:
    table = rows()
    table[2]["score"] = score
    assert "column 'score', row 3: " in complaint(write(tmp_path / f"t{suffix}", table))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
@pytest.mark.parametrize("score", ["good", "1,5", "0x1", "", " "])
def test_a_score_that_is_text_is_named_with_its_row(tmp_path: Path, suffix: str, score: str) -> None:
    table = rows()
    table[1]["score"] = score
    assert "column 'score', row 2: " in complaint(write(tmp_path / f"t{suffix}", table))


@pytest.mark.parametrize("score", [None, [0.5], {"value": 1}, 10**400, [[]]], ids=lambda score: type(score).__name__)
def test_a_score_that_is_no_number_is_named_with_its_row(tmp_path: Path, score: object) -> None:
    table = rows()
    table[3]["score"] = score
    assert "column 'score', row 4: " in complaint(write(tmp_path / "t.jsonl", table))


def test_the_message_shows_the_value_as_a_person_writes_it(tmp_path: Path) -> None:
    table = rows()
    table[0]["score"] = NAN
    assert complaint(write(tmp_path / "t.parquet", table)).endswith("row 1: nan is not a finite number")


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", ["latency_s", "cost_usd"])
@pytest.mark.parametrize("value", [-1.0, INFINITY], ids=str)
def test_an_impossible_measurement_is_named_with_its_row(
    tmp_path: Path, suffix: str, column: str, value: float
) -> None:
    table = rows()
    table[1][column] = value
    assert f"column '{column}', row 2: " in complaint(write(tmp_path / f"t{suffix}", table))


@pytest.mark.parametrize("column", ["latency_s", "cost_usd"])
def test_a_measurement_that_is_text_is_named_with_its_row(tmp_path: Path, column: str) -> None:
    table = rows()
    table[2][column] = "fast"
    assert f"column '{column}', row 3: 'fast' is not a finite number" in complaint(write(tmp_path / "t.jsonl", table))


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("column", ["prompt_id", "model"])
@pytest.mark.parametrize("value", ["", "  ", "\t"], ids=repr)
def test_an_empty_id_or_model_is_named_with_its_row(tmp_path: Path, suffix: str, column: str, value: str) -> None:
    table = rows()
    table[2][column] = value
    assert f"column '{column}', row 3: the value is " in complaint(write(tmp_path / f"t{suffix}", table))


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
@pytest.mark.parametrize("column", ["prompt_id", "model", "prompt"])
def test_a_missing_id_model_or_prompt_is_named_with_its_row(tmp_path: Path, suffix: str, column: str) -> None:
    table = rows()
    table[3][column] = None
    assert f"column '{column}', row 4: the value is missing" in complaint(write(tmp_path / f"t{suffix}", table))


@pytest.mark.parametrize("prompt", [5, 0.5, True, ["a"], {"role": "user"}], ids=lambda prompt: type(prompt).__name__)
def test_a_prompt_that_is_not_text_is_named_with_its_row(tmp_path: Path, prompt: object) -> None:
    table = rows()
    table[1]["prompt"] = prompt
    assert "column 'prompt', row 2: " in complaint(write(tmp_path / "t.jsonl", table))


def test_a_prompt_of_bytes_is_not_text(tmp_path: Path) -> None:
    table = [{**row, "prompt": b"\xff\x00"} for row in rows()]
    assert "column 'prompt', row 1: " in complaint(write(tmp_path / "t.parquet", table))


@pytest.mark.parametrize("suffix", FORMATS)
def test_one_id_with_two_prompts_is_named(tmp_path: Path, suffix: str) -> None:
    table = rows()
    table[3]["prompt_id"] = "p1"
    said = complaint(write(tmp_path / f"t{suffix}", table))
    assert "column 'prompt_id': 'p1' stands for two different prompts" in said


def test_one_id_with_two_prompts_in_two_files_names_both_files(tmp_path: Path) -> None:
    other = [{**row, "prompt": "something else"} for row in rows()]
    paths = [write(tmp_path / "a.csv", rows()), write(tmp_path / "b.jsonl", other)]
    with pytest.raises(DataError, match=r"a\.csv.*b\.jsonl.*two different prompts"):
        read_outcomes(paths)


@pytest.mark.parametrize("suffix", FORMATS)
def test_an_empty_table_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"t{suffix}"
    pd.DataFrame(rows()).iloc[:0].to_parquet(path) if suffix == ".parquet" else None
    if suffix == ".csv":
        path.write_text(",".join(REQUIRED) + "\n")
    elif suffix == ".jsonl":
        path.write_text("\n\n")
    complaint(path, DataError if suffix == ".jsonl" else TooFewRowsError)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize(
    "content",
    [b"", b"\x00" * 64, bytes(range(256)) * 8, b"\xff\xfeh\x00i\x00", b"PAR1" + b"\x01" * 60 + b"PAR1", b"[1, 2]\n"],
    ids=["nothing", "zeros", "every byte", "UTF-16", "half a parquet file", "no objects"],
)
def test_binary_junk_is_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_bytes(content)
    complaint(path)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.99])
def test_truncated_parquet_is_refused(tmp_path: Path, keep: float) -> None:
    path = write(tmp_path / "t.parquet", rows())
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    assert "cannot be read as parquet" in complaint(path)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"prompt_id": "x",', "line 5 is not JSON"),
        ("[1]", "line 5 is no object"),
        ("null", "line 5 is no object"),
        ("[" * 100_000, "cannot be read as jsonl"),
        ("NaN", "line 5 is no object"),
    ],
    ids=["cut", "a list", "null", "deeply nested", "a number"],
)
def test_a_broken_json_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    path = write(tmp_path / "t.jsonl", rows())
    path.write_text(path.read_text(encoding="utf-8") + "\n" + line, encoding="utf-8")
    assert said in complaint(path)


@pytest.mark.parametrize("extra", [",9", ",9,9"], ids=["one more", "two more"])
def test_csv_rows_with_more_fields_than_the_header_never_slip_into_other_columns(tmp_path: Path, extra: str) -> None:
    path = tmp_path / "t.csv"
    path.write_text(f"prompt_id,prompt,model,score\nid,do it,m,0.5{extra}\nother,do more,m,0.75{extra}\n")
    said = complaint(path)
    assert "cannot be read as csv" in said


def test_csv_that_is_not_utf8_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    for odd in ("é".encode("latin-1"), "\ud800".encode("utf-8", "surrogatepass")):
        path.write_bytes(b"prompt_id,prompt,model,score\np,x" + odd + b",m,1\n")
        assert "utf-8" in complaint(path)


@pytest.mark.parametrize("name", ["t.txt", "t", "t.xlsx", "t.json", "parquet"])
def test_an_unknown_kind_of_file_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert "expected a .parquet, .csv or .jsonl file" in complaint(tmp_path / name)


@pytest.mark.parametrize("suffix", FORMATS)
@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir], ids=["missing", "a folder"])
def test_a_file_that_is_none_is_refused(tmp_path: Path, suffix: str, make: Callable[[Path], None]) -> None:
    make(tmp_path / f"t{suffix}")
    assert "no such file" in complaint(tmp_path / f"t{suffix}")


def test_no_file_at_all_is_refused() -> None:
    with pytest.raises(DataError, match="no outcome table"):
        read_outcomes([])


def test_the_broken_one_of_several_files_is_named(tmp_path: Path) -> None:
    sound, broken = write(tmp_path / "sound.csv", rows()), write(tmp_path / "broken.csv", rows())
    broken.write_text(broken.read_text().replace("0.5", "7", 1))
    with pytest.raises(DataError, match=re.escape(f"{broken}: column 'score', row 1")):
        read_outcomes([sound, broken])


@pytest.mark.parametrize("suffix", FORMATS)
@given(data=st.data())
def test_any_damage_to_a_table_is_a_data_error_or_a_table(suffix: str, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as folder:
        damage_and_read(write(Path(folder) / f"t{suffix}", rows()), data)


def damage_and_read(path: Path, data: st.DataObject) -> None:
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 5), label="edits")):
        at = data.draw(st.integers(0, len(content) - 1), label="at")
        content[at : at + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3), label="bytes")
    path.write_bytes(content)
    try:
        table = read_outcomes([path])
    except DataError as error:
        assert str(path) in str(error)
    else:
        assert table.scores.stack().dropna().between(0, 1).all()
