"""Whatever is wrong with a predictor on disk, loading says so in one kind of error and runs nothing."""

from __future__ import annotations

import hashlib
import io
import json
import pickle
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from turnout.errors import ArtifactCorruptError, ArtifactError, ArtifactMismatchError, ArtifactMissingError
from turnout.features import extract
from turnout.predictor import Predictor, load, read_manifest, save

Arrays = dict[str, Any]


@pytest.fixture(scope="module")
def saved(predictor: Predictor, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound folder. Not to be changed."""
    folder = tmp_path_factory.mktemp("sound") / "champion"
    save(predictor, folder)
    return folder


@pytest.fixture
def folder(saved: Path, tmp_path: Path) -> Path:
    """A copy to be damaged."""
    return Path(shutil.copytree(saved, tmp_path / "champion"))


def arrays_file(folder: Path) -> Path:
    return next(folder.glob("arrays-*.npz"))


def sign(folder: Path, change: Callable[[dict[str, Any]], Any]) -> None:
    """Change the manifest and give it the digest that belongs to it, as an attacker or a bug would."""
    path = folder / "manifest.json"
    manifest = json.loads(path.read_bytes())
    del manifest["digest"]
    change(manifest)
    content = json.dumps(manifest, sort_keys=True, ensure_ascii=False).encode("utf-8", "surrogatepass")
    manifest["digest"] = hashlib.sha256(content).hexdigest()
    path.write_bytes(json.dumps(manifest, ensure_ascii=False).encode("utf-8", "surrogatepass"))


def replace_arrays(folder: Path, raw: bytes) -> None:
    """Put other bytes in the place of the arrays, with a manifest that vouches for them."""
    arrays_file(folder).write_bytes(raw)
    sign(folder, lambda manifest: manifest["arrays"].update(sha256=hashlib.sha256(raw).hexdigest(), bytes=len(raw)))


def change_arrays(folder: Path, change: Callable[[Arrays], Any], **options: Any) -> None:
    with np.load(arrays_file(folder)) as stored:
        arrays = dict(stored)
    change(arrays)
    buffer = io.BytesIO()
    np.savez(buffer, **options, **arrays)
    replace_arrays(folder, buffer.getvalue())


# Files that are gone, cut, or changed


def test_a_missing_folder_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError, match="turnout train --promote"):
        load(tmp_path / "nowhere")


def test_a_file_in_place_of_the_folder_is_missing(tmp_path: Path) -> None:
    (tmp_path / "champion").write_text("not a folder")
    with pytest.raises(ArtifactMissingError):
        load(tmp_path / "champion")


@pytest.mark.parametrize("pattern", ["manifest.json", "arrays-*.npz"])
def test_a_missing_file_is_named(folder: Path, pattern: str) -> None:
    gone = next(folder.glob(pattern))
    gone.unlink()
    with pytest.raises(ArtifactMissingError, match=gone.name):
        load(folder)


@pytest.mark.parametrize("pattern", ["manifest.json", "arrays-*.npz"])
def test_a_folder_in_place_of_a_file_is_named(folder: Path, pattern: str) -> None:
    path = next(folder.glob(pattern))
    path.unlink()
    path.mkdir()
    with pytest.raises(ArtifactMissingError, match=path.name):
        load(folder)


@pytest.mark.parametrize("pattern", ["manifest.json", "arrays-*.npz"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.999])
def test_a_truncated_file_is_corrupt(folder: Path, pattern: str, keep: float) -> None:
    path = next(folder.glob(pattern))
    content = path.read_bytes()
    path.write_bytes(content[: int(keep * len(content))])
    with pytest.raises(ArtifactCorruptError, match=path.name):
        load(folder)


@pytest.mark.parametrize("where", [0.0, 0.3, 0.7, 1.0])
def test_one_flipped_byte_in_the_arrays_is_corrupt(folder: Path, where: float) -> None:
    path = arrays_file(folder)
    content = bytearray(path.read_bytes())
    content[int(where * (len(content) - 1))] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match="SHA-256"):
        load(folder)


@pytest.mark.parametrize("old, new", [("local/small", "local/smarl"), ('"format": 1', '"format": 2'), ("0.75", "0.95")])
def test_an_edited_manifest_is_corrupt(folder: Path, old: str, new: str) -> None:
    path = folder / "manifest.json"
    text = path.read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")
    with pytest.raises(ArtifactCorruptError, match="altered"):
        load(folder)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\x00" * 100,
        b"\xff\xfe{}",
        b"[]",
        b"null",
        b'"text"',
        b"{}",
        b'{"digest": 1}',
        b"[" * 50_000,
        b'{"a":' * 50_000,
        b'{"digest": "x", "a": "\\ud800"}',
        b"1" * 10_000,
    ],
    ids=lambda content: repr(content[:12]),
)
def test_a_manifest_that_is_none_is_corrupt(folder: Path, content: bytes) -> None:
    (folder / "manifest.json").write_bytes(content)
    with pytest.raises(ArtifactCorruptError, match="is not a predictor's manifest"):
        load(folder)


def test_a_huge_manifest_is_refused_without_reading_it_all(folder: Path) -> None:
    with (folder / "manifest.json").open("r+b") as file:
        file.truncate(1 << 36)  # sparse: it takes no room on disk, but would take 64 GiB in memory
    with pytest.raises(ArtifactCorruptError, match="bytes"):
        load(folder)


# Files that are whole but not to be served


def test_another_feature_schema_is_a_mismatch(folder: Path) -> None:
    sign(folder, lambda manifest: manifest.update(schema_hash="0123456789abcdef"))
    with pytest.raises(ArtifactMismatchError, match="train again"):
        load(folder)


@pytest.mark.parametrize("form", [0, 2, "1", None, [1]])
def test_an_unknown_format_is_a_mismatch(folder: Path, form: object) -> None:
    sign(folder, lambda manifest: manifest.update(format=form))
    with pytest.raises(ArtifactMismatchError, match="format"):
        load(folder)


@pytest.mark.parametrize("key", ["format", "schema_hash", "candidates", "novelty_limit", "arrays"])
def test_a_manifest_that_lacks_a_key_is_corrupt(folder: Path, key: str) -> None:
    sign(folder, lambda manifest: manifest.pop(key))
    with pytest.raises(ArtifactCorruptError, match=key):
        load(folder)


@pytest.mark.parametrize(
    "name",
    [
        "../outside.npz",
        "/etc/hostname",
        "..",
        ".",
        "",
        "manifest.json",
        "sub/arrays-0123456789ab.npz",
        "a\x00b",
        "\ud800",
    ],
)
def test_an_array_file_of_another_name_or_place_is_refused(folder: Path, name: str) -> None:
    shutil.copy(arrays_file(folder), folder.parent / "outside.npz")
    (folder / "sub").mkdir()
    shutil.copy(arrays_file(folder), folder / "sub" / "arrays-0123456789ab.npz")
    sign(folder, lambda manifest: manifest["arrays"].update(file=name))
    with pytest.raises(ArtifactCorruptError):
        load(folder)


@pytest.mark.parametrize("arrays", [None, 5, "arrays.npz", [], {}, {"file": 5}, {"file": None, "sha256": None}])
def test_a_manifest_that_names_no_array_file_is_corrupt(folder: Path, arrays: object) -> None:
    sign(folder, lambda manifest: manifest.update(arrays=arrays))
    with pytest.raises(ArtifactCorruptError):
        load(folder)


def names_of_arrays(folder: Path) -> list[str]:
    with np.load(arrays_file(folder)) as stored:
        return sorted(stored.files)


@pytest.mark.parametrize("damage", ["longer", "flatter", "deeper", "text", "complex", "not finite"])
def test_arrays_of_the_wrong_shape_or_kind_are_refused(saved: Path, folder: Path, damage: str) -> None:
    changes: dict[str, Callable[[np.ndarray], np.ndarray]] = {
        "longer": lambda array: np.concatenate([array, array[:1]]),
        "flatter": lambda array: array.reshape(-1)[:-1],
        "deeper": lambda array: array[None],
        "text": lambda array: np.full(array.shape, "x"),
        "complex": lambda array: array.astype(np.complex64),
        "not finite": lambda array: np.full(array.shape, np.nan, np.float32),
    }
    for name in names_of_arrays(saved):
        if damage == "not finite" and name == "tree_threshold":
            continue  # infinite on purpose
        shutil.copytree(saved, folder, dirs_exist_ok=True)
        change_arrays(folder, lambda arrays, name=name: arrays.update({name: changes[damage](arrays[name])}))
        with pytest.raises(ArtifactCorruptError, match="arrays"):
            load(folder)
            pytest.fail(f"{name}, {damage}: loaded")


def test_every_missing_array_is_noticed(saved: Path, folder: Path) -> None:
    for name in names_of_arrays(saved):
        if name in ("seconds_weights", "cost_usd_weights", "answer_tokens_weights", "calibration_knots"):
            continue  # without these the part is absent
        shutil.copytree(saved, folder, dirs_exist_ok=True)
        change_arrays(folder, lambda arrays, name=name: arrays.pop(name))
        with pytest.raises(ArtifactCorruptError, match=name):
            load(folder)


@pytest.mark.parametrize(
    ("name", "value"), [("tree_feature", -1), ("tree_feature", 100_000), ("ngram_buckets", 1 << 18)]
)
def test_numbers_that_point_outside_are_refused(folder: Path, name: str, value: int) -> None:
    def change(arrays: Arrays) -> None:
        arrays[name] = arrays[name].copy()
        arrays[name].flat[-1] = value

    change_arrays(folder, change)
    with pytest.raises(ArtifactCorruptError):
        load(folder)


@pytest.mark.parametrize("candidates", [[], ["one"], ["a", "b", "c"], 5, None, {"a": 1}])
def test_candidates_that_do_not_fit_the_arrays_are_refused(folder: Path, candidates: object) -> None:
    sign(folder, lambda manifest: manifest.update(candidates=candidates))
    with pytest.raises(ArtifactCorruptError):
        load(folder)


# Code that must not run


class Payload:
    """Leaves a file behind when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[object, tuple[object, ...]]:
        return Path.touch, (self.path,)


def test_the_payload_would_run_if_anybody_unpickled_it(tmp_path: Path) -> None:
    pickle.loads(pickle.dumps(Payload(tmp_path / "ran")))
    assert (tmp_path / "ran").exists()


@pytest.mark.parametrize("place", ["instead of an array", "beside the arrays", "instead of the archive"])
def test_a_pickle_is_refused_and_never_run(folder: Path, tmp_path: Path, place: str) -> None:
    payload = Payload(tmp_path / "ran")
    hidden = np.array([payload], dtype=object)
    if place == "instead of an array":
        change_arrays(folder, lambda arrays: arrays.update(blend_offset=hidden), allow_pickle=True)
    elif place == "beside the arrays":
        change_arrays(folder, lambda arrays: arrays.update(extra=hidden), allow_pickle=True)
    else:
        replace_arrays(folder, pickle.dumps(payload))
    with pytest.raises(ArtifactCorruptError):
        load(folder)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    "raw",
    [b"", b"\x93NUMPY\x01\x00", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), bytes(1000), b"\x80\x04."],
    ids=["empty", "half an array", "half an archive", "empty archive", "zeros", "empty pickle"],
)
def test_arrays_that_are_no_archive_are_corrupt(folder: Path, raw: bytes) -> None:
    replace_arrays(folder, raw)
    with pytest.raises(ArtifactCorruptError):
        load(folder)


def test_an_array_that_claims_to_be_larger_than_memory_is_corrupt(folder: Path) -> None:
    raw = arrays_file(folder).read_bytes()
    shape = np.load(arrays_file(folder))["feature_mean"].shape[0]
    claim = f"'shape': ({shape},), }}".encode()
    assert raw.count(claim) >= 2
    replace_arrays(folder, raw.replace(claim + b" " * 12, f"'shape': ({shape}000000000000,), }}".encode()))
    with pytest.raises(ArtifactCorruptError):
        load(folder)


# Anything else


def refused_or_same(folder: Path, predictor: Predictor) -> None:
    """Loading raises an ArtifactError, or nothing that matters was changed (white space in the manifest)."""
    try:
        loaded = load(folder)
    except ArtifactError as error:
        assert str(folder) in str(error)
    else:
        features = extract("why does the quorum deadlock?")
        assert loaded.candidates == predictor.candidates
        np.testing.assert_array_equal(loaded.predict(features).p_success, predictor.predict(features).p_success)


@pytest.mark.parametrize("pattern", ["manifest.json", "arrays-*.npz"])
@given(data=st.data())
def test_any_damage_to_a_file_is_an_artifact_error(
    saved: Path, predictor: Predictor, pattern: str, data: st.DataObject
) -> None:
    content = bytearray(next(saved.glob(pattern)).read_bytes())
    for _ in range(data.draw(st.integers(1, 4), label="edits")):
        at = data.draw(st.integers(0, max(len(content) - 1, 0)), label="at")
        match data.draw(st.sampled_from(["flip", "cut", "insert", "drop"]), label="how"):
            case "flip" if content:
                content[at] ^= data.draw(st.integers(1, 255), label="bits")
            case "cut":
                del content[at:]
            case "insert":
                content[at:at] = data.draw(st.binary(min_size=1, max_size=20), label="bytes")
            case _:
                del content[at : at + 5]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(saved, Path(temporary) / "champion"))
        next(folder.glob(pattern)).write_bytes(content)
        refused_or_same(folder, predictor)


@settings(max_examples=80)
@given(data=st.data())
def test_any_damage_to_signed_arrays_is_an_artifact_error_or_a_predictor(saved: Path, data: st.DataObject) -> None:
    raw = bytearray(arrays_file(saved).read_bytes())
    headers = [at for at in range(len(raw) - 6) if raw[at : at + 6] == b"\x93NUMPY"]
    for _ in range(data.draw(st.integers(1, 4), label="edits")):
        near = data.draw(st.sampled_from([0, *headers, len(raw) - 2000]), label="near")
        at = (near + data.draw(st.integers(-60, 2000), label="offset")) % len(raw)
        raw[at] = data.draw(st.integers(0, 255), label="byte")
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(saved, Path(temporary) / "champion"))
        replace_arrays(folder, bytes(raw))
        try:
            loaded = load(folder)
        except ArtifactError:
            return
        assert np.isfinite(loaded.blend.offset).all()


LEAF = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(exclude_categories=()), max_size=8)
)
BRANCH = st.lists(LEAF, max_size=4) | st.dictionaries(st.text(max_size=8), LEAF, max_size=4)
JSON = LEAF | BRANCH | st.lists(BRANCH, max_size=3)


@settings(max_examples=80)
@given(
    key=st.sampled_from(["format", "schema_hash", "candidates", "novelty_limit", "arrays", "metrics", "new"]),
    value=JSON,
)
def test_any_signed_manifest_is_an_artifact_error_or_a_predictor(saved: Path, key: str, value: object) -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(shutil.copytree(saved, Path(temporary) / "champion"))
        sign(folder, lambda manifest: manifest.update({key: value}))
        try:
            loaded = load(folder)
        except ArtifactError:
            return
        assert len(loaded.candidates) == 2
        assert dict(read_manifest(folder)).keys() >= {"format", "candidates"}
