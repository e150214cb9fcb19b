"""Every fault of the emulators against every adapter: what has to come out, and one trial of it.

Used by the tests, which hold each cell of the table, and by `benchmarks/faults.py`, which prints it.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from importlib import import_module

from turnout.config.providers import (
    BreakerSettings,
    CandidateSettings,
    HealthSettings,
    ProviderSettings,
    RetrySettings,
    Timeouts,
)
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, EmulatorOptions, serving
from turnout.errors import ProviderError
from turnout.providers import Fleet
from turnout.types import Answer, Attempt, Request

KINDS = ("lmstudio", "ollama", "openai", "anthropic")
KEY_VARIABLE = "TURNOUT_TRIAL_KEY"
MODELS = {
    "lmstudio": "qwen2.5-coder-7b",
    "ollama": "llama3.1:8b",
    "openai": "llama-3.1-8b",
    "anthropic": "claude-sonnet-4-5",
}
BASE_PATHS = {"openai": "/v1"}

# Long, so that a busy machine does not meet them; short where a trial can only end by one.
PATIENT = Timeouts(connect_s=5, first_token_s=10, load_s=10, chunk_s=10, total_s=10, probe_s=10)
SHORT = Timeouts(connect_s=0.5, first_token_s=0.5, load_s=10, chunk_s=0.4, total_s=0.9, probe_s=10)
SLACK_S = 3.0  # what a busy machine may add to a limit
PROMPT = "write 60 words about caching, in one paragraph"

ANSWER = "answer"
F = FaultName

# What a streamed answer ends in, and one in one piece where that differs. Several words: any of them is right.
EXPECTED: dict[FaultName, tuple[str, ...]] = {
    F.REFUSED: ("unreachable",),
    F.HANG: ("timeout",),
    F.SLOW_FIRST_BYTE: (ANSWER,),
    F.ERROR_500: ("internal",),
    F.BUSY_429: ("busy",),
    F.BUSY_503: ("busy",),
    F.BAD_GATEWAY_HTML: ("internal",),
    F.UNAUTHORIZED: ("authentication",),
    F.NOT_FOUND: ("not_found",),
    F.LOAD_FAILED: ("load_failed",),
    F.RESET_BEFORE_HEADERS: ("unreachable",),
    F.RESET_MID_STREAM: ("incomplete",),
    F.STALL_MID_STREAM: ("timeout",),
    F.ERROR_EVENT_MID_STREAM: ("internal", "busy"),
    F.SWALLOWED_ERROR: ("incomplete",),
    F.MISSING_TERMINATOR: ("incomplete",),
    F.MALFORMED_JSON: ("incomplete",),
    F.INVALID_UTF8: ("incomplete",),
    F.TRUNCATED_BODY: ("incomplete",),
    F.OVERSIZED_LINE: ("incomplete",),
    F.SPLIT_UTF8: (ANSWER,),
    F.WRONG_MODEL: ("wrong_model",),
    F.EMPTY_ANSWER: (ANSWER, "context_overflow"),
    F.ERROR_WITH_200: ("internal", "busy"),
}
# A server that fails before its whole answer is ready has nothing to send but an error or a broken connection.
EXPECTED_WHOLE: dict[FaultName, tuple[str, ...]] = {
    F.RESET_MID_STREAM: ("incomplete", "unreachable"),
    F.SWALLOWED_ERROR: ("incomplete", "internal"),
    F.OVERSIZED_LINE: (ANSWER, "incomplete"),  # one line of 20 MB is no trouble where lines do not matter
}
KEEPS_TEXT = frozenset({F.RESET_MID_STREAM, F.STALL_MID_STREAM, F.ERROR_EVENT_MID_STREAM, F.MISSING_TERMINATOR})


@dataclass(frozen=True)
class Trial:
    """How one request ended: an error's code or `answer`, after how long, and what was left behind."""

    outcome: str
    seconds: float
    text: str
    retry_after_s: float | None
    slots: int
    generating: int
    attempts: tuple[Attempt, ...]

    @property
    def is_clean(self) -> bool:
        """Nothing still holds a slot here or generates there."""
        return self.slots == 0 and self.generating == 0


def expected(kind: str, fault: FaultName, *, streamed: bool) -> tuple[str, ...]:
    """The outcomes that are right."""
    if kind == "anthropic" and fault is F.LOAD_FAILED:
        return ("load_failed", "internal")  # a cloud need not tell that it loads
    return EXPECTED[fault] if streamed else EXPECTED_WHOLE.get(fault, EXPECTED[fault])


def emulator(kind: str, *further: str, **options: object) -> Emulator:
    """An emulator of one kind with one language model and those named further, without any delay of its own."""
    made = EmulatorOptions(models=(MODELS[kind], *further), **options)  # type: ignore[arg-type]
    return import_module(f"turnout.emulators.{kind}").make(made)  # type: ignore[no-any-return]


def settings(kind: str, url: str, **changes: object) -> ProviderSettings:
    """A provider at an emulator's address: short limits, no retries, a breaker that stays out of the way."""
    base = ProviderSettings(
        name=kind,
        kind=kind,
        base_url=url + BASE_PATHS.get(kind, ""),
        key_variable=KEY_VARIABLE if kind == "anthropic" else None,
        models={MODELS[kind]: CandidateSettings()},
        timeouts=PATIENT,
        retry=RetrySettings(retries=0),
        breaker=BreakerSettings(minimum_calls=1000, window=1000),
    )
    return replace(base, **changes)  # type: ignore[arg-type]


@asynccontextmanager
async def fleet_at(kind: str, emulated: Emulator, **changes: object) -> AsyncIterator[Fleet]:
    """A fleet of one provider at a served emulator; it looks at the provider once and then leaves it alone."""
    async with serving(emulated) as url:
        quiet = HealthSettings(interval_s=3600, max_age_s=7200)
        async with Fleet([settings(kind, url, **changes)], health=quiet) as fleet:
            yield fleet


def limits(fault: Fault | None) -> Timeouts:
    """The time limits of a trial."""
    return SHORT if fault is not None and fault.name in (F.HANG, F.STALL_MID_STREAM) else PATIENT


async def run_trial(kind: str, fault: Fault | None, *, streamed: bool, **changes: object) -> Trial:
    """One request against a fresh emulator with one fault."""
    emulated = emulator(kind)
    changes.setdefault("timeouts", limits(fault))
    attempts: list[Attempt] = []
    async with fleet_at(kind, emulated, **changes) as fleet:
        fleet.on_attempt(attempts.append)
        candidate = f"{kind}/{MODELS[kind]}"
        await fleet.load(candidate)
        if fault is not None:
            emulated.switch_on(fault)
        started_s = time.perf_counter()
        outcome, text, retry_after_s = await ask(fleet, candidate, streamed=streamed)
        seconds = time.perf_counter() - started_s
        for _ in range(100):  # a server notices a little later that its client has gone
            if not emulated.engine.counters.running:
                break
            await asyncio.sleep(0.005)
        state = fleet.snapshot().candidates[candidate]
        return Trial(
            outcome,
            seconds,
            text,
            retry_after_s,
            state.running + state.waiting,
            emulated.engine.counters.running,
            tuple(attempts),
        )


async def ask(fleet: Fleet, candidate: str, *, streamed: bool) -> tuple[str, str, float | None]:
    """One request; its outcome, the text that came, and when to try again."""
    text = ""
    try:
        if not streamed:
            answer = await fleet.complete(candidate, Request.of(PROMPT))
            return ANSWER, answer.text, None
        async for piece in fleet.stream(candidate, Request.of(PROMPT)):
            text = piece.text if isinstance(piece, Answer) else text + piece.text
        return ANSWER, text, None
    except ProviderError as error:
        return error.code, error.partial_text, error.retry_after_s
