"""The day of `hybrid.py`: two emulated language models, developer prompts, and how long and how good their answers are.

Both follow what is known of the prompts and the router is not told. Answers are as long as the older system's figures need:
at the strong one's emulated rate a template takes 15.3 seconds, formatting 12.7, a simple edit 8.2, complex analysis 45.2.
Whether one is right is drawn by the emulator from the language model's quality and the prompt's labelled difficulty;
its judge reads the answer, nothing else.
"""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Final

import pandas as pd
import yaml
from common import PROMPTS, ROOT

from turnout.emulators.answers import Script, succeeds
from turnout.emulators.language_model import model_from_name
from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.learning.simulation import COMPLETION_TOKENS, HARDEST, DeveloperPrompt, difficulty, read_prompts
from turnout.predictor.artifact import save
from turnout.predictor.fit import fit

SEED: Final = 0
SHIPPED: Final = ROOT / "config" / "hybrid.yaml"
FAST: Final = "lmstudio/llama-3.1-8b"
STRONG: Final = "ollama/mistral-large:123b"
"""A small one that is at its end where the labels ask for a strong one, as in the older figures, where all but a twentieth of
complex analysis went to the strong one, and a large one: qualities of .56 and .91, 53 and 6 tokens a second."""

FAST_MACHINE: Final = 4.0
"""How much faster than the emulator's figures the fast one's machine is: 212 tokens a second. The older figures are of the whole
older system, what it sent to the strong one and asked again included; a fast one that takes just these seconds by itself (150
tokens a second for formatting) would have to get every single request, and the client nothing to do."""

RULES: Final = ("templates are quick", "formatting is quick")
"""Those of the shipped configuration that are about classes of the older figures."""

CLASSES: Final = {"templates": 15.3, "formatting": 12.7, "simple edits": 8.2, "complex analysis": 45.2}
"""Seconds on the strong one alone, as the older system claims them."""
CLAIMED: Final = {"templates": 0.8, "formatting": 0.5, "simple edits": 0.6, "complex analysis": 43.1}
CLAIMED_ACCURACY: Final = 0.945
CLAIMED_ESCALATIONS: Final = 0.046

_TOKENS_PER_WORD: Final = 1.42
_OTHER: Final = 0.6
"""Length of answers of other kinds, as a share of what the bundled history's simulation gives them."""


@dataclass(frozen=True)
class Ask:
    """One request of the day, what is laid down for its answers, and its class in the older figures, if any."""

    row: DeveloperPrompt
    script: Script
    kind: str


def kind_of(row: DeveloperPrompt) -> str:
    """The class in the older figures; empty for prompts of none.

    Of templates and formatting only what is labelled for the fast tier: at .8 in place of 15.3 seconds the older system can
    have sent no more than one in twenty to the strong one, and an eighth of those labelled here need it.
    """
    if row.task_type == "template" and row.tier == "fast":
        return "templates"
    if row.task_type == "format" and row.tier == "fast":
        return "formatting"
    if row.task_type == "edit" and row.complexity <= 3:
        return "simple edits"
    if row.task_type == "analysis" and row.complexity >= 7:
        return "complex analysis"
    return ""


def ask(row: DeveloperPrompt) -> Ask:
    """The prompt with its difficulty by its labels, as in the bundled history, and the length of its answer."""
    kind = kind_of(row)
    if kind:
        tokens = CLASSES[kind] * model_from_name(STRONG.partition("/")[2]).decode_tokens_per_s
    else:
        tokens = COMPLETION_TOKENS[row.task_type] * (0.25 + 0.15 * row.complexity) * _OTHER
    return Ask(row, Script(difficulty(row) / HARDEST, max(10, round(tokens / _TOKENS_PER_WORD))), kind)


def day(requests: int) -> list[Ask]:
    """Prompts that nothing was fitted on, in random order."""
    rows = [row for row in read_prompts(PROMPTS) if row.part == "heldout"]
    random.Random(SEED).shuffle(rows)
    return [ask(row) for row in rows[:requests]]


def fit_pair(folder: Path) -> None:
    """A champion for the pair, from what they made of the training prompts, saved into the folder."""
    rows = []
    for row in read_prompts(PROMPTS):
        if row.part != "train":
            continue
        asked = ask(row)
        for name in (FAST, STRONG):
            model = model_from_name(name.partition("/")[2])
            machine = FAST_MACHINE if name == FAST else 1.0
            seconds = asked.script.words * _TOKENS_PER_WORD / (machine * model.decode_tokens_per_s)
            right = succeeds(SEED, model, row.prompt, asked.script)
            rows.append((row.id, row.prompt, name, float(right), row.id, seconds))
    table_file = folder / "outcomes.parquet"
    columns = ["prompt_id", "prompt", "model", "score", "group", "latency_s"]
    pd.DataFrame(rows, columns=columns).to_parquet(table_file)
    table = read_outcomes([table_file])
    data = training_data(table, (FAST, STRONG), extract_all(table.prompts["prompt"].tolist()))
    save(fit(data).predictor, folder)


def emulator_options(speed: float, asks: Sequence[Ask]) -> dict[str, dict[str, object]]:
    """What `day_server.py` is told: each machine has one language model, always loaded."""
    shared = {
        "speed": speed,
        "seed": SEED,
        "context": 32_768,
        "slots": 1,
        "policy": {"keep_alive_s": 1e9},
        "scripts": {asked.row.prompt: astuple(asked.script) for asked in asks},
    }
    return {
        "lmstudio": {**shared, "speed": FAST_MACHINE * speed, "models": [FAST.partition("/")[2]]},
        "ollama": {**shared, "models": [STRONG.partition("/")[2]]},
    }


def configuration(addresses: dict[str, str], preference: str) -> str:
    """The configuration file of the day: two providers, two shipped rules, defaults for all else. Sizes are a tenth, to fit
    everywhere."""
    shipped = yaml.safe_load(SHIPPED.read_text(encoding="utf-8"))["routing"]["rules"]
    rules = json.dumps([rule for rule in shipped if rule["name"] in RULES])
    return f"""
providers:
  lmstudio:
    base_url: {addresses["lmstudio"]}
    models: [{{name: "{FAST.partition("/")[2]}", memory_mb: 1800}}]
  ollama:
    base_url: {addresses["ollama"]}
    models: [{{name: "{STRONG.partition("/")[2]}", memory_mb: 7400}}]
routing: {{preference: {preference}, conversations: {{enabled: false}}, rules: {rules}}}
hybrid: {{exploration: {{enabled: false}}}}
performance: {{health: {{interval_s: 1, max_age_s: 60}}, cache: {{exact: {{enabled: false}}}}}}
fallback: {{deadline_s: 600}}
"""
