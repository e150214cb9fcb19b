"""Which language models of the laboratory are there, and engines that start and end with a block."""

from __future__ import annotations

import asyncio
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from turnout.errors import ConfigurationError, LoadFailedError, MissingExtraError
from turnout.lab import running as module
from turnout.lab.running import lab_files, running

pytestmark = pytest.mark.anyio


def alive(address: str) -> bool:
    try:
        with urllib.request.urlopen(f"{address}/health", timeout=5) as response:
            return bool(response.status == 200)
    except urllib.error.URLError:
        return False


def test_files_are_found_weakest_first_whatever_is_missing(tmp_path: Path) -> None:
    for name in ("large", "small", "other"):
        (tmp_path / f"{name}.gguf").write_bytes(b"")
    assert list(lab_files(tmp_path)) == ["small", "large"]


def test_the_usual_folder_is_where_the_environment_points(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    with pytest.raises(ConfigurationError, match=r"TURNOUT_MODELS"):
        lab_files()
    (tmp_path / "lab").mkdir()
    (tmp_path / "lab" / "medium.gguf").write_bytes(b"")
    assert list(lab_files()) == ["medium"]


async def test_an_engine_runs_until_the_block_ends(small_file: Path) -> None:
    async with running(small_file, "some-name") as address:
        assert await asyncio.to_thread(alive, address)
    assert not await asyncio.to_thread(alive, address)


async def test_who_is_cancelled_while_it_starts_leaves_nothing(
    small_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, addresses = asyncio.Event(), []
    loop, real = asyncio.get_running_loop(), module._start

    def noticed(*arguments: object) -> str:
        loop.call_soon_threadsafe(begun.set)
        addresses.append(real(*arguments))  # type: ignore[arg-type]
        return addresses[0]

    monkeypatch.setattr(module, "_start", noticed)
    task = asyncio.ensure_future(running(small_file, "x").__aenter__())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert addresses and not await asyncio.to_thread(alive, addresses[0])


async def test_a_file_that_is_no_language_model_is_refused(small_file: Path, tmp_path: Path) -> None:
    (tmp_path / "x.gguf").write_bytes(b"words")
    with pytest.raises(LoadFailedError):
        async with running(tmp_path / "x.gguf", "x"):
            pass
    with pytest.raises(ConfigurationError, match=r"y\.gguf cannot be read"):
        async with running(tmp_path / "y.gguf", "y"):
            pass


async def test_without_the_engine_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(module, "find_spec", lambda _: None)
    with pytest.raises(MissingExtraError, match=r"pip install 'turnout\[lab\]'"):
        async with running(tmp_path / "x.gguf", "x"):
            pass
