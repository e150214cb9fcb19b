"""Predictors saved and loaded: the same predictions, an honest manifest, old arrays cleared away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from threading import Thread

import numpy as np
import pytest

from turnout.errors import ArtifactMissingError
from turnout.features import extract, schema_hash
from turnout.predictor import Prediction, Predictor, load, read_manifest, save

PROMPTS = ("why does the quorum deadlock?", "sort imports", "", "日本語 \ud800 🐛", "x " * 3000)


def answers(predictor: Predictor) -> list[Prediction]:
    return [predictor.predict(extract(prompt)) for prompt in PROMPTS]


def assert_same(first: Predictor, second: Predictor) -> None:
    assert first.candidates == second.candidates
    assert first.novelty_limit == second.novelty_limit
    assert first.info == second.info
    for one, other in zip(answers(first), answers(second), strict=True):
        np.testing.assert_array_equal(one.p_success, other.p_success)
        np.testing.assert_array_equal(one.seconds, other.seconds)
        np.testing.assert_array_equal(one.cost_usd, other.cost_usd)
        np.testing.assert_array_equal(one.answer_tokens, other.answer_tokens)
        assert one.novelty == other.novelty


def age(folder: Path) -> None:
    """Make every file an hour older."""
    for file in folder.iterdir():
        moment = file.stat().st_mtime - 3600
        os.utime(file, (moment, moment))


def another(predictor: Predictor, number: int) -> Predictor:
    """A predictor that differs in every array file it makes, and says so in its candidates' names."""
    offset = predictor.blend.offset + np.float32(number)
    names = tuple(f"{name}-{number}" for name in ("small", "large"))
    return replace(predictor, candidates=names, blend=replace(predictor.blend, offset=offset))


# There and back


def test_a_loaded_predictor_predicts_the_same(predictor: Predictor, tmp_path: Path) -> None:
    save(predictor, tmp_path / "champion")
    assert_same(load(tmp_path / "champion"), predictor)


@pytest.mark.parametrize("missing", ["seconds", "cost_usd", "answer_tokens"])
def test_a_predictor_without_an_expense_stays_without_it(predictor: Predictor, tmp_path: Path, missing: str) -> None:
    save(replace(predictor, **{missing: None}), tmp_path)
    found = load(tmp_path).predict(extract("sort imports"))
    for name in ("seconds", "cost_usd", "answer_tokens"):
        assert (getattr(found, name) is None) == (name == missing)


def test_saving_what_was_loaded_gives_the_same_bytes(predictor: Predictor, tmp_path: Path) -> None:
    save(predictor, tmp_path / "first")
    save(load(tmp_path / "first"), tmp_path / "second")
    for file in (tmp_path / "first").iterdir():
        assert (tmp_path / "second" / file.name).read_bytes() == file.read_bytes()


@pytest.mark.parametrize("name", ["a|b,c", "modèle/naïf-日本", "lone \ud800 surrogate", 'quote " back\\slash', ""])
def test_candidates_of_any_name_survive(predictor: Predictor, tmp_path: Path, name: str) -> None:
    save(replace(predictor, candidates=(name, "large")), tmp_path)
    assert load(tmp_path).candidates == (name, "large")


def test_the_manifest_says_what_the_predictor_is(predictor: Predictor, tmp_path: Path) -> None:
    save(predictor, tmp_path)
    manifest = read_manifest(tmp_path)
    assert manifest["candidates"] == ["local/small", "cloud/large"]
    assert manifest["schema_hash"] == schema_hash()
    assert manifest["created"] == "2025-01-02T03:04:05+00:00"
    assert manifest["metrics"] == {"apgr": 0.75}
    assert (tmp_path / manifest["arrays"]["file"]).stat().st_size == manifest["arrays"]["bytes"]
    assert json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8")).keys() > manifest.keys()


def test_information_that_is_not_json_is_refused_before_anything_is_written(
    predictor: Predictor, tmp_path: Path
) -> None:
    with pytest.raises(TypeError):
        save(replace(predictor, info={"when": object()}), tmp_path / "new")
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize("folder", ["spaces and ünïcode", "a%20b#c?d", "deep/er"])
def test_folders_of_any_name_work(predictor: Predictor, tmp_path: Path, folder: str) -> None:
    save(predictor, tmp_path / folder)
    assert load(tmp_path / folder).candidates == predictor.candidates


def test_what_a_killed_process_left_half_written_goes_once_it_is_old(predictor: Predictor, tmp_path: Path) -> None:
    for name in (".arrays-0123456789ab.npz.x1y2z3", ".manifest.json.x1y2z3"):
        (tmp_path / name).write_bytes(b"half")
    save(predictor, tmp_path)
    assert len(list(tmp_path.glob(".*"))) == 2  # perhaps somebody is at it
    age(tmp_path)
    save(predictor, tmp_path)
    assert not list(tmp_path.glob(".*"))


def test_a_relative_folder_works(predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save(predictor, Path())
    assert load(Path()).candidates == predictor.candidates


# One predictor after another


def test_the_arrays_of_the_version_before_are_kept_and_older_ones_cleared(predictor: Predictor, tmp_path: Path) -> None:
    names = []
    for number in range(3):
        save(another(predictor, number), tmp_path)
        names.append(read_manifest(tmp_path)["arrays"]["file"])
        age(tmp_path)
    assert {file.name for file in tmp_path.glob("arrays-*")} == set(names[1:])


def test_young_arrays_stay_for_whoever_is_still_reading_them(predictor: Predictor, tmp_path: Path) -> None:
    for number in range(3):
        save(another(predictor, number), tmp_path)
    assert len(list(tmp_path.glob("arrays-*"))) == 3


def test_a_damaged_old_manifest_does_not_stop_a_save(predictor: Predictor, tmp_path: Path) -> None:
    for damage in (b"", b"[]", b"\xff", b"[" * 100_000, b'{"arrays": 7}'):
        (tmp_path / "manifest.json").write_bytes(damage)
        save(predictor, tmp_path)
        assert load(tmp_path).candidates == predictor.candidates


@pytest.mark.parametrize("file", ["arrays-*.npz", "manifest.json"])
def test_a_save_that_fails_half_way_leaves_the_old_predictor(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str
) -> None:
    save(predictor, tmp_path)
    real = Path.replace

    def fail_on_the_file(self: Path, target: Path) -> Path:
        if target.match(file):
            raise KeyboardInterrupt
        return real(self, target)

    monkeypatch.setattr(Path, "replace", fail_on_the_file)
    with pytest.raises(KeyboardInterrupt):
        save(another(predictor, 1), tmp_path)
    monkeypatch.undo()
    assert_same(load(tmp_path), predictor)
    assert not [entry for entry in tmp_path.iterdir() if entry.name.startswith(".")]
    save(another(predictor, 2), tmp_path)
    assert load(tmp_path).candidates == ("small-2", "large-2")


@pytest.mark.skipif(os.name != "posix", reason="needs a signal that cannot be caught")
@pytest.mark.parametrize("file", ["arrays-*.npz", "manifest.json"])
def test_a_process_killed_half_way_leaves_the_old_predictor(predictor: Predictor, tmp_path: Path, file: str) -> None:
    save(predictor, tmp_path / "old")
    save(another(predictor, 1), tmp_path / "new")
    script = (
        "import os, signal, sys\n"
        "from pathlib import Path\n"
        "from turnout.predictor import load, save\n"
        "folder, new = Path(sys.argv[1]), load(Path(sys.argv[2]))\n"
        "real = Path.replace\n"
        "Path.replace = lambda self, target: (\n"
        "    os.kill(os.getpid(), signal.SIGKILL) if target.match(sys.argv[3]) else real(self, target)\n"
        ")\n"
        "save(new, folder)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "old", tmp_path / "new", file], timeout=60, capture_output=True
    )
    assert done.returncode == -9, done.stderr
    assert_same(load(tmp_path / "old"), predictor)
    save(another(predictor, 2), tmp_path / "old")
    assert load(tmp_path / "old").candidates == ("small-2", "large-2")


def test_a_first_save_that_fails_leaves_nothing_that_loads(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> Path:
        raise OSError("disk full")

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        save(predictor, tmp_path)
    monkeypatch.undo()
    with pytest.raises(ArtifactMissingError):
        load(tmp_path)


def test_a_reader_beside_a_writer_never_sees_a_mix(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)  # speed; what a reader sees does not depend on it
    known = {each.candidates: each for each in (another(predictor, number) for number in range(4))}
    save(another(predictor, 0), tmp_path)

    def write() -> None:
        for turn in range(200):
            save(list(known.values())[turn % 4], tmp_path)

    writer = Thread(target=write)
    writer.start()
    seen = set()
    for _ in range(200):
        loaded = load(tmp_path)
        np.testing.assert_array_equal(loaded.blend.offset, known[loaded.candidates].blend.offset)
        seen.add(loaded.candidates)
    writer.join()
    assert len(seen) > 1


def test_writers_side_by_side_leave_one_of_their_predictors(
    predictor: Predictor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "fsync", lambda handle: None)
    both = [another(predictor, number) for number in range(2)]

    def write(mine: Predictor) -> None:
        for _ in range(40):
            save(mine, tmp_path)

    writers = [Thread(target=write, args=(each,)) for each in both]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert load(tmp_path).candidates in {each.candidates for each in both}
