"""Requests in, pieces and completions out: remembers, decides, lets a run do the asking, tells what came of it."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace
from difflib import get_close_matches
from functools import partial
from typing import TypeAlias

from turnout.config.schema import Configuration
from turnout.config.voices import Ensemble
from turnout.errors import ConfigurationError, RequestError
from turnout.execution.asked import Asked
from turnout.execution.ensembles import Ensembles
from turnout.execution.leaning import NEUTRAL, preference_for
from turnout.execution.personal import Personal
from turnout.execution.remembered import Key, Remembered, handed_again, shared
from turnout.execution.run import Run
from turnout.execution.served import Observer, Report
from turnout.execution.surroundings import Asks, Judges, Surroundings
from turnout.execution.threshold import Threshold
from turnout.execution.watch import Watch
from turnout.execution.wished import spoken, wished
from turnout.policy import Router
from turnout.policy.policy import Policy
from turnout.policy.pool import cheapest_first
from turnout.types import Chunk, Completion, Decision, Snapshot

Pieces: TypeAlias = AsyncGenerator[Chunk | Completion, None]


class Orchestrator:
    """Everything between a caller and the providers, for any number of requests at once in one event loop.

    Args:
        router: decides; has a policy.
        asks: asks candidates.
        watch: what is known of them.
        judge: how far an answer can be trusted.
        threshold: below which another candidate is asked.
        remembered: answers given before.
        personal: what users' feedback taught; None leaves everybody alike.
        observers: hear of every request as it ends, before its completion is handed out.
        now: the monotonic clock.
    """

    def __init__(
        self,
        router: Router,
        asks: Asks,
        watch: Watch,
        judge: Judges,
        threshold: Threshold,
        remembered: Remembered,
        *,
        personal: Personal | None = None,
        observers: Sequence[Observer] = (),
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.router = router
        self.remembered = remembered
        self._watch = watch
        self._personal = personal
        self._observers = observers
        self._now = now
        self._surroundings = Surroundings(asks=asks, judge=judge, threshold=threshold, problem=watch.problem, now=now)
        self._strengths: tuple[Policy | None, tuple[str, ...], dict[str, int]] = (None, (), {})
        self._ensembles = Ensembles(self._whole, self.decide)

    @property
    def policy(self) -> Policy:
        """What counts now.

        Raises:
            ConfigurationError: the router follows no configuration.
        """
        policy = self.router.policy
        if policy is None:
            raise ConfigurationError("the hybrid client needs a router with a configuration")
        return policy

    def judge_by(self, judge: Judges) -> None:
        """Trust answers as another judge does, from the next request on."""
        self._surroundings = replace(self._surroundings, judge=judge)

    def decide(self, asked: Asked) -> Decision:
        """The decision for a request, wishes included; asks nobody.

        Raises:
            RequestError: nothing to route, an unknown preference or voice, or no candidate can serve it.
        """
        policy = self.policy
        return self._decided(spoken(asked, policy.configuration), policy, self._watch.snapshot())

    async def complete(self, asked: Asked) -> Completion:
        """One whole answer.

        Raises:
            RequestError: see `decide`; an unknown ensemble.
            NoAnswerError: every attempt failed, or the deadline passed.
        """
        if not asked.ensemble:
            return await self._whole(asked)
        return await self._ensembles.complete(self._limited(asked), self._ensemble(asked), asked.ensemble)

    def report(self, asked: Asked) -> Report:
        """The report of a request that begins now."""
        return Report(asked, self._observers, self._now)

    def pieces(self, asked: Asked, report: Report | None = None) -> Pieces:
        """Chunks, then exactly one completion, last.

        Args:
            asked: what is asked.
            report: where it can be followed; one is made where there is none. Of an ensemble nothing is told there.

        Raises:
            RequestError: an unknown ensemble; while iterating, see `decide`.

        Raises, while iterating:
            NoAnswerError: every attempt failed, or the deadline passed.
            BrokenAnswerError: the answer failed after its first content was handed out.
        """
        if not asked.ensemble:
            return self._streamed(asked, report)
        return self._ensembles.pieces(self._limited(asked), self._ensemble(asked), asked.ensemble, self._streamed)

    async def _whole(self, asked: Asked) -> Completion:
        """One request without an ensemble, told to the observers."""
        report = self.report(asked)
        try:
            completion = await self._completed(asked, report)
        except BaseException as error:
            report.failed(error)
            raise
        report.answered(completion)
        return completion

    async def _completed(self, asked: Asked, report: Report) -> Completion:
        """From memory, from an identical request in flight, or from a candidate."""
        policy, remembered = self.policy, self.remembered
        asked = spoken(asked, policy.configuration)
        key = remembered.key(asked, policy.fingerprint)
        if not key.is_useful:
            return self._ended(asked, await self._run(asked, policy, report).complete())
        if asked.use_cache and (found := await remembered.find(asked, key)) is not None:
            return handed_again(found, identifier=report.id, total_s=report.elapsed_s, asked=asked)
        async with remembered.flight(asked, key, _deadline_s(asked, policy.configuration)) as seat:
            if seat.landed and seat.result is not None:
                return shared(seat.result, identifier=report.id, total_s=report.elapsed_s, asked=asked)
            completion = self._ended(asked, await self._run(asked, policy, report).complete())
            seat.land(completion)
            remembered.keep(asked, key, completion)
            return completion

    async def _streamed(self, asked: Asked, report: Report | None = None) -> Pieces:
        """The same as `_whole`, in pieces."""
        report = self.report(asked) if report is None else report
        try:
            async with aclosing(self._told(asked, report)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        report.answered(piece)
                    yield piece
        except BaseException as error:
            report.failed(error)
            raise

    def _told(self, asked: Asked, report: Report) -> Pieces:
        """From a candidate, unless memory or an identical request in flight may have it."""
        policy = self.policy
        asked = spoken(asked, policy.configuration)
        key = self.remembered.key(asked, policy.fingerprint)
        if key.is_useful:
            return self._recalled(asked, key, policy, report)
        return self._asked(asked, policy, report)

    async def _recalled(self, asked: Asked, key: Key, policy: Policy, report: Report) -> Pieces:
        remembered = self.remembered
        if asked.use_cache and (found := await remembered.find(asked, key)) is not None:
            again = handed_again(found, identifier=report.id, total_s=report.elapsed_s, asked=asked)
            report.speaker = again.candidate
            for piece in _replayed(again):
                yield piece
            return
        async with remembered.flight(asked, key, _deadline_s(asked, policy.configuration)) as seat:
            if seat.landed and seat.result is not None:
                same = shared(seat.result, identifier=report.id, total_s=report.elapsed_s, asked=asked)
                report.speaker = same.candidate
                for piece in _replayed(same):
                    yield piece
                return
            async with aclosing(self._asked(asked, policy, report)) as pieces:
                async for piece in pieces:
                    if isinstance(piece, Completion):
                        seat.land(piece)
                        remembered.keep(asked, key, piece)
                    yield piece

    async def _asked(self, asked: Asked, policy: Policy, report: Report) -> Pieces:
        run = self._run(asked, policy, report)
        report.speaker = run.speaker
        async with aclosing(run.pieces()) as pieces:
            async for piece in pieces:
                report.speaker = run.speaker
                yield self._ended(asked, piece) if isinstance(piece, Completion) else piece

    def _run(self, asked: Asked, policy: Policy, report: Report) -> Run:
        """Decides, and makes what asks candidates."""
        snapshot = self._watch.snapshot()
        decision = self._decided(asked, policy, snapshot)
        run = Run(
            request=asked.request,
            decision=decision,
            configuration=policy.configuration,
            snapshot=snapshot,
            strength=self._strength(policy, snapshot),
            surroundings=self._surroundings,
            deadline_s=_deadline_s(asked, policy.configuration),
            started_s=report.started_s,
            identifier=report.id,
            hold=asked.hold or decision.hold,
        )
        report.decision, report.tried = decision, run.tried
        return run

    def _ended(self, asked: Asked, completion: Completion) -> Completion:
        """What it took, what a conversation remembers, and the caller's own words back."""
        if completion.decision is not None:
            self.router.took(completion.decision, completion.tried)
        if asked.hints.conversation:
            self.router.answered(asked.hints.conversation, completion.candidate)
        return replace(completion, metadata=asked.metadata) if asked.metadata else completion

    def _ensemble(self, asked: Asked) -> Ensemble:
        """The ensemble that is asked.

        Raises:
            RequestError: there is none of this name.
        """
        ensembles = self.policy.configuration.ensembles
        ensemble = ensembles.get(asked.ensemble)
        if ensemble is None:
            near = get_close_matches(asked.ensemble, ensembles, 3, 0.5) or ensembles
            unknown = RequestError(f"no ensemble is named {asked.ensemble!r}; there is {', '.join(near) or 'none'}")
            self.report(asked).failed(unknown)
            raise unknown
        return ensemble

    def _limited(self, asked: Asked) -> Asked:
        return replace(asked, deadline_s=_deadline_s(asked, self.policy.configuration))

    def _decided(self, asked: Asked, policy: Policy, snapshot: Snapshot) -> Decision:
        preference = asked.preference
        leaning = NEUTRAL if self._personal is None else self._personal.leaning(asked.hints.user)
        if leaning.rate_factor != 1.0:
            preference = preference_for(leaning, preference, policy.configuration.routing.preference)
        return self.router.route(
            asked.request,
            preference,
            hints=asked.hints,
            snapshot=snapshot,
            wish=partial(wished, asked, policy.configuration, leaning.offsets),
            pinned=asked.hold,
        )

    def _strength(self, policy: Policy, snapshot: Snapshot) -> dict[str, int]:
        """Positions of all candidates from the cheapest to the most expensive."""
        predictor = self.router.predictor
        learned = predictor.candidates if predictor is not None else ()
        candidates = policy.candidates(snapshot, learned)
        names = tuple(candidate.name for candidate in candidates)
        known, listed, strength = self._strengths
        if policy is not known or names != listed:
            order = cheapest_first(candidates, learned)
            strength = {name: position for position, name in enumerate(order)}
            self._strengths = (policy, names, strength)
        return strength

    @property
    def fast_half(self) -> frozenset[str]:
        """The cheaper half of all candidates."""
        strength = self._strength(self.policy, self._watch.snapshot())
        return frozenset(name for name, position in strength.items() if position < (len(strength) + 1) // 2)


def _replayed(completion: Completion) -> Sequence[Chunk | Completion]:
    """An answer that is there already, as a stream."""
    chunk = completion.answer.chunk
    if not chunk.has_content:
        return (completion,)
    return chunk, replace(completion, first_token_s=completion.total_s)


def _deadline_s(asked: Asked, configuration: Configuration) -> float:
    return configuration.fallback.deadline_s if asked.deadline_s is None else asked.deadline_s
