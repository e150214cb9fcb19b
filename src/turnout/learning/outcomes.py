"""Reading outcome tables: parquet, CSV or JSON lines in, one checked `OutcomeTable` out.

The contract: one row for each (prompt, model) with `prompt_id`, `prompt`, `model`, `score` in [0, 1]; optional
`dataset`, `group`, `latency_s`, `cost_usd`, `prompt_tokens`, `completion_tokens`. Other columns are ignored.

Rules where tables disagree with themselves: several rows of one (prompt, model) are averaged; one `prompt_id` with two
different prompts is an error; a missing `group` becomes a hash of the prompt, so equal prompts never straddle folds.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from turnout.errors import DataError, TooFewRowsError

REQUIRED = ("prompt_id", "prompt", "model", "score")
MEASURES = ("latency_s", "cost_usd", "completion_tokens")
OPTIONAL = ("dataset", "group", *MEASURES, "prompt_tokens")
_TEXT = ("prompt_id", "prompt", "model", "dataset", "group")
_MAX_DIGITS = 300
"""Integers of more digits are beyond every float; they are read as infinite."""


@dataclass(frozen=True)
class OutcomeTable:
    """What several language models made of the same prompts.

    prompts : DataFrame indexed by prompt_id with columns prompt, dataset, group. scores, seconds, cost_usd, answer_tokens :
    DataFrames with the same index and one column for each model, NaN where unknown. fingerprint : digest of all of it.
    """

    prompts: pd.DataFrame
    scores: pd.DataFrame
    seconds: pd.DataFrame
    cost_usd: pd.DataFrame
    answer_tokens: pd.DataFrame
    fingerprint: str

    def cheapest_first(self) -> tuple[str, ...]:
        """All models in order of mean cost where it is known for all, else of mean seconds, else of mean score."""
        for measure in (self.cost_usd, self.seconds, self.scores):
            means = measure.mean()
            if means.notna().all() and means.nunique() > 1:
                return tuple(means.sort_values(kind="stable").index)
        return tuple(self.scores.columns)

    def select(self, candidates: Sequence[str]) -> OutcomeTable:
        """The same table with its candidates checked, without prompts on which none of them has a score.

        Raises:
            DataError: a candidate is not in the table, or named twice; every score is the same.
            TooFewRowsError: fewer than two candidates, or no prompt left.
        """
        unknown = [name for name in candidates if name not in self.scores.columns]
        if unknown:
            known = ", ".join(self.cheapest_first()[:12])
            raise DataError(f"no outcomes for candidate {unknown[0]!r}; the table has: {known}")
        if len(set(candidates)) != len(candidates):
            raise DataError("a candidate is named twice")
        if len(candidates) < 2:
            raise TooFewRowsError("routing needs at least two candidates; the table or --candidates gives one")
        keep = self.scores[list(candidates)].notna().any(axis=1)
        if not keep.any():
            raise TooFewRowsError("no prompt has a score for any of the candidates")
        low, high = np.nanmin(known := self.scores[list(candidates)].to_numpy()), np.nanmax(known)
        if low == high:
            raise DataError(f"column 'score': every value is {low:g}; with one class only there is nothing to learn")
        return self.take(np.flatnonzero(keep.to_numpy()))

    def take(self, rows: NDArray[np.int64]) -> OutcomeTable:
        """The given prompts only, by position; the fingerprint stays that of the whole table."""
        return OutcomeTable(
            self.prompts.iloc[rows],
            self.scores.iloc[rows],
            self.seconds.iloc[rows],
            self.cost_usd.iloc[rows],
            self.answer_tokens.iloc[rows],
            self.fingerprint,
        )


def read_outcomes(paths: Sequence[Path], datasets: Sequence[str] = ()) -> OutcomeTable:
    """Read and check one or more tables; keep only datasets that start with one of the given prefixes.

    Raises:
        DataError: a file is missing, unreadable or breaks the contract; the message names file, column and row.
        TooFewRowsError: nothing is left.
    """
    if not paths:
        raise DataError("no outcome table was given")
    frames = [_read_one(path) for path in paths]
    table = pd.concat(frames, ignore_index=True) if len(frames) > 1 else frames[0]
    if datasets:
        table = table[table["dataset"].str.startswith(tuple(datasets))]
        if table.empty:
            raise TooFewRowsError(f"no row of a dataset that starts with {' or '.join(map(repr, datasets))}")
    prompts = table.drop_duplicates("prompt_id").set_index("prompt_id")[["prompt", "dataset", "group"]].sort_index()
    if len(frames) > 1 or len(prompts) < table[["prompt_id", "prompt"]].drop_duplicates().shape[0]:
        _refuse_two_prompts(table, paths)
    wide = {measure: _pivot(table, measure, prompts.index) for measure in ("score", *MEASURES)}
    return OutcomeTable(
        prompts,
        scores=wide["score"],
        seconds=wide["latency_s"],
        cost_usd=wide["cost_usd"],
        answer_tokens=wide["completion_tokens"],
        fingerprint=_fingerprint(prompts, wide.values()),
    )


def _read_csv(path: Path) -> pd.DataFrame:
    """Text columns stay as they are written: '007' is no number, and a prompt may be nothing but digits."""
    text = dict.fromkeys(_TEXT, str)
    with warnings.catch_warnings():
        warnings.simplefilter("error", pd.errors.ParserWarning)  # rows longer than the header
        return pd.read_csv(path, keep_default_na=False, na_values=[""], dtype=text, index_col=False)


def _read_jsonl(path: Path) -> pd.DataFrame:
    rows = []
    encoding = "utf-8-sig"
    with gzip.open(path, "rt", encoding=encoding) if path.suffix == ".gz" else path.open(encoding=encoding) as lines:
        for number, line in enumerate(lines, 1):
            if not line.strip():
                continue
            try:
                row = json.loads(line, parse_int=_parse_int)
            except json.JSONDecodeError as error:
                raise ValueError(f"line {number} is not JSON: {error.msg} at column {error.colno}") from error
            if not isinstance(row, dict):
                raise ValueError(f"line {number} is no object")
            if "\\u" in line:  # JSON can say half of a surrogate pair, which no other table can hold
                row = {key: _whole_characters(value) for key, value in row.items()}
            rows.append(row)
    return pd.DataFrame(rows)


def _parse_int(digits: str) -> float:
    return int(digits) if len(digits) < _MAX_DIGITS else float(digits)


def _whole_characters(value: object) -> object:
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value


_READERS = {".parquet": pd.read_parquet, ".csv": _read_csv, ".jsonl": _read_jsonl}


def _pivot(table: pd.DataFrame, measure: str, index: pd.Index) -> pd.DataFrame:
    models = pd.Index(sorted(table["model"].unique()), name="model")
    if table[measure].isna().all():
        return pd.DataFrame(np.nan, index=index, columns=models, dtype=np.float32)
    means = table.groupby(["prompt_id", "model"], sort=False, observed=True)[measure].mean()
    return means.unstack("model").reindex(index=index, columns=models).astype(np.float32)


def _read_one(path: Path) -> pd.DataFrame:
    suffix = next((part for part in path.suffixes[::-1] if part in _READERS), None)
    if suffix is None:
        raise DataError(f"{path}: expected a .parquet, .csv or .jsonl file")
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    try:
        table = _READERS[suffix](path)
    except Exception as error:  # each reader has its own errors for a broken file
        raise DataError(f"{path}: cannot be read as {suffix[1:]}: {str(error).splitlines()[0][:200]}") from error
    missing = [column for column in REQUIRED if column not in table.columns]
    if missing:
        have = ", ".join(map(str, table.columns[:12])) or "none"
        raise DataError(
            f"{path}: column {missing[0]!r} is missing; a table needs {', '.join(REQUIRED)} (it has: {have})"
        )
    if table.empty:
        raise TooFewRowsError(f"{path}: the table has no rows")
    table = table[[column for column in (*REQUIRED, *OPTIONAL) if column in table.columns]].reset_index(drop=True)
    _check_text(table, path)
    _check_numbers(table, path)
    if "dataset" not in table:
        table["dataset"] = ""
    table["dataset"] = table["dataset"].astype(object).where(table["dataset"].notna(), "").astype(str)
    hashes = table["prompt"].map({text: _group_of(text) for text in table["prompt"].unique()})
    if "group" in table:
        hashes = table["group"].astype(object).where(table["group"].notna(), hashes)
    table["group"] = hashes.astype(str)
    return table


def _check_text(table: pd.DataFrame, path: Path) -> None:
    for column in ("prompt_id", "prompt", "model"):
        absent = table[column].isna()
        if absent.any():
            raise DataError(f"{path}: column {column!r}, row {_row(absent)}: the value is missing")
        if column == "prompt":
            wrong = ~table[column].map(lambda value: isinstance(value, str)).astype(bool)
            if wrong.any():
                value = table[column][wrong].iloc[0]
                raise DataError(f"{path}: column 'prompt', row {_row(wrong)}: {_plain(value)!r} is not text")
        table[column] = table[column].astype(str)
        if column != "prompt":
            empty = table[column].str.strip() == ""
            if empty.any():
                raise DataError(f"{path}: column {column!r}, row {_row(empty)}: the value is empty")


def _check_numbers(table: pd.DataFrame, path: Path) -> None:
    for column in ("score", *MEASURES):
        if column not in table:
            table[column] = np.nan
            continue
        numbers = pd.to_numeric(table[column], errors="coerce").astype(float)
        given = table[column].notna() if column != "score" else pd.Series(True, index=table.index)
        wrong = given & ~np.isfinite(numbers)
        if wrong.any():
            value = table[column][wrong].iloc[0]
            raise DataError(f"{path}: column {column!r}, row {_row(wrong)}: {_plain(value)!r} is not a finite number")
        outside = given & ((numbers < 0) | ((numbers > 1) if column == "score" else False))
        if outside.any():
            value, allowed = numbers[outside].iloc[0], "in [0, 1]" if column == "score" else "0 or more"
            raise DataError(f"{path}: column {column!r}, row {_row(outside)}: {value:g} must be {allowed}")
        table[column] = numbers


def _plain(value: object) -> object:
    """A value as a person writes it: nan, not np.float64(nan)."""
    return value.item() if isinstance(value, np.generic) else value


def _row(mask: pd.Series) -> int:
    """The first marked row, counted from 1 without the header."""
    return int(np.flatnonzero(mask.to_numpy())[0]) + 1


def _refuse_two_prompts(table: pd.DataFrame, paths: Sequence[Path]) -> None:
    pairs = table[["prompt_id", "prompt"]].drop_duplicates()
    twice = pairs["prompt_id"].duplicated()
    if twice.any():
        name = pairs["prompt_id"][twice].iloc[0]
        raise DataError(f"{', '.join(map(str, paths))}: column 'prompt_id': {name!r} stands for two different prompts")


def _group_of(prompt: str) -> str:
    return hashlib.blake2b(" ".join(prompt.lower().split()).encode("utf-8", "replace"), digest_size=8).hexdigest()


def _fingerprint(prompts: pd.DataFrame, measures: Iterable[pd.DataFrame]) -> str:
    digest = hashlib.sha256()
    for column in (prompts.index, *(prompts[name] for name in prompts)):
        digest.update("\x1f".join(column).encode("utf-8", "replace"))
    for measure in measures:
        digest.update("\x1f".join(measure.columns).encode("utf-8", "replace"))
        digest.update(np.ascontiguousarray(measure.to_numpy(np.float32)).tobytes())
    return digest.hexdigest()[:16]


def factorize(values: pd.Series) -> NDArray[np.int64]:
    """Numbers for labels, equal where the labels are."""
    return np.asarray(pd.factorize(values)[0], np.int64)
