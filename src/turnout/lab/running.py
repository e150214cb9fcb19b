"""The laboratory's files, and one engine process for one of them, kept while a block runs."""

from __future__ import annotations

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator, Mapping
from contextlib import ExitStack, asynccontextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from turnout.config.paths import models_folder
from turnout.errors import ConfigurationError, MissingExtraError
from turnout.lab.engine import serve

SIZES: Final = ("small", "medium", "large")
"""Weakest and fastest first."""

MODEL_PREFIX: Final = "turnout-lab-"


def lab_files(folder: Path | None = None) -> Mapping[str, Path]:
    """The files that are there, by size, weakest first; the last one is the strong one.

    Args:
        folder: where they lie; `models/lab` where TURNOUT_MODELS says nothing else.

    Raises:
        ConfigurationError: none is there.
    """
    folder = models_folder() / "lab" if folder is None else folder
    files = {size: file for size in SIZES if (file := folder / f"{size}.gguf").is_file()}
    if not files:
        raise ConfigurationError(
            f"no language models of the laboratory in {folder}: run in a checkout of Turnout, "
            "or name the folder above them in TURNOUT_MODELS"
        )
    return files


@asynccontextmanager
async def running(file: Path, name: str) -> AsyncIterator[str]:
    """Run one language model on one thread and a free local port; the value is the base URL.

    The engine reads a copy, under `name`, by which it calls itself.

    Raises:
        MissingExtraError: the engine is not installed.
        LoadFailedError: it cannot run the file.
    """
    if find_spec("xllamacpp") is None:
        raise MissingExtraError("lab", "the laboratory")
    stack = ExitStack()
    starting = asyncio.ensure_future(asyncio.to_thread(_start, stack, file, name))
    try:
        yield await asyncio.shield(starting)
    finally:
        await asyncio.wait([starting])  # where its caller was cancelled meanwhile, it has to be ended all the same
        await asyncio.to_thread(stack.close)


def _start(stack: ExitStack, file: Path, name: str) -> str:
    folder = stack.enter_context(tempfile.TemporaryDirectory())
    try:
        copy = shutil.copyfile(file, Path(folder) / f"{name}.gguf")
    except OSError as error:
        raise ConfigurationError(f"{file} cannot be read ({error.strerror or error})") from error
    connection = stack.enter_context(serve(copy, threads=1)).connection
    connection.close()  # others ask from here on
    return f"http://{connection.host}:{connection.port}"
