"""What is read into a prompt: named, fenced, bounded, and text only where text belongs."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnout.cli.reading import MOST_BYTES, read_files, read_image, with_context
from turnout.errors import RequestError


def test_each_text_stands_in_a_fence_under_its_name() -> None:
    assert with_context("why?", [("a.py", "x = 1\n"), ("standard input", "log")]) == (
        "why?\n\na.py:\n```py\nx = 1\n```\n\nstandard input:\n```\nlog\n```"
    )


@given(st.text(alphabet="`ab\n", max_size=60))
def test_no_text_ends_its_own_fence(text: str) -> None:
    fenced = with_context("why?", [("notes", text)]).split("notes:\n", 1)[1]
    fence = fenced.split("\n", 1)[0]
    assert set(fence) == {"`"} and len(fence) >= 3
    assert fence not in text and fenced.endswith(f"\n{fence}")


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (b"plain", "plain"),
        ("\ufeffmarked é".encode(), "marked é"),
        ("wide é".encode("utf-16"), "wide é"),
        ("a caf\u00e9 in a long enough line".encode("latin-1"), "a caf\ufffd in a long enough line"),
        (b"", ""),
    ],
)
def test_text_is_read_whatever_its_encoding(tmp_path: Path, content: bytes, text: str) -> None:
    path = tmp_path / "notes"
    path.write_bytes(content)
    assert read_files([path]) == [(str(path), text)]


@pytest.mark.parametrize("content", [b"\x00\x01", b"a\x00b", bytes(range(128, 256)) * 4])
def test_what_is_no_text_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "binary"
    path.write_bytes(content)
    with pytest.raises(RequestError, match="holds no text"):
        read_files([path])


def test_files_that_are_too_long_together_are_refused(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(5)]
    for path in paths:
        path.write_bytes(b"x" * MOST_BYTES)
    with pytest.raises(RequestError, match="5 MiB together; 4 MiB are the most"):
        read_files(paths)


def test_a_folder_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(RequestError, match="directory"):
        read_files([tmp_path])


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (b"\x89PNG\r\n\x1a\nrest", "image/png"),
        (b"\xff\xd8\xffrest", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF1234WEBPrest", "image/webp"),
    ],
)
def test_a_picture_is_known_by_its_beginning(tmp_path: Path, content: bytes, kind: str) -> None:
    path = tmp_path / "picture"
    path.write_bytes(content)
    assert read_image(path).startswith(f"data:{kind};base64,")


def test_sound_in_a_picture_s_container_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound"
    path.write_bytes(b"RIFF1234WAVErest")
    with pytest.raises(RequestError, match="no picture"):
        read_image(path)
