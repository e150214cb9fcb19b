"""What a training step of the laboratory reads: tasks by family and difficulty, as rows of tokens with few left empty."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from turnout_pipelines.lab import vocabulary

from turnout.lab import DIFFICULTIES, FAMILY_NAMES, Task
from turnout.lab.world import draw

NOT_LEARNT: Final = -100
"""The target where nothing is to be learnt: in the prompt, and after the answer."""

_FORGET: Final = 0.95
_LEAST, _MOST = 0.1, 0.5
_STEPS_OF_LENGTH: Final = 4
_ALL_DIFFICULTIES_FROM: Final = 0.35


@dataclass(frozen=True, slots=True)
class Rows:
    """Tokens and what follows each of them, (row, place), int64; `tasks` names the rows."""

    tokens: np.ndarray
    targets: np.ndarray
    tasks: Sequence[Task]


def rows(tasks: Sequence[Task]) -> Rows:
    """Tasks as rows of one length, padded at their end."""
    read = [(vocabulary.asked(task.prompt), vocabulary.answered(task.answer)) for task in tasks]
    longest = max(len(prompt) + len(answer) for prompt, answer in read) - 1
    places = -(-longest // _STEPS_OF_LENGTH) * _STEPS_OF_LENGTH
    tokens = np.full((len(tasks), places), vocabulary.END, np.int64)
    targets = np.full((len(tasks), places), NOT_LEARNT, np.int64)
    for row, (prompt, answer) in enumerate(read):
        begin, end = len(prompt) - 1, len(prompt) + len(answer) - 1
        tokens[row, :end] = [*prompt, *answer[:-1]]
        targets[row, begin:end] = answer
    return Rows(tokens, targets, tasks)


def by_length(tasks: Sequence[Task], parts: int) -> list[Rows]:
    """Tasks in `parts` of one number of rows, short ones together."""
    ordered = sorted(tasks, key=lambda task: len(task.prompt.encode()) + len(task.answer.encode()))
    count = len(ordered) // parts
    return [rows(ordered[part * count : (part + 1) * count]) for part in range(parts)]


@dataclass(slots=True)
class Mixture:
    """Which tasks come next: more of the families that are not known yet, the harder ones from later on.

    `wrong` is how often each family's answers would have been wrong of late.
    """

    wrong: dict[str, float] = field(default_factory=lambda: dict.fromkeys(FAMILY_NAMES, _MOST))

    def draw(self, seed: int, step: int, count: int, progress: float) -> list[Task]:
        """The tasks of a step; `progress` is the share of the training that is over."""
        chance = np.random.default_rng([seed, step])
        weight = np.clip(list(self.wrong.values()), _LEAST, _MOST)
        hardest = 2 + min(1.0, progress / _ALL_DIFFICULTIES_FROM) * (len(DIFFICULTIES) - 2)
        families = chance.choice(len(FAMILY_NAMES), count, p=weight / weight.sum())
        difficulties = 1 + (chance.random(count) * hardest).astype(int)
        return [
            draw(chance, FAMILY_NAMES[family], min(int(difficulty), len(DIFFICULTIES)), "train")
            for family, difficulty in zip(families, difficulties, strict=True)
        ]

    def learn(self, tasks: Sequence[Task], losses: np.ndarray) -> None:
        """Take note of each task's loss, nats for the whole answer: it would be said with a chance of exp(-loss).

        A loss by token would pass over families of short answers: a coin's toss is a fifth of a nat a byte of `yes`.
        """
        for task, wrong in zip(tasks, -np.expm1(-losses), strict=True):
            self.wrong[task.family] = _FORGET * self.wrong[task.family] + (1 - _FORGET) * float(wrong)
