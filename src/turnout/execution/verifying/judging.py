"""When a judge may be asked: nobody else wants anything of its provider, and the prompt may be seen there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

from turnout.config.outcomes import AnswerJudge
from turnout.config.schema import Configuration
from turnout.errors import ProviderError
from turnout.execution.surroundings import Asks
from turnout.policy.privacy import SecretScanner
from turnout.types import Decision, Request, Snapshot

PATIENCE_S: Final = 60.0
"""How long an idle moment of the provider is waited for."""

LOOK_S: Final = 0.25
"""How often it is looked: what waits behind a judge waits no longer than this and the provider's way to stop."""


def is_local(candidate: str, configuration: Configuration, snapshot: Snapshot) -> bool:
    """Whether a candidate is on this machine by everything that is known of it; who is not known is not."""
    provider, _, model = candidate.partition("/")
    entry = configuration.providers.get(provider)
    if entry is None or not entry.is_local:
        return False
    settings = entry.models.get(model)
    if settings is not None and settings.local is False:
        return False
    state = snapshot.candidates.get(candidate)
    return state is not None and state.model is not None and not state.model.remote


def may_see(judge: str, decision: Decision, request: Request, configuration: Configuration, snapshot: Snapshot) -> bool:
    """Whether a judge may see a prompt.

    A judge elsewhere must have been a candidate for the very request, so that every rule was heard on it, and the messages
    must hold no secret: these are searched here, since a decision knows of secrets only where a rule asks for them. A
    judge on this machine must not be forbidden by a rule.
    """
    if is_local(judge, configuration, snapshot):
        return not any(entry.candidate == judge and entry.rule for entry in decision.excluded)
    if decision.secrets or not any(entry.candidate == judge for entry in decision.ranking):
        return False
    privacy = configuration.privacy
    return not SecretScanner(privacy.patterns, privacy.max_scan_characters).scan_request(request)


def is_idle(candidate: str, snapshot: Snapshot, *, besides: int = 0) -> bool:
    """Whether a candidate can be asked and its provider does nothing for anybody, `besides` so many of our own.

    One that has to be loaded first cannot: it would take the memory of those that serve.
    """
    state = snapshot.candidates.get(candidate)
    if state is None or state.problem or state.is_cold:
        return False
    provider = candidate.partition("/")[0]
    at_it = [one for name, one in snapshot.candidates.items() if name.partition("/")[0] == provider]
    return sum(one.running for one in at_it) <= besides and not any(one.waiting for one in at_it)


async def reply_of(
    judge: AnswerJudge,
    request: Request,
    asks: Asks,
    snapshot: Callable[[], Snapshot],
    *,
    patience_s: float = PATIENCE_S,
) -> str | None:
    """What a judge says; None where its provider was never idle, it failed, or it made room for a request."""
    if not await _idle_in_time(judge.candidate, snapshot, patience_s):
        return None
    asking = asyncio.ensure_future(asks.complete(judge.candidate, request, deadline_s=judge.timeout_s))
    try:
        while not asking.done():
            await asyncio.wait((asking,), timeout=LOOK_S)
            if not asking.done() and not is_idle(judge.candidate, snapshot(), besides=1):
                return None
        return asking.result().text
    except ProviderError:
        return None
    finally:
        asking.cancel()
        await asyncio.gather(asking, return_exceptions=True)


async def _idle_in_time(candidate: str, snapshot: Callable[[], Snapshot], patience_s: float) -> bool:
    for _ in range(max(1, round(patience_s / LOOK_S))):
        if is_idle(candidate, snapshot()):
            return True
        await asyncio.sleep(LOOK_S)
    return False


def score_of(grade: float, threshold: float | None) -> float:
    """The score that a grade stands for, both from 0 to 1."""
    return grade if threshold is None else float(grade >= threshold)
