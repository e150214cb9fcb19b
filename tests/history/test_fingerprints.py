"""Fingerprints of prompts, and the key they are made with."""

from __future__ import annotations

import hashlib
import os
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from turnout.history.fingerprints import KEY_FILE, Fingerprints, load_key


def test_a_prompt_has_one_fingerprint_under_one_key() -> None:
    assert Fingerprints(b"a" * 32).of("hello") == Fingerprints(b"a" * 32).of("hello")
    made = Fingerprints(b"a" * 32)
    assert [made.of("hello"), made.of("world"), made.of("hello")] == [
        hashlib.blake2b(text, digest_size=16, key=b"a" * 32).hexdigest() for text in (b"hello", b"world", b"hello")
    ]


def test_another_key_gives_another_fingerprint() -> None:
    assert Fingerprints(b"a" * 32).of("hello") != Fingerprints(b"b" * 32).of("hello")


def test_half_a_surrogate_pair_has_a_fingerprint() -> None:
    assert len(Fingerprints(b"a" * 32).of("\ud800")) == 32


def test_the_key_stays_over_restarts_and_is_for_nobody_else(tmp_path: Path) -> None:
    key = load_key(tmp_path / "state")
    assert len(key) == 32
    assert load_key(tmp_path / "state") == key
    assert [path.name for path in (tmp_path / "state").iterdir()] == [KEY_FILE]
    if os.name == "posix":
        assert stat.S_IMODE((tmp_path / "state" / KEY_FILE).stat().st_mode) == 0o600


def test_of_many_that_make_a_key_at_once_all_have_the_same(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        keys = set(pool.map(lambda _: load_key(tmp_path), range(16)))
    assert len(keys) == 1


def test_a_damaged_key_is_replaced_with_a_warning(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / KEY_FILE).write_bytes(b"short")
    key = load_key(tmp_path)
    assert len(key) == 32 and load_key(tmp_path) == key
    assert "no key of 32 bytes" in caplog.text


def test_where_no_key_can_be_kept_a_passing_one_is_used(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "file").write_text("not a folder")
    assert len(load_key(tmp_path / "file")) == 32
    assert "a passing one is used" in caplog.text
