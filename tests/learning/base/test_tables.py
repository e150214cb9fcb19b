"""Many outcome tables side by side, and what is left of them without some."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.learning.base.world import PROMPTS, SEEN, SHARED, World

from turnout.errors import DataError
from turnout.learning.base.tables import Tables, read_tables


def write(path: Path, scores: dict[str, Sequence[float | None]], dataset: str | Sequence[str] = "one") -> Path:
    """A table with one prompt for each score of a language model; None leaves the row out."""
    n = len(next(iter(scores.values())))
    datasets = [dataset] * n if isinstance(dataset, str) else dataset
    rows = [
        {
            "prompt_id": f"p{at}",
            "prompt": f"do {path.stem} {at}",
            "dataset": datasets[at],
            "model": name,
            "score": score,
        }
        for name, column in scores.items()
        for at, score in enumerate(column)
        if score is not None
    ]
    pd.DataFrame(rows).to_csv(path, index=False)
    return path


def test_all_prompts_stand_in_one_order_and_blocks_point_into_it(world: World, tables: Tables) -> None:
    assert len(tables.prompts) == len(tables.group) == len(tables.domain) == len(tables.prompt_id) == 3 * PROMPTS
    for block in tables.blocks:
        assert block.scores.shape == (len(block.rows), len(block.models)) == (len(block.rows), len(block.descriptors))
        assert set(tables.domain[block.rows]) == {block.domain}
    frame = pd.read_parquet(world.sources[2][1])
    knowledge = tables.blocks[-1]
    for at in (0, 17, PROMPTS - 1):
        row = knowledge.rows[at]
        told = frame[frame["prompt_id"] == tables.prompt_id[row]].set_index("model")
        assert set(told["prompt"]) == {tables.prompts[row]}
        np.testing.assert_array_equal(knowledge.scores[at], told.loc[list(knowledge.models), "score"])
        assert (tables.table[row], tables.dataset[row]) == ("knowledge_table", told["dataset"].iloc[0])


def test_datasets_that_the_same_models_answered_are_one_block(tables: Tables) -> None:
    assert [(block.name, len(block.rows), len(block.models)) for block in tables.blocks] == [
        ("code_table", PROMPTS, len(SEEN)),
        ("tools_table:tools.even", PROMPTS // 2, len(SEEN)),
        ("tools_table:tools.odd", PROMPTS // 2, len(SEEN) - 2),
        ("knowledge_table", PROMPTS, len(SEEN)),
    ]


def test_one_task_in_two_tables_is_one_group(tables: Tables) -> None:
    first, again = tables.blocks[0].rows[:SHARED], tables.blocks[-1].rows[:SHARED]
    np.testing.assert_array_equal(tables.group[first], tables.group[again])
    assert len(set(tables.group)) <= 3 * PROMPTS - SHARED


def test_a_model_that_answered_little_is_in_no_block(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 0, 1, 0], "b": [1, 1, None, None], "c": [1, None, None, None]})
    (block,) = read_tables([("code", path)]).blocks
    assert block.models == ("a", "b")
    np.testing.assert_array_equal(np.isnan(block.scores), [[False, False]] * 2 + [[False, True]] * 2)


def test_a_prompt_that_only_a_model_of_little_answered_is_in_no_block(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 0, 1, None], "b": [1, 1, 0, None], "c": [None, None, None, 1]})
    tables = read_tables([("code", path)])
    assert tables.blocks[0].rows.tolist() == [0, 1, 2] and len(tables.prompts) == 4


def test_broken_rows_can_be_left_out_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 0, None], "b": [1, 1, None], "broken": [0, 0, 0]})
    (block,) = read_tables([("tools", path)], leave_out=["broken", "nobody"]).blocks
    assert block.models == ("a", "b") and block.rows.tolist() == [0, 1]


def test_an_unknown_domain_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 0]})
    with pytest.raises(DataError, match=r"t\.csv: domain 'poetry' is unknown; there is: code, tools, knowledge"):
        read_tables([("poetry", path)])


def test_a_table_that_breaks_its_contract_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"nowhere\.csv"):
        read_tables([("code", tmp_path / "nowhere.csv")])


@pytest.mark.parametrize("none", ["no table", "no block"])
def test_where_nothing_can_be_compared_that_is_said(tmp_path: Path, none: str) -> None:
    log = write(tmp_path / "log.csv", {"a": [1, None, None], "b": [None, 0, None], "c": [None, None, 1]})
    with pytest.raises(DataError, match="half of the prompts"):
        read_tables([] if none == "no table" else [("code", log)])


# Without some


def test_without_models_their_scores_are_gone_and_the_rows_stay(tables: Tables) -> None:
    less = tables.without_models(lambda descriptor: descriptor.family == "qwen")
    assert less.prompts == tables.prompts
    assert {name for block in less.blocks for name in block.models} == {name for name in SEEN if "qwen" not in name}
    for block, whole in zip(less.blocks, tables.blocks, strict=True):
        assert all(descriptor.family != "qwen" for descriptor in block.descriptors)
        kept = [whole.models.index(name) for name in block.models]
        np.testing.assert_array_equal(block.scores, whole.scores[:, kept])


def test_without_any_model_there_is_no_block(tables: Tables) -> None:
    assert tables.without_models(lambda _: True).blocks == ()
    assert len(tables.without_models(lambda _: False).blocks) == len(tables.blocks)


def test_prompts_that_only_the_models_left_out_answered_are_in_no_block(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"qwen2.5:7b": [1, 0, 1, 0], "gemma2:9b": [1, 1, None, None]})
    (block,) = read_tables([("code", path)]).without_models(lambda one: one.family == "qwen").blocks
    assert block.rows.tolist() == [0, 1] and block.models == ("gemma2:9b",)


def test_without_rows_their_group_is_gone_from_other_tables_too(tables: Tables) -> None:
    left_out = np.zeros(len(tables.prompts), bool)
    left_out[tables.blocks[0].rows[:SHARED]] = True  # of the code table only
    less = tables.without_rows(left_out)
    assert not np.isin(less.blocks[0].rows, np.flatnonzero(left_out)).any()
    gone = tables.group[left_out]
    for block in less.blocks:
        assert not np.isin(tables.group[block.rows], gone).any()
    assert len(less.blocks[-1].rows) <= PROMPTS - SHARED
    assert less.prompts == tables.prompts


def test_without_rows_the_others_keep_their_scores(tables: Tables) -> None:
    less = tables.without_rows(tables.table == "tools_table")
    assert [block.name for block in less.blocks] == ["code_table", "knowledge_table"]
    for block in less.blocks:
        whole = next(one for one in tables.blocks if one.name == block.name)
        np.testing.assert_array_equal(block.scores, whole.scores[np.isin(whole.rows, block.rows)])


def test_a_model_that_only_answered_the_rows_left_out_is_gone_with_them(tmp_path: Path) -> None:
    path = write(tmp_path / "t.csv", {"a": [1, 0, 1, 0], "b": [1, 1, None, None]})
    (block,) = read_tables([("code", path)]).without_rows(np.array([True, True, False, False])).blocks
    assert block.models == ("a",) and block.rows.tolist() == [2, 3]
