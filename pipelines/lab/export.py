"""Export: the checkpoints of trained language models to GGUF, kept only if the real engine says what PyTorch says.

    python -m turnout_pipelines.lab.export [--model small]...

Needs the extra `lab-train`. On each of 50 held-out prompts the engine's greedy answer must
be PyTorch's, token by token, and the log-probabilities within `TOLERANCE` nats; both compute with the file's weights.
A token may differ where PyTorch's own two best are closer than that.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import torch  # type: ignore[import-not-found, unused-ignore]
from turnout_pipelines.lab import checkpoint, gguf_file, vocabulary
from turnout_pipelines.lab.gguf_file import Trained
from turnout_pipelines.lab.model import Weights, greedy, logits, to_arrays
from turnout_pipelines.lab.sizes import SIZES, Size

from turnout.errors import ArtifactCorruptError, TurnoutError
from turnout.files import write_aside
from turnout.lab import generate
from turnout.lab.engine import MOST_TOKENS, serve

TOLERANCE: Final = 0.05
"""Nats. The engine multiplies half-precision numbers and sums them in another order."""

_PROMPTS: Final = 50
_SEED: Final = 2_000_003


@dataclass(frozen=True, slots=True)
class Agreement:
    """How the engine and PyTorch agree: answers equal of all, ties broken differently, the largest gap in nats."""

    prompts: int
    equal: int
    ties: int
    gap: float


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if a model is missing or the engine disagrees."""
    parser = argparse.ArgumentParser(prog="lab.export", description="Export the laboratory's models to GGUF.")
    parser.add_argument("--model", choices=SIZES, action="append", help="one or more; all without it")
    options = parser.parse_args(arguments)
    try:
        for name in options.model or SIZES:
            path, agreed = export(SIZES[name])
            print(
                f"{path}: {path.stat().st_size / 1e6:.1f} MB; {agreed.equal} of {agreed.prompts} answers equal, "
                f"{agreed.ties} ties, log-probabilities within {agreed.gap:.4f} nats"
            )
    except TurnoutError as error:
        print(f"lab.export: {error}", file=sys.stderr)
        return 1
    return 0


def export(size: Size) -> tuple[Path, Agreement]:
    """Write the file of the last checkpoint; a file that was there stays if the engine disagrees."""
    state = checkpoint.read(size.name)
    with tempfile.TemporaryDirectory() as folder:
        draft = Path(folder) / f"{size.name}.gguf"
        trained = Trained(state.seed, state.steps, state.seconds / 60, state.tokens)
        gguf_file.write(draft, size, to_arrays(state.weights), trained)
        agreed = agreement(draft)
        write_aside(checkpoint.shipped(size.name), draft.read_bytes())
    return checkpoint.shipped(size.name), agreed


def agreement(path: Path) -> Agreement:
    """Compare the engine and PyTorch on that file.

    Raises:
        ArtifactCorruptError: they disagree.
    """
    size, weights = checkpoint.load(path)
    equal, ties, gap = 0, 0, 0.0
    with serve(path) as engine:
        for task in generate(_PROMPTS, _SEED):
            [(tokens, expected)] = greedy(weights, size, [vocabulary.asked(task.prompt)], MOST_TOKENS)
            said = engine.ask(task.prompt)
            same = _sure(said.text) == _sure(vocabulary.text(tokens))
            # The server leaves tokens out that are no UTF-8 yet: then there is no telling which number is whose.
            whole = len(said.logprobs) == said.completion_tokens and "\N{REPLACEMENT CHARACTER}" not in said.text
            together = zip(said.logprobs, expected, strict=False) if whole else ()
            gaps = [abs(ours - theirs) for ours, theirs in together]
            if same and max(gaps, default=0.0) <= TOLERANCE:
                equal, gap = equal + 1, max([gap, *gaps])
            elif not same and any(distance <= TOLERANCE for distance in _leads(weights, size, task.prompt, tokens)):
                ties += 1
            else:
                raise ArtifactCorruptError(
                    f"{path}: asked {task.prompt!r} the engine says {said.text!r}, PyTorch {vocabulary.text(tokens)!r}; "
                    f"log-probabilities differ by up to {max(gaps, default=0.0):.3f} nats"
                )
    return Agreement(_PROMPTS, equal, ties, gap)


def _sure(text: str) -> str:
    """The text up to bytes that are no UTF-8, of which the server withholds some; a trained model says none."""
    return text.partition("\N{REPLACEMENT CHARACTER}")[0]


def _leads(weights: Weights, size: Size, prompt: str, tokens: list[int]) -> list[float]:
    """How far the likeliest token is ahead of the next, at each place of an answer, nats."""
    asked = vocabulary.asked(prompt)
    with torch.inference_mode():
        best = logits(weights, size, torch.tensor([asked + tokens]))[0, len(asked) - 1 : -1].topk(2).values
    return [float(first - second) for first, second in best]


if __name__ == "__main__":
    raise SystemExit(main())
