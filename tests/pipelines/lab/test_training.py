"""Training the laboratory's language models for a few steps, growing, resuming, exporting. Needs PyTorch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="training needs the extra lab-train: PyTorch")
pytest.importorskip("gguf", reason="exporting needs the extra lab-train: gguf")

import torch
from turnout_pipelines.lab import checkpoint, export, gguf_file, training, vocabulary
from turnout_pipelines.lab.growth import grown
from turnout_pipelines.lab.model import fresh, greedy, logits, to_arrays
from turnout_pipelines.lab.scores import right
from turnout_pipelines.lab.sizes import SIZES

from turnout.lab import generate

SMALL, MEDIUM = SIZES["small"], SIZES["medium"]
SECONDS = 3.0


def test_padding_at_the_end_changes_nothing_before_it() -> None:
    weights, tokens = fresh(SMALL, 0), torch.randint(4, 260, (1, 12))
    padded = torch.cat((tokens, torch.full((1, 4), vocabulary.END)), 1)
    alone, beside = logits(weights, SMALL, tokens), logits(weights, SMALL, padded)
    assert torch.allclose(alone, beside[:, :12], atol=1e-5)


def test_a_grown_model_says_what_the_smaller_one_says() -> None:
    weights, tokens = fresh(SMALL, 0), torch.randint(4, 260, (3, 20))
    larger = grown(weights, SMALL, MEDIUM, 1)
    assert sum(values.numel() for values in larger.values()) == MEDIUM.parameters
    assert torch.allclose(logits(weights, SMALL, tokens), logits(larger, MEDIUM, tokens), atol=1e-4)


def test_greedy_answers_end_or_are_cut() -> None:
    prompts = [vocabulary.asked("ab"), vocabulary.asked("cd")]
    for tokens, logprobs in greedy(fresh(SMALL, 0), SMALL, prompts, 6):
        assert len(tokens) == len(logprobs) <= 6 and all(logprob <= 0 for logprob in logprobs)
        assert vocabulary.END not in tokens[:-1]


def test_one_pass_judges_as_greedy_decoding_does() -> None:
    weights, tasks = fresh(SMALL, 0), generate(40, 0)
    asked = vocabulary.asked(tasks[0].prompt)
    [(tokens, _)] = greedy(weights, SMALL, [asked], 4)
    said = type(tasks[0])(tasks[0].prompt, vocabulary.text(tokens), "add", 1, "")
    answer = vocabulary.answered(said.answer)
    assert right(weights, SMALL, [said])[0] == float(answer == tokens)
    assert right(weights, SMALL, tasks).mean() < 0.2  # random weights know nothing


def test_the_rate_goes_up_once_and_then_down() -> None:
    rates = [training.rate(step / 200) for step in range(201)]
    peak = int(np.argmax(rates))
    assert 0 < peak < 10 and rates[peak] > 0.9 and rates[-1] < 0.03
    assert all(np.diff(rates[peak:]) <= 0) and all(np.diff(rates[: peak + 1]) >= 0)


def test_a_training_learns_resumes_and_is_exported(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    minutes = str(SECONDS / 60)
    assert training.main(["--model", "small", "--minutes", minutes, "--seed", "3", "--threads", "1"]) == 0
    first = checkpoint.read("small")
    assert first.steps >= 1 and first.seed == 3 and first.seconds >= SECONDS
    assert training.main(["--model", "small", "--minutes", minutes, "--resume"]) == 0  # it is over
    assert checkpoint.read("small").steps == first.steps
    longer = str(2 * SECONDS / 60)
    assert training.main(["--model", "small", "--minutes", longer, "--resume", "--threads", "1"]) == 0
    second = checkpoint.read("small")
    assert second.steps > first.steps and second.run_id == first.run_id and second.seed == 3

    pytest.importorskip("xllamacpp", reason="the check against the real engine needs xllamacpp")
    capsys.readouterr()
    assert export.main(["--model", "small"]) == 0
    assert "answers equal" in capsys.readouterr().out
    size, weights = gguf_file.read(models / "lab" / "small.gguf")
    assert size == SMALL
    kept = to_arrays(second.weights)
    assert all(np.allclose(values, kept[name], atol=1e-2) for name, values in weights.items())

    checkpoint.path_of("small").unlink()  # as in a fresh clone: the file says how far its training was
    again = checkpoint.read("small")
    assert (again.seed, again.steps, again.tokens) == (3, second.steps, second.tokens)
    assert again.seconds == pytest.approx(second.seconds, rel=1e-4)


def test_nothing_to_resume_and_nothing_to_grow_from_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path))
    for arguments in (["--model", "small", "--resume"], ["--model", "medium"]):
        assert training.main([*arguments, "--minutes", "1"]) == 1
        assert "--model small" in capsys.readouterr().err
