"""The bundled routing history, simulated: five made-up candidates meet the project's own labelled prompts.

No language model was run. The numbers have the shape of real ones, so that the project can be tried, trained and
tested end to end before a machine has a history of its own; they say nothing about any real language model.

- Success is a coin whose chance comes from an item-response model (Birnbaum's, with an upper asymptote):
  `CEILING * sigmoid(SLOPE * (strength - difficulty))`.
- Difficulty is a share of the complexity, a step for the strong tier, and noise that all candidates share.
- Strength is the candidate's ability and its family's skill in the task type, less penalties for a language other
  than English and for a long prompt.
- Seconds are prefill plus decode at fixed rates, times noise; nothing is loaded, nothing waits in a queue.

One prompt's draws come from a generator seeded by (seed, crc32 of its id): other prompts never change them.
"""

from __future__ import annotations

import json
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd

from turnout.errors import DataError
from turnout.types import TASK_TYPES, TIERS, TaskType, Tier

Part: TypeAlias = Literal["train", "heldout"]
Cue: TypeAlias = Literal["plain", "misleading"]
Family: TypeAlias = Literal["coder", "generalist"]

MAX_COMPLEXITY = 10


@dataclass(frozen=True, slots=True)
class DeveloperPrompt:
    """One labelled prompt of data/prompts.jsonl; data/README.md says what each label means.

    `complexity` is an integer from 0 to 10, `language` an ISO 639-1 code.
    """

    id: str
    part: Part
    task_type: TaskType
    tier: Tier
    complexity: int
    language: str
    cue: Cue
    prompt: str


@dataclass(frozen=True, slots=True)
class SimulatedCandidate:
    """One candidate of the simulation, on one imagined machine with about 400 GB/s of memory bandwidth.

    `ability` is the difficulty at which half of the answers succeed (before the ceiling); `foreign_penalty` and
    `long_penalty` are on the same scale, the latter for each doubling of the prompt beyond `LONG_TOKENS`. The rates,
    in tokens a second, are made up in the style of public reports for 4-bit weights.
    """

    name: str
    family: Family
    ability: float
    foreign_penalty: float
    long_penalty: float
    prefill_tps: float
    decode_tps: float


CANDIDATES = (
    SimulatedCandidate("lmstudio/qwen2.5-coder-1.5b", "coder", 1.4, 0.5, 0.3, 2800.0, 165.0),
    SimulatedCandidate("lmstudio/qwen2.5-coder-7b", "coder", 2.95, 0.4, 0.15, 650.0, 62.0),
    SimulatedCandidate("lmstudio/llama-3.1-8b", "generalist", 3.0, 0.2, 0.15, 600.0, 57.0),
    SimulatedCandidate("ollama/qwen2.5-coder-32b", "coder", 5.0, 0.1, 0.05, 140.0, 15.0),
    SimulatedCandidate("ollama/llama-3.3-70b", "generalist", 5.4, 0.0, 0.05, 62.0, 7.5),
)
"""Cheapest first."""

CEILING = 0.97
"""Some answers fail whatever the difficulty: cut off, refused, in the wrong form."""

SLOPE = 1.3
COMPLEXITY_WEIGHT = 0.3
STRONG_STEP = 1.2
"""Slope, weights and abilities were chosen together so that the means come out as wanted: on the fast tier about .66
for the 1.5B candidate, .9 for 7B and 8B, .97 for the large ones; on the strong tier about .07, .33 and .85."""

HARDEST = COMPLEXITY_WEIGHT * MAX_COMPLEXITY + STRONG_STEP
"""The largest difficulty that labels give."""

DIFFICULTY_NOISE = 0.6
"""Standard deviation of the part of the difficulty that no label explains."""

LONG_TOKENS = 128

SKILL: Mapping[Family, Mapping[TaskType, float]] = {
    "coder": {
        "template": 0.2,
        "format": 0.2,
        "edit": 0.1,
        "generation": 0.4,
        "debugging": 0.4,
        "analysis": -0.1,
        "planning": -0.3,
        "multi_file": 0.3,
        "general": -0.5,
    },
    "generalist": {
        "template": -0.1,
        "format": -0.1,
        "edit": 0.1,
        "generation": -0.3,
        "debugging": -0.3,
        "analysis": 0.2,
        "planning": 0.4,
        "multi_file": -0.3,
        "general": 0.5,
    },
}
"""What a family gains or loses in a task type: code for the one, prose for the other."""

CHARS_PER_TOKEN = 4
"""A rule of thumb for English; it undercounts Chinese and Japanese, and no tokenizer is worth a dependency here."""

COMPLETION_TOKENS: Mapping[TaskType, float] = {
    "template": 260.0,
    "format": 60.0,
    "edit": 60.0,
    "generation": 300.0,
    "debugging": 240.0,
    "analysis": 320.0,
    "planning": 400.0,
    "multi_file": 420.0,
    "general": 130.0,
}
"""Answer length at complexity 5, without what is repeated from the prompt."""

REPEATED: Mapping[TaskType, float] = {"format": 1.0, "edit": 1.0, "multi_file": 1.0, "debugging": 0.3}
"""Share of the prompt that the answer writes out again; nothing for the other types."""

LENGTH_NOISE = 0.3
SPEED_NOISE = 0.15
"""Standard deviations of the logarithms of answer length and of seconds."""

COLUMNS = (
    "prompt_id",
    "prompt",
    "model",
    "score",
    "dataset",
    "group",
    "latency_s",
    "cost_usd",
    "prompt_tokens",
    "completion_tokens",
)


def read_prompts(path: str | Path) -> list[DeveloperPrompt]:
    """Read labelled prompts, one JSON object a line.

    Raises:
        DataError: the file cannot be read, or a line is not such an object, carries an unknown label or repeats an
            id; the message names the file and the line.
    """
    path = Path(path)
    try:
        lines = path.read_text(encoding="utf-8").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as UTF-8 text: {error}") from error
    prompts: list[DeveloperPrompt] = []
    line_of: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            prompt = _prompt(json.loads(line))
        except json.JSONDecodeError as error:
            raise DataError(f"{path}, line {number}: not JSON, {error.msg} at column {error.colno}") from error
        except ValueError as error:
            raise DataError(f"{path}, line {number}: {error}") from error
        if prompt.id in line_of:
            raise DataError(f"{path}, line {number}: the id {prompt.id!r} stands on line {line_of[prompt.id]} already")
        line_of[prompt.id] = number
        prompts.append(prompt)
    return prompts


def _prompt(fields: Any) -> DeveloperPrompt:
    if not isinstance(fields, dict):
        raise ValueError(f"expected an object, found {type(fields).__name__}")
    expected = tuple(DeveloperPrompt.__dataclass_fields__)
    if set(fields) != set(expected):
        raise ValueError(f"expected the fields {', '.join(expected)}; found {', '.join(fields) or 'none'}")
    for name in ("id", "language", "prompt"):
        if not isinstance(fields[name], str) or not fields[name].strip():
            raise ValueError(f"{name} is {fields[name]!r}, expected text")
    for name, allowed in (("part", get_args(Part)), ("task_type", TASK_TYPES), ("tier", TIERS), ("cue", get_args(Cue))):
        if fields[name] not in allowed:
            raise ValueError(f"{name} is {fields[name]!r}, expected one of {', '.join(allowed)}")
    complexity = fields["complexity"]
    if type(complexity) is not int or not 0 <= complexity <= MAX_COMPLEXITY:
        raise ValueError(f"complexity is {complexity!r}, expected a whole number from 0 to {MAX_COMPLEXITY}")
    return DeveloperPrompt(**fields)


def count_tokens(text: str) -> int:
    """Tokens of a text by the rule of thumb: characters / 4, rounded up."""
    return math.ceil(len(text) / CHARS_PER_TOKEN)


def difficulty(prompt: DeveloperPrompt) -> float:
    """How hard a prompt is by its labels alone, on the scale of abilities: from 0 to `HARDEST`."""
    return COMPLEXITY_WEIGHT * prompt.complexity + STRONG_STEP * (prompt.tier == "strong")


def success_probability(candidate: SimulatedCandidate, prompt: DeveloperPrompt, noise: float = 0.0) -> float:
    """The chance that the candidate's answer to this prompt is good, `noise` being added to the difficulty."""
    strength = candidate.ability + SKILL[candidate.family][prompt.task_type]
    strength -= candidate.foreign_penalty * (prompt.language != "en")
    strength -= candidate.long_penalty * math.log2(max(1.0, count_tokens(prompt.prompt) / LONG_TOKENS))
    return CEILING / (1.0 + math.exp(-SLOPE * (strength - difficulty(prompt) - noise)))


def simulate_history(prompts: Sequence[DeveloperPrompt], *, seed: int = 0) -> pd.DataFrame:
    """Let every candidate answer every prompt, on paper.

    The same prompts and seed give the same table. Returns an outcome table, rows in the order of `prompts` and then
    of `CANDIDATES`: prompt_id, prompt, model, score (0.0 or 1.0), dataset ("developer"), group (each prompt is a
    task of its own), latency_s, cost_usd (0, all are local), prompt_tokens, completion_tokens.
    """
    rows = [row for prompt in prompts for row in _answers(prompt, seed)]
    return pd.DataFrame(rows, columns=list(COLUMNS))


def _answers(prompt: DeveloperPrompt, seed: int) -> list[tuple[Any, ...]]:
    rng = np.random.default_rng((seed, zlib.crc32(prompt.id.encode())))
    noise = DIFFICULTY_NOISE * rng.standard_normal()
    luck = rng.random(len(CANDIDATES))
    lengths = np.exp(LENGTH_NOISE * rng.standard_normal(len(CANDIDATES)))
    speeds = np.exp(SPEED_NOISE * rng.standard_normal(len(CANDIDATES)))
    prompt_tokens = count_tokens(prompt.prompt)
    written = COMPLETION_TOKENS[prompt.task_type] * (0.25 + 0.15 * prompt.complexity)
    repeated = REPEATED.get(prompt.task_type, 0.0) * prompt_tokens
    rows: list[tuple[Any, ...]] = []
    for index, candidate in enumerate(CANDIDATES):
        score = float(luck[index] < success_probability(candidate, prompt, noise))
        completion_tokens = max(1, round(written * lengths[index] + repeated))
        seconds = prompt_tokens / candidate.prefill_tps + completion_tokens / candidate.decode_tps
        rows.append(
            (
                prompt.id,
                prompt.prompt,
                candidate.name,
                score,
                "developer",
                prompt.id,
                round(seconds * float(speeds[index]), 3),
                0.0,
                prompt_tokens,
                completion_tokens,
            )
        )
    return rows
