"""The running laboratory: every size in its dialect, a configuration that offers them, and files that can be replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from turnout import HybridClient
from turnout.config.loader import load
from turnout.errors import ConfigurationError, LoadFailedError
from turnout.lab import generate
from turnout.lab.laboratory import laboratory
from turnout.types import Sampling

pytestmark = pytest.mark.anyio

GREEDY = Sampling(temperature=0.0, logprobs=True, max_tokens=80)
NAMES = ("lmstudio/turnout-lab-small", "ollama/turnout-lab:medium", "llamacpp/turnout-lab-large")


@pytest.fixture
def three(small_file: Path, tmp_path: Path) -> Path:
    """A folder in which all sizes are the smallest one, so that it starts fast."""
    folder = tmp_path / "models"
    folder.mkdir()
    for size in ("small", "medium", "large"):
        shutil.copyfile(small_file, folder / f"{size}.gguf")
    return folder


async def test_every_dialect_answers_with_text_and_log_probabilities(three: Path, tmp_path: Path) -> None:
    async with laboratory(tmp_path / "lab", models=three) as lab:
        assert lab.candidates == NAMES and (lab.fast, lab.strong) == (NAMES[0], NAMES[2])
        async with HybridClient.from_config(lab.config_path, settings=lab.settings, state=lab.folder) as client:
            for task in generate(2, seed=0):
                said = [await client.complete(task.prompt, candidate=name, sampling=GREEDY) for name in lab.candidates]
                assert len({completion.answer.text for completion in said}) == 1 != len(said)
                assert all(completion.answer.logprobs[0].logprob < 0 for completion in said)
                assert len({completion.answer.usage.completion_tokens for completion in said}) == 1
            streamed = client.stream(task.prompt, candidate=lab.strong, sampling=GREEDY)
            assert "".join([chunk.text async for chunk in streamed]) == said[0].answer.text
    assert (tmp_path / "lab" / "history.db").is_file()


async def test_any_sizes_will_do_and_the_last_is_the_strong_one(three: Path, tmp_path: Path) -> None:
    (three / "medium.gguf").unlink()
    (three / "large.gguf").unlink()
    async with laboratory(tmp_path, models=three) as lab:
        assert lab.candidates == (NAMES[0],) and lab.strong == lab.fast


async def test_the_configuration_is_as_asked_for(three: Path, tmp_path: Path) -> None:
    for size in ("medium", "large"):
        (three / f"{size}.gguf").unlink()
    asked = {"exploration": 0.25, "settings": ("routing.escalation.enabled=false",)}
    async with laboratory(tmp_path / "a", models=three, **asked) as lab:  # type: ignore[arg-type]
        configuration = lab.configuration
        assert configuration.hybrid.exploration.enabled and configuration.hybrid.exploration.rate == 0.25
        assert not configuration.routing.escalation.enabled and configuration.candidates == lab.candidates
        assert load(lab.config_path).configuration.routing.escalation.enabled
    async with laboratory(tmp_path / "b", models=three, exploration=0) as lab:
        assert not lab.configuration.hybrid.exploration.enabled


@pytest.mark.parametrize("name", NAMES)
async def test_a_file_is_replaced_under_the_same_name_and_address(three: Path, tmp_path: Path, name: str) -> None:
    async with laboratory(tmp_path / "lab", models=three) as lab:
        bench = lab.bench(name)
        address, real = bench.base_url, bench.file
        async with HybridClient(lab.configuration, state=lab.folder) as client:
            (task,) = generate(1, seed=0)
            before = await client.complete(task.prompt, candidate=name, sampling=GREEDY)
            other = shutil.copyfile(real, tmp_path / "other.gguf")
            await lab.swap(name, other)
            after = await client.complete(task.prompt, candidate=name, sampling=GREEDY, use_cache=False)
        assert (lab.bench(name).file, lab.bench(name).base_url) == (other, address)
        assert (after.candidate, after.answer.text) == (before.candidate, before.answer.text)


async def test_a_file_that_cannot_run_leaves_the_old_one_at_work(three: Path, tmp_path: Path) -> None:
    (three / "medium.gguf").unlink()
    (three / "large.gguf").unlink()
    (tmp_path / "no.gguf").write_bytes(b"words")
    async with laboratory(tmp_path / "lab", models=three) as lab:
        with pytest.raises(LoadFailedError):
            await lab.swap(lab.fast, tmp_path / "no.gguf")
        with pytest.raises(ConfigurationError, match=r"has no other/one; it has lmstudio/turnout-lab-small"):
            await lab.swap("other/one", three / "small.gguf")
        async with HybridClient(lab.configuration, state=lab.folder) as client:
            assert (await client.complete("Reverse abc.", sampling=GREEDY)).candidate == lab.fast
