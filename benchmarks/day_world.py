"""The day of `day.py`: what is asked when, the configuration, and how long an answer takes by the emulators' own figures.

Lengths of answers are those of the bundled history's simulation, by labelled task type and complexity; the prompt asks
for so many words. What an emulated language model says depends on seed, name and prompt alone, so its tokens are known
in advance here, as they never are in service.
"""

from __future__ import annotations

import math
import random
from collections.abc import Sequence
from dataclasses import dataclass

from common import PROMPTS

from turnout.emulators.answers import answer
from turnout.emulators.language_model import LanguageModel, model_from_name
from turnout.emulators.questions import Question, count_prompt_tokens
from turnout.learning.simulation import COMPLETION_TOKENS, LENGTH_NOISE, DeveloperPrompt, read_prompts
from turnout.types import Message, Request, Sampling

SEED = 0
MODELS = {
    "lmstudio": ("qwen2.5-coder-7b", "llama-3.1-8b", "qwen2.5-coder-14b"),
    "ollama": ("llama3.1:8b", "mistral-small:24b", "qwen2.5-coder:32b"),
}
SLOTS = {"lmstudio": 4, "ollama": 1}
WINDOW = 32_768
CANDIDATES = tuple(f"{kind}/{model}" for kind, models in MODELS.items() for model in models)
WARM_UP = 0.1
"""Share of the day, at its beginning, in which every candidate is asked in turn and nothing is compared."""

FORCED_SHARE = 0.4
"""Callers who name their language model, so that every candidate is measured; the others leave the choice."""
FAVOURITE_LASTS = 25
"""Requests after which those callers turn to another language model of the same provider, on average."""
LONG_SHARE = 0.2
LONG_TOKENS = (1000, 12_000)
_TOKENS_PER_WORD = 1.42
_QUIET_GAP = 1.6
_BURST_GAP = 0.08
_BURSTS = (4, 24)
"""Mean gaps, in mean service times of one slot, between requests in quiet hours and in a burst; requests of a burst."""


@dataclass(frozen=True)
class Ask:
    """One request of the day: when, what, and who is forced; tokens by candidate of what will be read and said."""

    at_s: float
    request: Request
    forced: str
    prompt_tokens: int
    answer_tokens: dict[str, int]
    is_long: bool

    def limited(self, candidate: str) -> Request:
        """The same with the answer's true length as its limit."""
        sampling = Sampling(max_tokens=self.answer_tokens[candidate])
        return Request(self.request.messages, sampling=sampling)


def language_models() -> dict[str, LanguageModel]:
    """Each candidate as its emulator knows it."""
    return {name: model_from_name(name.partition("/")[2]) for name in CANDIDATES}


@dataclass(frozen=True)
class Truth:
    """How long things take by the emulators' own figures, in the seconds that a stopwatch beside them shows."""

    speed: float
    models: dict[str, LanguageModel]

    def load_s(self, candidate: str) -> float:
        """Bringing it into memory."""
        return self.models[candidate].load_s / self.speed

    def service_s(self, candidate: str, prompt_tokens: int, answer_tokens: int) -> float:
        """Reading the prompt and writing the answer."""
        model = self.models[candidate]
        return (prompt_tokens / model.prefill_tokens_per_s + answer_tokens / model.decode_tokens_per_s) / self.speed


def make_day(requests: int, speed: float, pace: float) -> list[Ask]:
    """The requests in order of their time. Arrivals come in bursts; `pace` 2 makes all gaps half as long."""
    drawn = random.Random(SEED)
    every = [row for row in read_prompts(PROMPTS) if row.part == "heldout" or row.language == "en"]
    rows = drawn.choices(every, k=requests)
    models = language_models()
    truth = Truth(speed, models)
    unit_s = truth.service_s("lmstudio/qwen2.5-coder-7b", 500, 200) / pace
    favourites = {kind: drawn.choice(names) for kind, names in MODELS.items()}
    asks = []
    at_s, left_in_burst = 0.0, 0
    for row in rows:
        if left_in_burst:
            left_in_burst -= 1
        elif drawn.random() < 0.04:
            left_in_burst = drawn.randint(*_BURSTS)
        at_s += drawn.expovariate(1 / (unit_s * (_BURST_GAP if left_in_burst else _QUIET_GAP)))
        kind = drawn.choices(list(MODELS), (2, 1))[0]
        if drawn.random() < 1 / FAVOURITE_LASTS:
            favourites[kind] = drawn.choice(MODELS[kind])
        forced = f"{kind}/{favourites[kind]}" if drawn.random() < FORCED_SHARE else ""
        if len(asks) < WARM_UP * requests:  # until each was measured, expectations come from sizes, in unscaled time
            forced = CANDIDATES[int(len(asks) / (WARM_UP * requests) * len(CANDIDATES))]
        asks.append(_ask(row, every, at_s, forced, models, drawn))
    return asks


def _ask(
    row: DeveloperPrompt,
    every: Sequence[DeveloperPrompt],
    at_s: float,
    forced: str,
    models: dict[str, LanguageModel],
    drawn: random.Random,
) -> Ask:
    written = COMPLETION_TOKENS[row.task_type] * (0.25 + 0.15 * row.complexity)
    words = max(10, round(written * math.exp(LENGTH_NOISE * drawn.gauss(0, 1)) / _TOKENS_PER_WORD))
    messages = [Message("user", f"{row.prompt}\n\nAnswer in {words} words.")]
    is_long = drawn.random() < LONG_SHARE
    if is_long:
        wanted = 4 * drawn.uniform(*LONG_TOKENS)
        context = ""
        while len(context) < wanted:
            context += drawn.choice(every).prompt + "\n\n"
        messages.insert(0, Message("system", context[: int(wanted)]))
    prompt_tokens = count_prompt_tokens([{"content": message.content} for message in messages])
    question = Question(messages[-1].content, prompt_tokens)
    tokens = {name: answer(SEED, model, question).tokens for name, model in models.items()}
    return Ask(at_s, Request(tuple(messages)), forced, prompt_tokens, tokens, is_long)


def emulator_options(speed: float, lmstudio: dict[str, object]) -> dict[str, dict[str, object]]:
    """What `day_server.py` is told. Only one language model of each kind is in memory at a time."""
    shared: dict[str, object] = {"speed": speed, "seed": SEED, "context": WINDOW}
    return {
        kind: {
            **shared,
            "models": names,
            "slots": SLOTS[kind],
            "policy": {"max_loaded": 1, "keep_alive_s": 1e9},
            **(lmstudio if kind == "lmstudio" else {}),
        }
        for kind, names in MODELS.items()
    }


def configuration(addresses: dict[str, str], speed: float) -> str:
    """The configuration file. Times that a person would set are divided by the speed, like the machines' own."""
    lines = ["providers:"]
    for kind, names in MODELS.items():
        lines += [
            f"  {kind}:",
            f"    base_url: {addresses[kind]}",
            f"    models: [{', '.join(map(repr, names))}]",
            f"    queue: {{max_concurrent: {SLOTS[kind]}, max_concurrent_per_candidate: {SLOTS[kind]}, max_resident: 1,",
            f"      max_waiting: 100000, max_wait_s: 600, starvation_s: {10 / speed}}}",
        ]
    lines += [
        "performance:",
        f"  health: {{interval_s: {max(0.25, 5 / speed)}, max_age_s: 60}}",
        "fallback: {retry: {retries: 0}, breaker: {minimum_calls: 1000, window: 1000}}",
        "routing:",
        "  preference: {success_per_second: 10}",
        "  conversations: {enabled: false}",
        "  rules:",
    ]
    for name in CANDIDATES:
        lines.append(
            f"    - {{name: asked for {name}, when: \"header.x_model == '{name}'\", then: {{force: '{name}'}}}}"
        )
    return "\n".join(lines) + "\n"
