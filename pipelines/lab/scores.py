"""Which tasks a language model of the laboratory gets right, reckoned in one pass instead of word by word."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch  # type: ignore[import-not-found, unused-ignore]
from turnout_pipelines.lab.data import NOT_LEARNT, rows
from turnout_pipelines.lab.model import Weights, logits
from turnout_pipelines.lab.sizes import Size

from turnout.lab import Task

_ROWS: Final = 64


def right(weights: Weights, size: Size, tasks: Sequence[Task]) -> np.ndarray:
    """1 where greedy decoding says the answer and nothing else, else 0, in the order of the tasks.

    It does exactly if each token of the answer, and its end, is the likeliest after the ones before.
    """
    found = np.zeros(len(tasks))
    order = sorted(range(len(tasks)), key=lambda number: len(tasks[number].prompt) + len(tasks[number].answer))
    with torch.inference_mode():
        for start in range(0, len(order), _ROWS):
            numbers = order[start : start + _ROWS]
            batch = rows([tasks[number] for number in numbers])
            likeliest = logits(weights, size, torch.from_numpy(batch.tokens)).argmax(-1).numpy()
            found[numbers] = ((likeliest == batch.targets) | (batch.targets == NOT_LEARNT)).all(1)
    return found
