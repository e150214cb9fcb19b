"""The file of weights: read as what it is, refused when it is something else. The numbers: see `test_embedders`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from turnout.execution.cache.minilm import MiniLM, _gelu


def write(path: Path, header: Any, content: bytes = b"") -> Path:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + content)
    return path


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(OSError, match=r"nothing\.safetensors"):
        MiniLM(tmp_path / "nothing.safetensors")


WORDS = "embeddings.word_embeddings.weight"


@pytest.mark.parametrize(
    "header",
    [
        {},
        b"no json",
        {WORDS: {"dtype": "F16", "shape": [2, 384], "data_offsets": [0, 1536]}},
        {WORDS: {"dtype": "F32", "shape": [2, 100], "data_offsets": [0, 800]}},
        {WORDS: {"dtype": "F32", "shape": [2, 384], "data_offsets": [0, 10**9]}},
    ],
)
def test_other_weights_are_refused(header: Any, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"tensor|JSON|Expecting|reshape"):
        MiniLM(write(tmp_path / "model.safetensors", header, bytes(4096)))


@pytest.mark.parametrize("content", [b"\xff" * 100, b"\x00" * 100, b"a"])
def test_a_file_of_another_kind_is_refused(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").write_bytes(content)
    with pytest.raises(ValueError, match="is no safetensors file"):
        MiniLM(tmp_path / "model.safetensors")


def test_the_activation_is_that_of_the_error_function() -> None:
    from math import erf, sqrt

    x = np.linspace(-6, 6, 1001, dtype=np.float32)
    exact = [value * (1 + erf(value / sqrt(2))) / 2 for value in x.tolist()]
    assert np.abs(_gelu(x) - exact).max() < 2e-6
