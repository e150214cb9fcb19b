"""The functions of the extension. Arrays are C-contiguous and aligned; those that take a result come last."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Doubles = NDArray[np.float64]
_Integers = NDArray[np.int64]
_Records = NDArray[np.void]

REVISION: int

def make_lexicon(kinds: Mapping[str, int], longest: int, /) -> bytes: ...
def read_words(raw: bytes, lexicon: bytes, memo: Mapping[bytes, bytes], /) -> bytes: ...
def sort_lines(raw: bytes, openers: bytes, /) -> tuple[bytearray, int, int]: ...
def listed_words(raw: bytes, lexicon: bytes, /) -> list[bytes]: ...
def sift_secrets(raw: bytes, sieve: bytes, second_sieve: bytes, /) -> tuple[list[int], bool]: ...
def count_surface(
    raw: bytes,
    words: _Records,
    asked: _Records,
    byte_classes: bytes,
    kind_groups: _Floats,
    layout: NDArray[np.int32],
    vector: _Floats,
    /,
) -> tuple[int, int, int, int, float, int, float, float, float, float]: ...
def ngram_buckets(hashes: NDArray[np.uint32], buckets: _Integers, counts: _Integers, /) -> int: ...
def task_outputs(
    buckets: _Integers,
    words: _Records,
    raw: bytes,
    chars: _Records,
    scale: _Floats,
    surface: _Floats,
    mean: _Floats,
    deviation: _Floats,
    weights: _Doubles,
    outputs: _Floats,
    /,
) -> None: ...
def task_scores(outputs: _Floats, constants: _Doubles, scores: _Doubles, /) -> None: ...
def ngram_scores(
    idf: _Floats,
    weights: _Floats,
    intercept: _Floats,
    buckets: _Integers,
    counts: _Integers,
    scores: _Floats,
    /,
) -> float: ...
def walk_trees(
    feature: NDArray[np.int32],
    threshold: _Floats,
    leaves: _Floats,
    baseline: _Floats,
    vector: _Floats,
    outputs: _Floats,
    /,
) -> None: ...
def blend_scores(
    ngram_part: _Floats,
    tree_part: _Floats,
    offset: _Floats,
    ngram_gain: _Floats,
    tree_gain: _Floats,
    to_outputs: _Floats,
    to_scores: _Floats,
    scores: _Floats,
    /,
) -> None: ...
def apply_curves(
    scores: _Floats,
    knots: _Floats,
    widths: _Floats,
    slopes: _Floats,
    values: _Floats,
    bounds: _Doubles,
    probabilities: _Doubles,
    /,
) -> None: ...
def shift_scores(scores: _Floats, bounds: _Doubles, probabilities: _Doubles, /) -> None: ...
def standardise(vector: _Floats, mean: _Floats, deviation: _Floats, standardised: _Floats, /) -> None: ...
def expect(
    standardised: _Floats, weights: _Floats, intercept: _Floats, low: _Floats, high: _Floats, expected: _Floats, /
) -> None: ...
