"""What `decision.py` decides about: a predictor that knows eight candidates, requests, and a world that changes."""

from __future__ import annotations

import random
import zlib
from pathlib import Path

import numpy as np
import pandas as pd
from common import PROMPTS, ROOT

from turnout.learning.dataset import extract_all, training_data
from turnout.learning.outcomes import read_outcomes
from turnout.learning.simulation import SimulatedCandidate, count_tokens, read_prompts, success_probability
from turnout.predictor import Predictor, save
from turnout.predictor.fit import fit
from turnout.types import CandidateState, Hints, LanguageModel, ProviderState, Resources, Snapshot, Speeds

HISTORY = ROOT / "data" / "history.parquet"
CONFIGURATION = Path(__file__).with_name("decision.yaml")
SNAPSHOT_EVERY = 50
"""Decisions between two snapshots: at 200 a second, four a second."""

FURTHER = {
    SimulatedCandidate("lmstudio/qwen2.5-coder-3b", "coder", 2.2, 0.45, 0.2, 1400.0, 110.0): 0.0,
    SimulatedCandidate("cloud/small-model", "generalist", 4.2, 0.0, 0.05, 5000.0, 120.0): 1e-6,
    SimulatedCandidate("cloud/large-model", "generalist", 6.0, 0.0, 0.02, 3000.0, 60.0): 6e-6,
}
"""Three more than the bundled history has, simulated like it, and US dollars a token."""

_ANSWER_TOKENS = 250
_GIB = 2**30
_SIZES_GIB = {"1.5b": 1, "3b": 2, "7b": 5, "8b": 5, "32b": 20, "70b": 42}


def fit_eight(folder: Path) -> Predictor:
    """A predictor for eight candidates of one history, saved into the folder: learned seconds and costs included."""
    prompts = [prompt for prompt in read_prompts(PROMPTS) if prompt.part == "train"]
    rows = []
    for prompt in prompts:
        luck = np.random.default_rng(zlib.crc32(prompt.id.encode())).random(len(FURTHER))
        tokens = count_tokens(prompt.prompt)
        for (candidate, usd), drawn in zip(FURTHER.items(), luck, strict=True):
            seconds = tokens / candidate.prefill_tps + _ANSWER_TOKENS / candidate.decode_tps
            score = float(drawn < success_probability(candidate, prompt))
            rows.append((prompt.id, prompt.prompt, candidate.name, score, prompt.id, seconds, usd * tokens))
    columns = ["prompt_id", "prompt", "model", "score", "group", "latency_s", "cost_usd"]
    whole = folder / "history.parquet"
    pd.concat([pd.read_parquet(HISTORY)[columns], pd.DataFrame(rows, columns=columns)]).to_parquet(whole)
    table = read_outcomes([whole])
    predictor = fit(
        training_data(table, table.cheapest_first(), extract_all(table.prompts["prompt"].tolist()))
    ).predictor
    save(predictor, folder)
    return predictor


def hints(count: int) -> list[Hints]:
    """What callers say beside their prompts: half of them are in a conversation, most name their client."""
    drawn = random.Random(1)
    clients = ({"X-Client": "editor"}, {"X-Client": "chat"}, {"X-Client": "agent", "X-Agent": "reviewer"}, {})
    return [
        Hints(f"conversation {number // 5}" if drawn.random() < 0.5 else "", "somebody", drawn.choice(clients))
        for number in range(count)
    ]


def snapshots(candidates: tuple[str, ...], count: int) -> list[Snapshot]:
    """The world at moments that follow each other: loads, queues, breakers, free memory. Somebody can always serve."""
    drawn = random.Random(2)
    made = []
    for number in range(count):
        states = {name: _candidate(name, drawn) for name in candidates}
        providers = {}
        for provider in dict.fromkeys(name.partition("/")[0] for name in candidates):
            models = tuple(s.model for name, s in states.items() if name.startswith(f"{provider}/") and s.model)
            there = provider == "lmstudio" or drawn.random() > 0.03
            problem = "" if there else "it cannot be reached"
            providers[provider] = ProviderState(
                provider=provider, available=there, observed_s=number, models=models, problem=problem
            )
        resources = Resources(
            sampled_s=number,
            ram_total_bytes=64 * _GIB,
            ram_free_bytes=int(drawn.uniform(4, 48) * _GIB),
            cpu_share=drawn.betavariate(2, 3),
            vram_total_bytes=24 * _GIB,
            vram_free_bytes=int(drawn.uniform(1, 22) * _GIB),
        )
        made.append(Snapshot(taken_s=number, providers=providers, candidates=states, resources=resources))
    return made


def _candidate(name: str, drawn: random.Random) -> CandidateState:
    size = next((gib for word, gib in _SIZES_GIB.items() if name.endswith(word)), None)
    always = name == "lmstudio/qwen2.5-coder-7b"
    chance = drawn.random()
    breaker = "closed" if always or chance > 0.05 else "open" if chance > 0.02 else "half_open"
    decode = 120 / (size or 2)
    return CandidateState(
        candidate=name,
        model=LanguageModel(
            name=name.partition("/")[2],
            capabilities=frozenset({"chat", "tools", "json_schema"}),
            context_length=131_072,
            loaded=None if size is None else always or drawn.random() < 0.4,
            size_bytes=None if size is None else size * _GIB,
            remote=size is None,
        ),
        breaker=breaker,  # type: ignore[arg-type]
        running=drawn.choice((0, 0, 0, 1, 2, 4)),
        waiting=drawn.choice((0, 0, 0, 0, 1, 5)),
        speeds=Speeds(
            first_token_s=drawn.uniform(0.1, 0.6),
            prefill_tokens_per_s=decode * drawn.uniform(8, 15),
            decode_tokens_per_s=decode * drawn.uniform(0.8, 1.2),
            load_s=None if size is None else 1 + size / 1.5,
            measurements=drawn.randrange(1, 300),
        ),
        problem="left alone after failures" if breaker == "open" else "",
    )
