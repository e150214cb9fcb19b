"""The laboratory's GGUF files: what is written is read back, and the real engine chats with it. No PyTorch is needed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("gguf", reason="GGUF files need the extra lab-train: gguf")

from tests.pipelines.lab.models import random_weights
from turnout_pipelines.lab import gguf_file, vocabulary
from turnout_pipelines.lab.sizes import SIZES

from turnout.errors import ArtifactCorruptError, ArtifactMissingError, LoadFailedError
from turnout.lab import generate
from turnout.lab.engine import MOST_TOKENS, serve

SMALL = SIZES["small"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("lab") / "small.gguf"
    gguf_file.write(path, SMALL, random_weights(SMALL))
    return path


@pytest.mark.parametrize(("name", "millions"), [("small", 0.3), ("medium", 2.0), ("large", 8.0)])
def test_sizes_are_what_they_are_said_to_be(name: str, millions: float) -> None:
    assert SIZES[name].parameters / 1e6 == pytest.approx(millions, rel=0.1)
    assert SIZES[name].width % (2 * SIZES[name].heads) == 0


def test_parameters_are_counted() -> None:
    assert SMALL.parameters == sum(values.size for values in random_weights(SMALL).values())


def test_weights_come_back_rounded_to_half_precision(model: Path) -> None:
    size, weights = gguf_file.read(model)
    written = random_weights(SMALL)
    assert size == SMALL and weights.keys() == written.keys()
    for name, values in written.items():
        assert weights[name].dtype == np.float32
        rounded = values.astype(np.float16) if values.ndim == 2 else values
        np.testing.assert_array_equal(weights[name], rounded.astype(np.float32))


def test_a_file_says_how_its_weights_came_about(model: Path, tmp_path: Path) -> None:
    told = gguf_file.Trained(seed=7, steps=1_234, minutes=5.5, tokens=6_000_000_000)
    gguf_file.write(tmp_path / "told.gguf", SMALL, random_weights(SMALL), told)
    assert gguf_file.trained(tmp_path / "told.gguf") == told
    assert gguf_file.trained(model) is None


def test_the_same_weights_give_the_same_file(model: Path, tmp_path: Path) -> None:
    again = tmp_path / "again.gguf"
    gguf_file.write(again, SMALL, random_weights(SMALL))
    assert again.read_bytes() == model.read_bytes()


def test_a_missing_and_a_foreign_file_are_told(tmp_path: Path) -> None:
    with pytest.raises(ArtifactMissingError, match=r"lab\.export"):
        gguf_file.read(tmp_path / "none.gguf")
    (tmp_path / "text.gguf").write_bytes(b"not a model" * 10)
    with pytest.raises(ArtifactCorruptError, match="not a language model"):
        gguf_file.read(tmp_path / "text.gguf")


def test_an_answer_is_read_up_to_its_end() -> None:
    said = [*vocabulary.answered("größe"), vocabulary.FIRST_BYTE + ord("x")]
    assert vocabulary.text(said) == "größe"
    assert vocabulary.text([vocabulary.FIRST_BYTE + 255]) == "\N{REPLACEMENT CHARACTER}"


def test_tokens_have_names_of_their_own() -> None:
    assert len(set(vocabulary.names())) == vocabulary.VOCABULARY


def test_the_longest_task_fits_the_context() -> None:
    for task in generate(500, 0, difficulties=[5]):
        answer = vocabulary.answered(task.answer)
        assert len(answer) <= MOST_TOKENS
        assert len(vocabulary.asked(task.prompt)) + MOST_TOKENS <= vocabulary.CONTEXT


def test_the_real_engine_chats_with_it_a_byte_a_token(model: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    with serve(model) as engine:
        first, again, umlaut = engine.ask("Reverse tabo.", 8), engine.ask("Reverse tabo.", 8), engine.ask("ä", 1)
    assert (first.text, first.logprobs) == (again.text, pytest.approx(again.logprobs, abs=1e-3))
    assert first.prompt_tokens == len(vocabulary.asked("Reverse tabo.")) and umlaut.prompt_tokens == 4
    assert 1 <= first.completion_tokens <= 8 and first.seconds > 0
    assert all(logprob <= 0 for logprob in first.logprobs)


def test_an_engine_without_a_model_says_why(tmp_path: Path) -> None:
    pytest.importorskip("xllamacpp", reason="the real engine needs xllamacpp")
    with (
        pytest.raises(LoadFailedError, match=r"(?s)the engine ended.*missing\.gguf"),
        serve(tmp_path / "missing.gguf"),
    ):
        pass
