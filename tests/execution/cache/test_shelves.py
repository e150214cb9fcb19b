"""Prompts with their vectors: found by similarity like a plain search would, and read as they were written."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.execution.cache.shelves import Shelf, Shelved


def shelved(prompt: str, *numbers: float) -> Shelved:
    vector = np.array(numbers, np.float32)
    return Shelved("context", prompt, vector / np.linalg.norm(vector), b"answer")


def found(shelf: Shelf, *numbers: float, threshold: float = -1.0, most: int = 100) -> list[str]:
    vector = shelved("", *numbers).vector
    return [entry.prompt for _, entry in shelf.similar(vector, threshold, most)]


def test_the_most_similar_comes_first() -> None:
    shelf = Shelf(2)
    for prompt, *numbers in [("far", -1, 0), ("near", 1, 0.1), ("same", 1, 0), ("across", 0, 1)]:
        shelf.add(shelved(str(prompt), *map(float, numbers)))
    assert found(shelf, 1, 0) == ["same", "near", "across", "far"]
    assert found(shelf, 1, 0, threshold=0.5) == ["same", "near"]
    assert found(shelf, 1, 0, most=1) == ["same"]
    assert [round(similarity, 3) for similarity, _ in shelf.similar(shelved("", 1.0, 0.0).vector, 0.5, 9)] == [
        1.0,
        0.995,
    ]


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 1000)), max_size=60))
def test_adding_and_removing_in_any_order_keeps_every_vector_with_its_prompt(steps: list[tuple[bool, int]]) -> None:
    shelf = Shelf(3)
    kept: list[Shelved] = []
    for number, (adds, pick) in enumerate(steps):
        if adds or not kept:
            entry = shelved(str(number), *np.random.default_rng(pick).normal(size=3).tolist())
            kept.append(entry)
            shelf.add(entry)
        else:
            entry = kept.pop(pick % len(kept))
            assert shelf.remove(entry) is True and shelf.remove(entry) is False
    assert len(shelf) == len(kept)
    for entry in kept:
        (similarity, best), *_ = shelf.similar(entry.vector, 0.5, 1)
        assert similarity == pytest.approx(1, abs=1e-5) and np.allclose(best.vector, entry.vector)
    assert {entry.prompt for _, entry in shelf.similar(shelved("", 1, 1, 1).vector, -2.0, 100)} == {
        e.prompt for e in kept
    }


@given(st.text(), st.binary(max_size=20), st.lists(st.floats(-1, 1, width=32), min_size=1, max_size=6))
def test_what_is_written_is_read(prompt: str, answer: bytes, numbers: list[float]) -> None:
    if np.linalg.norm(numbers) < 1e-3:
        numbers = [1.0, *numbers]
    entry = shelved(prompt, *numbers)
    entry.answer = answer
    read = Shelved.from_bytes(entry.to_bytes())
    assert read is not None
    assert (read.context, read.prompt, read.answer) == ("context", prompt, answer)
    assert np.array_equal(read.vector, entry.vector)


def test_vectors_without_a_direction_are_no_entry() -> None:
    entry = shelved("a", 1.0, 0.0)
    for numbers in ([0.0, 0.0], [np.nan, 1.0], [np.inf, 0.0], [2.0, 0.0], []):
        entry.vector = np.array(numbers, np.float32)
        assert Shelved.from_bytes(entry.to_bytes()) is None


@given(st.data())
def test_other_bytes_are_no_entry_or_a_whole_one(data: st.DataObject) -> None:
    content = bytearray(shelved("a prompt", 0.6, 0.8).to_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content) - 1))
        content[at : at + 1] = data.draw(st.binary(max_size=2))
        if not content:
            break
    read = Shelved.from_bytes(bytes(content))
    assert read is None or (isinstance(read.prompt, str) and abs(float(read.vector @ read.vector) - 1) < 1e-2)


def test_what_matters_of_a_prompt_is_found_once() -> None:
    entry = shelved("sort the rows", 1.0)
    assert entry.gist is entry.gist and entry.gist.words == ("sort", "row")
    assert shelved("the", 1.0).gist.words == ()
