"""The feature vector: for any text finite, of one length, the same every time, and moved by what it should see."""

from __future__ import annotations

import hashlib
import inspect
import os
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.errors import RequestError
from turnout.features import FEATURE_NAMES, Features, extract, schema_hash
from turnout.features.ngrams import BUCKETS
from turnout.features.surface import SURFACE_NAMES, surface_vector
from turnout.features.task import load_task_model
from turnout.features.text import read_prompt
from turnout.types import Image, Message, Request, Tool

ANY_TEXT = st.text(st.characters())
LINES = st.lists(
    st.sampled_from(
        ["def f(x):", "```", "~~~", "- item", "a,b,c", "| a | b |", "2024-01-01 12:00:00 ERROR x", "", "  "]
    )
    | ANY_TEXT,
    max_size=30,
).map("\n".join)
JUNK = st.binary(max_size=2000).map(lambda raw: raw.decode("latin-1"))


def named(request: Any) -> dict[str, float]:
    return dict(zip(FEATURE_NAMES, extract(request).vector.tolist(), strict=True))


def check(features: Features) -> None:
    """What holds for the features of any request."""
    assert features.vector.dtype == np.float32
    assert features.vector.shape == (len(FEATURE_NAMES),)
    assert np.isfinite(features.vector).all()
    assert features.buckets.dtype == features.counts.dtype == np.int64
    assert features.buckets.shape == features.counts.shape
    assert (np.diff(features.buckets) > 0).all(), "each bucket once, in order"
    assert not len(features.buckets) or (features.buckets[0] >= 0 and features.buckets[-1] < BUCKETS)
    assert (features.counts >= 1).all()


def fingerprint(prompt: str) -> str:
    features = extract(prompt)
    parts = (features.vector, features.buckets, features.counts)
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()


# For any text


@given(ANY_TEXT | LINES | JUNK)
def test_any_text_has_finite_features_of_the_schemas_length(text: str) -> None:
    check(extract(text))


@given(ANY_TEXT | LINES)
def test_the_same_text_has_the_same_features(text: str) -> None:
    assert fingerprint(text) == fingerprint("".join(list(text)))


@given(st.lists(st.tuples(st.sampled_from(["system", "user", "assistant", "tool"]), ANY_TEXT), min_size=1, max_size=5))
def test_any_conversation_has_finite_features(turns: list[tuple[str, str]]) -> None:
    check(extract([{"role": role, "content": text} for role, text in turns]))


def test_hostile_strings_have_finite_features(hostile_prompts: dict[str, str]) -> None:
    for prompt in hostile_prompts.values():
        check(extract(prompt))


def test_no_text_at_all_has_features_too() -> None:
    features = extract("")
    check(features)
    assert len(features.buckets) == 0


def test_a_value_that_is_no_request_is_refused() -> None:
    with pytest.raises(RequestError):
        extract(b"bytes")  # type: ignore[arg-type]


def test_features_do_not_depend_on_what_was_asked_before() -> None:
    before = fingerprint("sort the imports")
    extract("a" * 100_000 + "\n```\n")
    assert fingerprint("sort the imports") == before


# The schema


def test_feature_names_are_distinct_and_speakable() -> None:
    assert len(set(FEATURE_NAMES)) == len(FEATURE_NAMES)
    assert all(name.isidentifier() and name.islower() for name in FEATURE_NAMES)


def test_the_vector_begins_with_the_surface_features() -> None:
    request = Request.of('convert this JSON to YAML: {"a": 1}')
    surface = surface_vector(read_prompt(request.prompt), request)
    assert FEATURE_NAMES[: len(SURFACE_NAMES)] == SURFACE_NAMES
    np.testing.assert_array_equal(extract(request).vector[: len(surface)], surface)


def test_the_vector_ends_with_the_scores_of_the_task() -> None:
    features = extract("design a cache")
    found = named("design a cache")
    assert found["tier_score"] == pytest.approx(features.task.tier_score, abs=1e-6)
    assert 0 <= found["complexity_linear"] <= 10
    assert found["task_planning"] == pytest.approx(features.task.type_scores["planning"], abs=1e-6)


def test_the_task_weights_are_read_once() -> None:
    assert load_task_model() is load_task_model()


def test_the_schema_hash_is_short_and_stays() -> None:
    assert schema_hash() == schema_hash()
    assert len(schema_hash()) == 16 and int(schema_hash(), 16)


def test_features_and_schema_are_the_same_in_every_process() -> None:
    prompt = "why does our naïve Lock 锁 deadlock? see app.py:\n```python\nx = {1, 2}\n```"
    script = (
        "import hashlib, sys\nfrom turnout.features import extract, schema_hash\n"
        "f = extract(sys.argv[1])\n"
        "raw = b''.join(part.tobytes() for part in (f.vector, f.buckets, f.counts))\n"
        "print(schema_hash(), hashlib.sha256(raw).hexdigest())\n"
    )
    for seed in ("1", "2"):
        done = subprocess.run(
            [sys.executable, "-c", script, prompt],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.split() == [schema_hash(), fingerprint(prompt)]


@pytest.mark.parametrize(
    "names",
    [(*FEATURE_NAMES, "one_more"), FEATURE_NAMES[:-1], (FEATURE_NAMES[1], FEATURE_NAMES[0], *FEATURE_NAMES[2:])],
    ids=["added", "removed", "swapped"],
)
def test_the_schema_hash_changes_with_the_names(names: tuple[str, ...], monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = inspect.unwrap(schema_hash)
    before = fresh()
    monkeypatch.setattr("turnout.features.extractor.FEATURE_NAMES", names)
    assert fresh() != before


# What moves the vector


@pytest.mark.parametrize(
    ("prompt", "feature"),
    [
        ("is this right?", "ends_with_question"),
        ("これは正しいですか？", "ends_with_question"),
        ("convert this:", "ends_with_colon"),
        ("see https://example.com/a", "urls"),
        ("look at src/app/main.py", "files_named"),
        ("add 17 and 4", "numbers"),
        ("multiply by 3.14", "decimals"),
        ("fix\n```python\nx = 1\n```", "fences"),
        ("fix\nfor (int i = 0; i < n; i++) {\n  total += i;\n}", "code_line_share"),
        ("what is this\n2024-05-01 12:00:01 ERROR pool exhausted\n2024-05-01 12:00:02 ERROR again", "log_line_share"),
        ("total these\nname,age,city\nann,31,Oslo\nbob,22,Rome", "table_line_share"),
        ("why\nTraceback (most recent call last):\n  File \"a.py\", line 3, in f\nKeyError: 'a'", "stack_trace"),
        ("do\n- this\n- that", "bullets"),
        ("solve $x^2 = 4$", "latex"),
        ("rotate the jwt secret", "kw_security"),
        ("two goroutines and a mutex", "kw_concurrency"),
        ("warum ist das nicht richtig", "foreign_stop_word_share"),
        ("SELECT a FROM b", "lang_sql"),
        ("переименуй переменную", "char_cyrillic"),
        ("把变量改名", "char_han_kana"),
        ("변수 이름을 바꿔", "char_hangul"),
        ("أعد تسمية المتغير", "char_arabic_hebrew"),
        ("word " * 3000, "truncated"),
    ],
)
def test_a_feature_sees_what_its_name_says(prompt: str, feature: str) -> None:
    assert named(prompt)[feature] > 0
    assert named("tell me something")[feature] == 0


def test_words_in_pasted_code_are_present_but_not_asked_for() -> None:
    found = named("rename the variable\n```python\ndeadlock = mutex.lock()\n```")
    assert found["kw_concurrency"] > 0
    assert found["asks_concurrency"] == 0


def test_longer_prompts_have_larger_sizes() -> None:
    short, long = named("sort this"), named("sort this " * 50)
    assert all(long[name] > short[name] for name in ("log_chars", "log_words"))


def test_repeating_a_word_raises_its_count_and_adds_no_bucket_but_the_pair() -> None:
    once, twice = extract("cache"), extract("cache cache")
    assert (len(once.buckets), once.counts.sum()) == (1, 1)
    assert (len(twice.buckets), twice.counts.sum()) == (2, 3)


def test_upper_and_lower_case_share_their_words() -> None:
    np.testing.assert_array_equal(extract("Sort The IMPORTS").buckets, extract("sort the imports").buckets)


def test_word_order_matters_through_pairs() -> None:
    assert set(extract("a before b").buckets.tolist()) != set(extract("b before a").buckets.tolist())


# Context


TALK = ({"role": "user", "content": "write a parser"}, {"role": "assistant", "content": "here it is: ..."})
ASK = {"role": "user", "content": "now fix it"}


@pytest.mark.parametrize(
    ("request_", "feature"),
    [
        ([*TALK, ASK], "turns"),
        ([*TALK, ASK], "assistant_turns"),
        ([*TALK, ASK], "log_history_words"),
        ([{"role": "system", "content": "you are terse and careful"}, ASK], "log_system_words"),
        ([{"role": "developer", "content": "you are terse and careful"}, ASK], "log_system_words"),
        (Request((Message("user", "now fix it"),), tools=(Tool("a"), Tool("b"), Tool("c"))), "tools"),
        (Request((Message("user", "now fix it"),), files=("a.py", "b.py")), "files"),
        (Request((Message("user", "now fix it", images=(Image("a"), Image("b"))),)), "images"),
        ([{"role": "user", "content": [{"type": "text", "text": "now fix it"}, {"type": "image_url"}]}], "images"),
    ],
)
def test_context_raises_its_feature_and_leaves_the_words_alone(request_: Any, feature: str) -> None:
    alone = extract("now fix it")
    assert named(request_)[feature] > named("now fix it")[feature]
    np.testing.assert_array_equal(extract(request_).buckets, alone.buckets)


def test_the_last_user_message_is_judged_not_the_conversation_before_it() -> None:
    found = named([*TALK, {"role": "user", "content": "thanks?"}])
    assert found["ends_with_question"] == 1
    assert found["log_words"] == named("thanks?")["log_words"]


@given(st.integers(0, 10_000), st.integers(0, 50))
def test_any_number_of_tools_and_files_is_finite_and_counted(tools: int, files: int) -> None:
    features = extract(Request((Message("user", "go"),), tools=(Tool("a"),) * tools, files=("x",) * files))
    check(features)
    found = dict(zip(FEATURE_NAMES, features.vector.tolist(), strict=True))
    assert found["tools"] == pytest.approx(np.log1p(tools), abs=1e-5)
    assert found["files"] == pytest.approx(np.log1p(files), abs=1e-5)
