"""Whatever the buffers hold: an error by name or a result, never a byte read or written outside.

`.ci/run` cannot see a read outside; these calls are what to run under AddressSanitizer.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.kernel.both import TEXTS, compiled_only

from turnout import kernel
from turnout.features import surface, text, words
from turnout.features.task import _CONSTANTS, load_task_model
from turnout.policy import mentions, privacy

pytestmark = compiled_only
native = kernel.native

GUARD = 64
REFUSED = (TypeError, ValueError, BufferError, MemoryError)

Call = tuple[Callable[..., Any], list[Any], int]
"""A function, arguments that are right, and how many of the last ones it writes to."""


def guarded(size: int, dtype: Any) -> NDArray[Any]:
    """An array for a result inside a larger one of sevens, which must stay sevens."""
    return np.full(size + 2 * GUARD, 7, dtype)[GUARD:-GUARD]


def intact(result: Any) -> bool:
    whole = getattr(result, "base", None)
    if not isinstance(whole, np.ndarray) or whole.size != result.size + 2 * GUARD:
        return True
    return bool((whole[:GUARD] == 7).all() and (whole[-GUARD:] == 7).all())


def calls() -> dict[str, Call]:
    rng = np.random.default_rng(0)
    raw = "please fix (x): see a.py\nA. yes\nB. für".encode()
    records = words.read_words(raw)
    model = load_task_model()
    few = np.array([3, 70, 4000], np.int64)

    def floats(*shape: int) -> NDArray[np.float32]:
        return rng.standard_normal(shape).astype(np.float32)

    return {
        "make_lexicon": (native.make_lexicon, [{"a": 1, "für": 2}, 20], 0),
        "read_words": (native.read_words, [raw, words._LEXICON, words._MEMO], 0),
        "sort_lines": (native.sort_lines, [raw, text._LEXICON], 0),
        "listed_words": (native.listed_words, [raw, mentions._LEXICON], 0),
        "sift_secrets": (native.sift_secrets, [raw, *privacy._SIEVES], 0),
        "count_surface": (
            native.count_surface,
            [
                raw,
                records,
                records[2:],
                surface._CLASS_OF_BYTE,
                words.KIND_GROUPS,
                surface._LAYOUT,
                guarded(len(surface.SURFACE_NAMES), np.float32),
            ],
            1,
        ),
        "ngram_buckets": (
            native.ngram_buckets,
            [np.arange(9, dtype=np.uint32), guarded(17, np.int64), guarded(17, np.int64)],
            2,
        ),
        "task_outputs": (
            native.task_outputs,
            [
                few,
                model.words,
                raw,
                model.chars,
                model.scale,
                floats(len(model.surface_mean)),
                model.surface_mean,
                model.surface_std,
                model.surface,
                guarded(11, np.float32),
            ],
            1,
        ),
        "task_scores": (native.task_scores, [floats(11), _CONSTANTS, guarded(14, np.float64)], 1),
        "ngram_scores": (
            native.ngram_scores,
            [floats(5000), floats(5000, 3), floats(3), few, np.array([1, 2, 9]), guarded(3, np.float32)],
            1,
        ),
        "walk_trees": (
            native.walk_trees,
            [
                rng.integers(0, 9, (6, 7)).astype(np.int32),
                floats(6, 7),
                floats(6, 8),
                floats(2),
                floats(9),
                guarded(2, np.float32),
            ],
            1,
        ),
        "blend_scores": (
            native.blend_scores,
            [floats(3), *(floats(2) for _ in range(4)), floats(3, 2), floats(2, 3), guarded(3, np.float32)],
            1,
        ),
        "apply_curves": (
            native.apply_curves,
            [floats(3), floats(3, 4), floats(3, 3), floats(3, 3), floats(3, 4), np.ones(3), guarded(3, np.float64)],
            1,
        ),
        "shift_scores": (native.shift_scores, [floats(3), np.array([0.1, 0.9]), guarded(3, np.float64)], 1),
        "standardise": (native.standardise, [floats(9), floats(9), floats(9), guarded(9, np.float32)], 1),
        "expect": (
            native.expect,
            [floats(9), floats(9, 3), floats(3), floats(3), floats(3), guarded(3, np.float32)],
            1,
        ),
    }


CALLS = calls() if kernel.COMPILED else {}


def test_every_function_is_called_here() -> None:
    assert {name for name in dir(native) if callable(getattr(native, name)) and name[0] != "_"} == set(CALLS)


@pytest.mark.parametrize("name", CALLS)
def test_right_arguments_are_taken_and_wrong_numbers_of_them_are_not(name: str) -> None:
    function, arguments, _ = CALLS[name]
    function(*arguments)
    for wrong in ([], arguments[:-1], [*arguments, arguments[0]]):
        with pytest.raises(TypeError):
            function(*wrong)


@pytest.mark.parametrize("name", CALLS)
@pytest.mark.parametrize("wrong", [None, 3, "text", [1.0], object()], ids=["None", "3", "text", "[1.0]", "an object"])
def test_what_is_no_buffer_is_refused(name: str, wrong: object) -> None:
    function, arguments, _ = CALLS[name]
    for at in range(len(arguments)):
        if (name, at) in (("read_words", 2), ("make_lexicon", 1)):
            continue
        with pytest.raises(TypeError):
            function(*arguments[:at], wrong, *arguments[at + 1 :])


@pytest.mark.parametrize("name", CALLS)
def test_results_are_not_written_into_what_cannot_be_changed(name: str) -> None:
    function, arguments, n_results = CALLS[name]
    for at in range(len(arguments) - n_results, len(arguments)):
        sealed = arguments[at].copy()
        sealed.setflags(write=False)
        with pytest.raises((ValueError, BufferError)):
            function(*arguments[:at], sealed, *arguments[at + 1 :])


@pytest.mark.parametrize("name", CALLS)
def test_arrays_of_another_size_or_order_do_no_harm(name: str) -> None:
    function, arguments, n_results = CALLS[name]
    results = arguments[len(arguments) - n_results :]
    for at, right in enumerate(arguments):
        for wrong in variations(right):
            with suppress(*REFUSED):
                function(*arguments[:at], wrong, *arguments[at + 1 :])
            assert all(intact(result) for result in (*results, wrong))


def variations(right: Any) -> list[Any]:
    """Too few, too many, scattered, backwards, unaligned, of other types."""
    if isinstance(right, bytes):
        return [b"", right[:1], right[:-1], right[1:], right * 3, right[: len(right) // 2], bytes(len(right))]
    if not isinstance(right, np.ndarray):
        return []
    flat = right.ravel()
    found: list[Any] = [flat[:0], flat[:1], flat[:-1], np.concatenate([flat, flat]), flat[::2], flat[::-1]]
    if right.dtype.names is None:
        found += [guarded(size, right.dtype) for size in (0, 1, right.size - 1, right.size + 1)]
        with np.errstate(invalid="ignore"):
            found += [right.astype(kind) for kind in (np.float64, np.int16, np.int32)]
        found.append(np.frombuffer(bytearray(b"\0" + right.tobytes()), right.dtype, offset=1))
    return found


@pytest.mark.parametrize("name", CALLS)
@settings(max_examples=60)
@given(data=st.data())
def test_arrays_of_any_content_do_no_harm(name: str, data: st.DataObject) -> None:
    function, arguments, n_results = CALLS[name]
    at = data.draw(st.integers(0, len(arguments) - 1))
    right = arguments[at]
    if isinstance(right, bytes):
        wrong: Any = data.draw(st.binary(max_size=300))
    elif isinstance(right, np.ndarray) and at < len(arguments) - n_results:
        noise = data.draw(st.binary(min_size=1, max_size=64))[: right.nbytes]
        where = data.draw(st.integers(0, min(4096, right.nbytes) - len(noise)))
        content = bytearray(right.tobytes())
        content[where : where + len(noise)] = noise
        wrong = np.frombuffer(content, right.dtype).reshape(right.shape)
    else:
        return
    with suppress(*REFUSED):
        function(*arguments[:at], wrong, *arguments[at + 1 :])
    assert all(intact(result) for result in arguments[len(arguments) - n_results :])


@given(st.binary(max_size=400) | TEXTS.map(lambda drawn: drawn.encode("utf-8", "replace")))
@settings(max_examples=200)
def test_bytes_that_are_no_text_do_no_harm(raw: bytes) -> None:
    native.sort_lines(raw, text._LEXICON)
    vector = guarded(len(surface.SURFACE_NAMES), np.float32)
    try:
        records = np.frombuffer(native.read_words(raw, words._LEXICON, words._MEMO), words.RECORD)
    except UnicodeDecodeError:
        return
    native.count_surface(raw, records, records, surface._CLASS_OF_BYTE, words.KIND_GROUPS, surface._LAYOUT, vector)
    assert intact(vector) and np.isfinite(vector).all()


def test_megabytes_are_read_in_one_piece() -> None:
    raw = b"ab 1.5 (x): y, z\n" * 300_000
    assert len(native.read_words(raw, words._LEXICON, words._MEMO)) == 5 * 300_000 * words.RECORD.itemsize
    kinds, options, bullets = native.sort_lines(raw, text._LEXICON)
    assert len(kinds) == 300_001 and (options, bullets) == (0, 0)


@pytest.mark.parametrize(("name", "at"), [("task_outputs", 0), ("ngram_scores", 3)])
@pytest.mark.parametrize("bucket", [-1, 1 << 18, 1 << 62, -(1 << 63)])
def test_a_bucket_out_of_range_is_refused(name: str, at: int, bucket: int) -> None:
    function, arguments, _ = CALLS[name]
    wrong = arguments[at].copy()
    wrong[1] = bucket
    with pytest.raises(ValueError, match="bucket"):
        function(*arguments[:at], wrong, *arguments[at + 1 :])


@pytest.mark.parametrize("column", [-1, 9, 2**31 - 1, -(2**31)])
def test_a_tree_of_another_predictors_features_is_refused(column: int) -> None:
    function, (feature, *others), _ = CALLS["walk_trees"]
    wrong = feature.copy()
    wrong[:, 0] = column
    with pytest.raises(ValueError, match="feature"):
        function(wrong, *others)


def test_a_word_of_an_unknown_kind_is_refused() -> None:
    function, (raw, records, *others), _ = CALLS["count_surface"]
    for kind in (len(words.KIND_GROUPS), 2**32 - 1):
        wrong = records.copy()
        wrong["kind"][-1] = kind
        for pair in ((wrong, records), (records, wrong), (wrong, wrong)):
            with pytest.raises(ValueError, match="kind"):
                function(raw, *pair, *others[1:])


def test_a_memo_that_fails_is_heard() -> None:
    class Broken(dict[bytes, bytes]):
        def __missing__(self, piece: bytes) -> bytes:
            raise LookupError(piece)

    with pytest.raises(LookupError):
        native.read_words("a für b".encode(), words._LEXICON, Broken())
    with pytest.raises(TypeError):
        native.read_words("für".encode(), words._LEXICON, {"für".encode(): 3})  # type: ignore[dict-item]


def test_a_lexicon_of_what_are_no_words_is_refused() -> None:
    for wrong in ({3: 1}, {"a": "b"}, {"a": -1}, {"\ud800": 1}):
        with pytest.raises((TypeError, OverflowError, UnicodeEncodeError)):
            native.make_lexicon(wrong, 20)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="lexicon"):
        native.make_lexicon({}, 1 << 21)
