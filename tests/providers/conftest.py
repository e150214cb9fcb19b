"""A real engine, one for each test process: llama.cpp serving half a megabyte of random weights."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from tests.real_engine import Engine, require_engine, serve, write_model


@pytest.fixture(scope="session")
def llama_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the real engine's model and logs are. Skips where the engine cannot be had."""
    require_engine()
    return tmp_path_factory.mktemp("llama")


@pytest.fixture(scope="session")
def llama_model(llama_folder: Path) -> Path:
    """A random language model with a window of 512 tokens whose answers fill `max_tokens`."""
    return write_model(llama_folder / "tiny.gguf")


@pytest.fixture(scope="session")
def llama_engine(llama_model: Path, llama_folder: Path) -> Iterator[Engine]:
    """A real engine with two slots and no key, for all tests of this process: leave it running and idle."""
    with serve(llama_model, llama_folder) as engine:
        yield engine


@pytest.fixture(scope="session")
def llama_server(llama_engine: Engine) -> str:
    """The address of `llama_engine`, without a path: http://127.0.0.1:PORT."""
    return llama_engine.url


@pytest.fixture
def start_llama(llama_model: Path, llama_folder: Path) -> Iterator[Callable[..., Engine]]:
    """Starts another real engine for one test, with the options of `serve`; the test may kill it."""
    with ExitStack() as stack:

        def start(model: Path = llama_model, **options: Any) -> Engine:
            return stack.enter_context(serve(model, llama_folder, **options))

        yield start
