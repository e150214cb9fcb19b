"""The base predictor on disk: the same lines again, or one kind of error; nothing of it is ever run."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.learning.base.world import BETWEEN, SEEN, World

from turnout.config.paths import base_folder
from turnout.descriptors import describe
from turnout.errors import ArtifactCorruptError, ArtifactError, ArtifactMismatchError, ArtifactMissingError
from turnout.features import extract, schema_hash
from turnout.predictor.base import BasePredictor
from turnout.predictor.base_artifact import ARRAYS, MANIFEST, load_base, save_base

Arrays = dict[str, Any]

NAMES = (*SEEN, *BETWEEN, "mistral:7b", "nobody")
TEXTS = ("in the function please prove the quorum", "rename", "", "日本語 \ud800 🐛")


@pytest.fixture
def folder(base_at: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(base_at, tmp_path / "base"))


def expectations(base: BasePredictor) -> list[np.ndarray]:
    prior = base.lines([describe(name) for name in NAMES]).serve(base.traits)
    return [np.array([*prior.expect(extract(text))[:3]]) for text in TEXTS]


def change_manifest(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    manifest = json.loads((folder / MANIFEST).read_bytes())
    change(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def replace_arrays(folder: Path, raw: bytes) -> None:
    """Put other bytes in the place of the arrays, with a manifest that vouches for them."""
    (folder / ARRAYS).write_bytes(raw)
    change_manifest(folder, lambda manifest: manifest.update(sha256=hashlib.sha256(raw).hexdigest()))


def change_arrays(folder: Path, change: Callable[[Arrays], Any], *, allow_pickle: bool = False) -> None:
    with np.load(folder / ARRAYS) as stored:
        arrays: Arrays = {name: stored[name] for name in stored.files}
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=allow_pickle, **arrays)
    replace_arrays(folder, buffer.getvalue())


# There and back


def test_what_was_saved_and_loaded_expects_the_same(world: World, base_at: Path) -> None:
    loaded = load_base(base_at)
    for one, other in zip(expectations(loaded), expectations(world.base), strict=True):
        np.testing.assert_allclose(one, other, atol=2e-4)
    assert loaded.info == world.base.info and loaded.abilities.parts == world.base.abilities.parts
    np.testing.assert_array_equal(loaded.seen, world.base.seen)


def test_saving_what_was_loaded_changes_nothing_more(base_at: Path, tmp_path: Path) -> None:
    save_base(load_base(base_at), tmp_path / "again")
    again = load_base(tmp_path / "again")
    for one, other in zip(expectations(again), expectations(load_base(base_at)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert sorted(path.name for path in (tmp_path / "again").iterdir()) == [MANIFEST, ARRAYS]


# Where it lies


def test_without_a_folder_it_is_read_from_where_the_environment_points(
    base_at: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TURNOUT_BASE", str(base_at))
    assert load_base().info == {"made": "for tests"}


def test_switched_off_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_BASE", "off")
    assert base_folder() is None
    with pytest.raises(ArtifactMissingError, match="TURNOUT_BASE is 'off'"):
        load_base()


@pytest.mark.parametrize("told", ["", None])
def test_the_one_that_ships_is_small_and_knows_the_larger_to_be_abler(
    told: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TURNOUT_BASE") if told is None else monkeypatch.setenv("TURNOUT_BASE", told)
    folder = base_folder()
    assert folder is not None
    assert sum((folder / name).stat().st_size for name in (MANIFEST, ARRAYS)) <= 10_000_000
    base = load_base()
    large, small = base.abilities.of([describe("llama3.1:70b"), describe("llama3.2:1b")])[0]
    assert (large > small).all()
    assert base.info["language_models"] > 50


def test_the_one_that_ships_answers_for_any_prompt_and_any_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TURNOUT_BASE")
    for expected in expectations(load_base()):
        assert ((expected > 0) & (expected < 1)).all()


# Damage


def test_a_folder_without_files_is_missing(tmp_path: Path) -> None:
    for where in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(ArtifactMissingError, match=r"no base predictor in .*No such file"):
            load_base(where)


@pytest.mark.parametrize("name", [MANIFEST, ARRAYS])
@pytest.mark.parametrize("how", ["gone", "a folder"])
def test_a_missing_file_is_missing(folder: Path, name: str, how: str) -> None:
    (folder / name).unlink()
    if how == "a folder":
        (folder / name).mkdir()
    with pytest.raises(ArtifactMissingError, match=folder.name):
        load_base(folder)


@pytest.mark.parametrize("name", [MANIFEST, ARRAYS])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_corrupt(folder: Path, name: str, keep: float) -> None:
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ArtifactCorruptError, match=name):
        load_base(folder)


@pytest.mark.parametrize("where", [0.0, 0.3, 0.7, 1.0])
def test_one_altered_byte_in_the_arrays_is_corrupt(folder: Path, where: float) -> None:
    content = bytearray((folder / ARRAYS).read_bytes())
    content[int(where * (len(content) - 1))] ^= 0xFF
    (folder / ARRAYS).write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match="SHA-256"):
        load_base(folder)


@pytest.mark.parametrize("name", [MANIFEST, ARRAYS])
def test_a_huge_file_is_refused_without_reading_it_all(folder: Path, name: str) -> None:
    with (folder / name).open("r+b") as file:
        file.truncate(1 << 36)  # sparse: it takes no room on disk
    with pytest.raises(ArtifactCorruptError, match="bytes"):
        load_base(folder)


@pytest.mark.parametrize("form", [0, 2, "1", None])
def test_another_format_is_a_mismatch(folder: Path, form: object) -> None:
    change_manifest(folder, lambda manifest: manifest.update(format=form))
    with pytest.raises(ArtifactMismatchError, match="unknown format; this Turnout reads 1"):
        load_base(folder)


def test_other_features_are_a_mismatch(folder: Path) -> None:
    change_manifest(folder, lambda manifest: manifest.update(schema_hash=f"{schema_hash()}x"))
    with pytest.raises(ArtifactMismatchError, match="make base"):
        load_base(folder)


@pytest.mark.parametrize("raw", [b"", b"\xff\xfe{}", b"{", b"[" * 50_000], ids=lambda raw: repr(raw[:8]))
def test_a_manifest_that_is_no_json_is_corrupt(folder: Path, raw: bytes) -> None:
    (folder / MANIFEST).write_bytes(raw)
    with pytest.raises(ArtifactCorruptError, match=MANIFEST):
        load_base(folder)


@pytest.mark.parametrize("key", ["format", "schema_hash", "sha256", "names", "mean", "covariance", "info"])
def test_a_manifest_that_lacks_something_is_refused(folder: Path, key: str) -> None:
    change_manifest(folder, lambda manifest: manifest.pop(key))
    with pytest.raises(ArtifactError, match=folder.name):
        load_base(folder)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("mean", float("nan")),
        ("mean", None),
        ("mean", "x"),
        ("names", []),
        ("names", [[], []]),
        ("names", 5),
        ("info", None),
        ("info", "x"),
        ("covariance", {}),
        ("covariance", {"smooth": 1}),
    ],
)
def test_a_manifest_whose_values_are_none_is_corrupt(folder: Path, key: str, value: object) -> None:
    change_manifest(folder, lambda manifest: manifest.update({key: value}))
    with pytest.raises(ArtifactCorruptError, match="does not hold a base predictor"):
        load_base(folder)


@pytest.mark.parametrize(("name", "value"), [("size_length", 0), ("smooth", -1), ("own", float("nan")), ("between", 2)])
def test_a_covariance_that_is_none_is_corrupt(folder: Path, name: str, value: float) -> None:
    change_manifest(folder, lambda manifest: manifest["covariance"].update({name: value}))
    with pytest.raises(ArtifactCorruptError):
        load_base(folder)


def alter(name: str, change: Callable[[np.ndarray], np.ndarray], arrays: Arrays) -> None:
    arrays[name] = change(arrays[name])


def drop(name: str, arrays: Arrays) -> None:
    del arrays[name]


def names_of_arrays(folder: Path) -> list[str]:
    with np.load(folder / ARRAYS) as stored:
        return sorted(stored.files)


@pytest.mark.parametrize("damage", ["longer", "deeper", "text", "not finite"])
def test_arrays_of_another_shape_or_kind_are_corrupt(base_at: Path, folder: Path, damage: str) -> None:
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "longer": lambda array: np.concatenate([array, array[:1]]),
        "deeper": lambda array: array[None],
        "text": lambda array: np.full(array.shape, "x"),
        "not finite": lambda array: np.full(array.shape, np.nan, np.float32),
    }
    for name in names_of_arrays(base_at):
        if name == "seen" and damage == "longer":
            continue  # any number of prompts
        if name == "prior_tree_threshold" and damage == "not finite":
            continue  # infinite on purpose
        shutil.copytree(base_at, folder, dirs_exist_ok=True)
        change_arrays(folder, partial(alter, name, changes[damage]))
        with pytest.raises(ArtifactCorruptError):
            load_base(folder)
            pytest.fail(f"{name}, {damage}: loaded")


def test_every_missing_array_is_noticed(base_at: Path, folder: Path) -> None:
    for name in names_of_arrays(base_at):
        shutil.copytree(base_at, folder, dirs_exist_ok=True)
        change_arrays(folder, partial(drop, name))
        with pytest.raises(ArtifactCorruptError, match=name):
            load_base(folder)


@pytest.mark.parametrize("value", [-1, 3])
def test_a_domain_that_there_is_not_is_corrupt(folder: Path, value: int) -> None:
    change_arrays(folder, lambda arrays: arrays["domain"].__setitem__(0, value))
    with pytest.raises(ArtifactCorruptError, match="domain"):
        load_base(folder)


def test_a_process_over_nothing_is_corrupt(folder: Path) -> None:
    def empty(arrays: Arrays) -> None:
        for name in ("coordinates", "family", "line", "identity", "domain", "ability_weights"):
            arrays[name] = arrays[name][:0]
        arrays["ability_inverse"] = arrays["ability_inverse"][:0, :0]

    change_arrays(folder, empty)
    with pytest.raises(ArtifactCorruptError, match="domain"):
        load_base(folder)


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


@pytest.mark.parametrize("place", ["instead of an array", "beside the arrays", "instead of the archive"])
def test_a_pickle_is_refused_and_never_run(folder: Path, tmp_path: Path, place: str) -> None:
    payload = Payload(tmp_path / "ran")
    hidden = np.array([payload], dtype=object)
    if place == "instead of an array":
        change_arrays(folder, lambda arrays: arrays.update(doubt=hidden), allow_pickle=True)
    elif place == "beside the arrays":
        change_arrays(folder, lambda arrays: arrays.update(extra=hidden), allow_pickle=True)
    else:
        replace_arrays(folder, pickle.dumps(payload))
    with pytest.raises(ArtifactCorruptError):
        load_base(folder)
    assert not (tmp_path / "ran").exists()


LEAF = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
JSON = LEAF | st.lists(LEAF, max_size=4) | st.dictionaries(st.text(max_size=8), LEAF, max_size=4)


@settings(max_examples=40)
@given(key=st.sampled_from(["format", "schema_hash", "sha256", "names", "mean", "covariance", "info"]), value=JSON)
def test_any_manifest_is_an_artifact_error_or_a_base_predictor(base_at: Path, key: str, value: object) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(base_at, Path(temporary) / "base"))
        change_manifest(folder, lambda manifest: manifest.update({key: value}))
        try:
            loaded = load_base(folder)
        except ArtifactError as error:
            assert str(folder) in str(error)
            return
        assert np.isfinite(loaded.abilities.of([describe("qwen2.5:7b")])[0]).all()
