"""Hyperparameters: ranges, the file that holds tuned ones, and that a fit follows them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.errors import ConfigurationError
from turnout.predictor import load, save
from turnout.predictor.fit import TrainingData, fit
from turnout.predictor.settings import RANGES, FitSettings, read_settings, settings_content

Plant = Callable[..., tuple[TrainingData, Any]]


def test_every_setting_has_a_range_around_its_default() -> None:
    assert {entry.name for entry in fields(FitSettings)} == RANGES.keys()
    for name, (low, high) in RANGES.items():
        assert low <= getattr(FitSettings(), name) <= high


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("trees_per_bag", 0),
        ("trees_per_bag", 60.0),
        ("trees_per_bag", True),
        ("trees_per_bag", 10**400),
        ("learning_rate", float("nan")),
        ("learning_rate", float("inf")),
        ("learning_rate", "fast"),
        ("min_samples_leaf", None),
        ("leaf_penalty", -1.0),
        ("feature_share", 1.1),
        ("ridge_penalty", []),
    ],
)
def test_a_wrong_value_is_named_with_what_is_expected(name: str, value: object) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{name}' is .*, expected a .*number from"):
        FitSettings.of({name: value})


def test_an_unknown_setting_is_refused_with_those_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"'depth'; there is: trees_per_bag, "):
        FitSettings.of({"depth": 4})


# The file


def test_settings_come_back_from_their_file(tmp_path: Path) -> None:
    path, settings = tmp_path / "settings.json", FitSettings(trees_per_bag=33, ridge_penalty=1.5)
    assert read_settings(path) is None
    path.write_bytes(settings_content(settings, {"gain": [0.1, 0.01, 0.2]}))
    assert read_settings(path) == settings


def test_a_file_that_names_a_part_keeps_the_other_defaults(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{"settings": {"leaf_penalty": 7}}', encoding="utf-8")
    assert read_settings(path) == FitSettings(leaf_penalty=7)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"{}",
        b'{"settings": 3}',
        b'{"settings": {"depth": 4}}',
        b'{"settings": {"trees_per_bag": "many"}}',
        b'{"settings": {"learning_rate": NaN}}',
        b'{"settings": {"trees_per_bag": ' + b"9" * 5000 + b"}}",
        b"\xff\xfe\x00",
        b"[" * 100_000,
        b'{"settings": {}}' + b" " * (1 << 20),
    ],
    ids=lambda content: repr(content[:24]),
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "settings.json"
    path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"settings\.json does not hold settings"):
        read_settings(path)


def test_a_folder_in_its_place_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_settings(tmp_path)


# What a fit makes of them


def test_the_trees_and_the_ridge_follow_their_settings(plant: Plant) -> None:
    data, _ = plant(60, measured=False)
    few = fit(data, settings=FitSettings(trees_per_bag=5)).predictor
    assert len(few.forest.feature) == 5 * 4 * 2, "bags and outputs"
    strict = fit(data, settings=FitSettings(trees_per_bag=5, ridge_penalty=100.0)).predictor
    assert np.abs(strict.ngrams.weights).sum() < np.abs(few.ngrams.weights).sum()
    np.testing.assert_array_equal(strict.forest.leaves, few.forest.leaves)
    for changed in (
        {"learning_rate": 0.3},
        {"min_samples_leaf": 5},
        {"leaf_penalty": 50.0},
        {"feature_share": 1.0},
    ):
        other = fit(data, settings=replace(FitSettings(trees_per_bag=5), **changed)).predictor
        assert (other.forest.leaves != few.forest.leaves).any(), changed


def test_the_manifest_records_them(plant: Plant, tmp_path: Path) -> None:
    data, _ = plant(60, measured=False)
    save(fit(data, {"created": "then"}, settings=FitSettings(trees_per_bag=4)).predictor, tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["settings"] == FitSettings(trees_per_bag=4).to_json()
    assert FitSettings.of(load(tmp_path).info["settings"]) == FitSettings(trees_per_bag=4)
