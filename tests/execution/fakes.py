"""Candidates that play scenes, a judge that believes what it is told, and runs over them."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import Any

from tests.providers.fakes import FakeClock

from turnout.config.routing import Escalation
from turnout.config.schema import Configuration
from turnout.errors import IncompleteError, ProviderError, ProviderTimeoutError
from turnout.execution.run import Run
from turnout.execution.surroundings import Surroundings
from turnout.execution.threshold import Threshold
from turnout.types import (
    Answer,
    Attempt,
    CandidateState,
    Chunk,
    Completion,
    Decision,
    ExpectedSeconds,
    LanguageModel,
    Ranked,
    Request,
    Snapshot,
    Task,
    Usage,
)

TASK = Task("general", {"general": 1.0}, "simple", 1.0, {"simple": 1.0, "medium": 0.0, "complex": 0.0}, "fast", 0.1)

Step = Chunk | Answer | ProviderError | float | asyncio.Event | Callable[[], object]


def said(candidate: str, text: str = "fine", **fields: Any) -> Answer:
    """A whole answer."""
    return Answer(candidate, candidate.partition("/")[2], text=text, usage=Usage(3, 2), **fields)


def ranked(candidate: str, p_success: float = 0.8, expected_s: float | None = 1.0, *, expense: float = 0.0) -> Ranked:
    expected = None if expected_s is None else ExpectedSeconds(0.0, 0.0, expected_s / 2, expected_s / 2)
    return Ranked(candidate, p_success, expected_s, 0.0, p_success - expense, expected)


def decided(*ranking: Ranked, **fields: Any) -> Decision:
    first = ranking[0]
    return Decision(first.candidate, first.p_success, "the best", ranking, TASK, **fields)


class FakeAsks:
    """Plays scenes by candidate; answers at once where there is none. Floats are seconds that pass on its clock."""

    def __init__(self, clock: FakeClock | None = None) -> None:
        self.clock = clock or FakeClock()
        self.scenes: dict[str, deque[Sequence[Step]]] = {}
        self.asked: list[tuple[str, str]] = []
        self.limits: list[tuple[float | None, float | None]] = []
        self.open = 0
        self.stopped: list[str] = []

    def plays(self, candidate: str, *scenes: Sequence[Step]) -> None:
        self.scenes.setdefault(candidate, deque()).extend(scenes)

    async def complete(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> Answer:
        self.asked.append(("complete", candidate))
        async with aclosing(self._play(candidate, deadline_s, deadline_s, on_attempt)) as pieces:
            async for piece in pieces:
                if isinstance(piece, Answer):
                    return piece
        raise IncompleteError("no answer", provider=candidate)

    def stream(
        self,
        candidate: str,
        request: Request,
        *,
        deadline_s: float | None = None,
        patience_s: float | None = None,
        expected_s: float | None = None,
        on_attempt: Callable[[Attempt], None] | None = None,
    ) -> AsyncGenerator[Chunk | Answer, None]:
        self.asked.append(("stream", candidate))
        return self._play(candidate, deadline_s, patience_s, on_attempt)

    async def _play(
        self,
        candidate: str,
        deadline_s: float | None,
        patience_s: float | None,
        on_attempt: Callable[[Attempt], None] | None,
    ) -> AsyncGenerator[Chunk | Answer, None]:
        self.limits.append((deadline_s, patience_s))
        scenes = self.scenes.get(candidate)
        scene: Sequence[Step] = scenes.popleft() if scenes else (said(candidate),)
        started_s, error, begun = self.clock(), "cancelled", False
        self.open += 1
        try:
            for step in scene:
                if isinstance(step, float):
                    left_s = (deadline_s if begun else min(deadline_s or 1e9, patience_s or 1e9)) or 1e9
                    over_s = self.clock() - started_s + step - left_s
                    self.clock.advance(step if over_s <= 0 else step - over_s)
                    if over_s > 0:
                        error = "timeout"
                        raise ProviderTimeoutError("too late", phase="total", provider=candidate)
                elif isinstance(step, asyncio.Event):
                    await step.wait()
                elif isinstance(step, ProviderError):
                    error = step.code
                    raise step
                elif isinstance(step, Chunk | Answer):
                    begun = begun or (isinstance(step, Chunk) and step.has_content)
                    if isinstance(step, Answer):
                        error = ""
                    yield step
                else:
                    step()
        except GeneratorExit:
            if error:
                self.stopped.append(candidate)
            raise
        except asyncio.CancelledError:
            self.stopped.append(candidate)
            raise
        finally:
            self.open -= 1
            if on_attempt is not None:
                on_attempt(Attempt(candidate=candidate, started_at=0.0, error=error))


class FakeJudge:
    """Believes an answer as far as it was told by its text; else as far as the prior."""

    def __init__(self, **beliefs: float) -> None:
        self.beliefs = beliefs

    def __call__(self, request: Request, answer: Answer, prior: float) -> tuple[float, Mapping[str, Any]]:
        return self.beliefs.get(answer.text, prior), {"told": True}


class Stage:
    """One run over fakes, and what came of it."""

    def __init__(
        self,
        *ranking: Ranked,
        configuration: Configuration | None = None,
        judge: FakeJudge | None = None,
        windows: Mapping[str, int] | None = None,
        problems: Mapping[str, str] | None = None,
        deadline_s: float = 60.0,
        **decision: Any,
    ) -> None:
        self.clock = FakeClock()
        self.asks = FakeAsks(self.clock)
        self.configuration = configuration or Configuration()
        self.threshold = Threshold(replace(self.configuration.routing.escalation, adaptive=False))
        self.decision = decided(*ranking, **decision)
        self.snapshot = Snapshot(
            taken_s=self.clock(),
            candidates={
                name: CandidateState(candidate=name, model=LanguageModel(name=name, context_length=window))
                for name, window in (windows or {}).items()
            },
        )
        self.problems = dict(problems or {})
        self.judge = judge or FakeJudge()
        self.deadline_s = deadline_s

    def run(self, *, hold: bool = False) -> Run:
        self.last = Run(
            request=Request.of("hello"),
            decision=self.decision,
            configuration=self.configuration,
            snapshot=self.snapshot,
            strength={entry.candidate: at for at, entry in enumerate(self.decision.ranking)},
            surroundings=Surroundings(
                asks=self.asks,
                judge=self.judge,
                threshold=self.threshold,
                problem=lambda name: self.problems.get(name, ""),
                now=self.clock,
            ),
            deadline_s=self.deadline_s,
            started_s=self.clock(),
            identifier="d1",
            hold=hold,
        )
        return self.last

    async def complete(self) -> Completion:
        completion = await self.run().complete()
        assert self.asks.open == 0
        return completion

    async def stream(self, *, hold: bool = False) -> tuple[str, Completion]:
        texts, completion = [], None
        async for piece in self.run(hold=hold).pieces():
            assert completion is None, "the completion is last"
            if isinstance(piece, Chunk):
                texts.append(piece.text)
            else:
                completion = piece
        assert completion is not None and self.asks.open == 0
        return "".join(texts), completion


def escalating(**fields: Any) -> Configuration:
    """A configuration whose escalation is set as told."""
    plain = Configuration()
    settings = Escalation(**({"adaptive": False} | fields))
    return replace(plain, routing=replace(plain.routing, escalation=settings))
