"""What is read into a prompt: files, standard input, pictures, a schema. Bounded in size, and text only where text belongs."""

from __future__ import annotations

import json
import os
import stat
import sys
from base64 import b64encode
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from turnout.errors import RequestError

MOST_BYTES: Final = 1 << 20
"""Of one file. A mebibyte is about 300,000 tokens, more than most context windows hold."""

MOST_BYTES_TOGETHER: Final = 4 << 20
MOST_IMAGE_BYTES: Final = 20 << 20

STANDARD_INPUT: Final = "standard input"

_MOST_GARBLED: Final = 0.1
_IMAGES: Final = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"RIFF", "image/webp"),
)


def is_piped() -> bool:
    """Whether standard input holds something to read: a pipe, a file or a socket, and no terminal."""
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (AttributeError, OSError, ValueError):
        return False
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def read_standard_input() -> str:
    """All of it as text.

    Raises:
        RequestError: too long, or no text.
    """
    return _text(sys.stdin.buffer.read(MOST_BYTES + 1), STANDARD_INPUT)


def read_files(paths: Sequence[Path]) -> list[tuple[str, str]]:
    """Names and texts of files.

    Raises:
        RequestError: one cannot be read, is too long or no text, or they are too long together.
    """
    read = [(str(path), _text(_bytes(path, MOST_BYTES), str(path))) for path in paths]
    together = sum(len(text.encode(errors="replace")) for _, text in read)
    if together > MOST_BYTES_TOGETHER:
        raise RequestError(f"the files hold {_mib(together)} together; {_mib(MOST_BYTES_TOGETHER)} are the most")
    return read


def with_context(prompt: str, context: Sequence[tuple[str, str]]) -> str:
    """The prompt, then each text in a fence under its name."""
    return "\n\n".join([prompt, *(f"{name}:\n{_fenced(name, text)}" for name, text in context)])


def read_image(path: Path) -> str:
    """A picture as a data URI.

    Raises:
        RequestError: it cannot be read, is too large, or no picture of a kind that language models take.
    """
    content = _bytes(path, MOST_IMAGE_BYTES)
    kind = next((kind for start, kind in _IMAGES if content.startswith(start)), None)
    if kind is None or (kind == "image/webp" and content[8:12] != b"WEBP"):
        raise RequestError(f"{path} is no picture that language models take: PNG, JPEG, GIF or WebP")
    return f"data:{kind};base64,{b64encode(content).decode()}"


def read_schema(path: Path) -> dict[str, Any]:
    """A JSON schema.

    Raises:
        RequestError: the file cannot be read, or holds no JSON object.
    """
    try:
        schema = json.loads(_text(_bytes(path, MOST_BYTES), str(path)))
    except (ValueError, RecursionError) as error:
        raise RequestError(f"{path} is not JSON: {error}") from error
    if not isinstance(schema, dict):
        raise RequestError(f"{path} is no JSON schema; expected an object such as {{'type': 'object', ...}}")
    return schema


def _bytes(path: Path, most: int) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise RequestError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > most:
        raise RequestError(f"{path} holds more than {_mib(most)}; name a smaller part of it")
    return content


def _text(content: bytes, name: str) -> str:
    if len(content) > MOST_BYTES:
        raise RequestError(f"{name} holds more than {_mib(MOST_BYTES)}; give a smaller part of it")
    encoding = "utf-16" if content.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    text = content.decode(encoding, errors="replace")
    if "\0" in text or text.count("\ufffd") > _MOST_GARBLED * len(text):
        raise RequestError(f"{name} holds no text; a picture is given with --image")
    return text


def _fenced(name: str, text: str) -> str:
    """Text in a fence that is longer than any inside it."""
    runs = [len(run) for run in "".join(mark if mark == "`" else " " for mark in text).split()]
    fence = "`" * max([3, *(run + 1 for run in runs)])
    return f"{fence}{Path(name).suffix.lstrip('.')}\n{text.rstrip()}\n{fence}"


def _mib(size_bytes: int) -> str:
    return f"{size_bytes / 2**20:.3g} MiB"
