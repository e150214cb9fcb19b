"""One truth of all workers of a gateway, whichever of them is asked: figures, latest requests, timeline, feedback.

A counter must never fall, or whoever scrapes it takes that for a start from nothing. So a worker writes down what it
counted before it tells it, under its number; a sibling that does not answer counts with what it had written, and the
worker that takes a dead one's place goes on from there. What a worker counted that was never told is lost with it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final

from aiohttp import web

from turnout.execution.client import HybridClient
from turnout.execution.status import Status
from turnout.execution.tallies import Tally
from turnout.gateway.recent import Recent
from turnout.gateway.refusals import RefusedError, refusal_of
from turnout.gateway.shares import Share
from turnout.gateway.siblings import Place, Question, Siblings, can_talk

logger = logging.getLogger(__name__)

KEPT_EVERY_S: Final = 2.0
"""So much of what a worker counted can be lost with it, where nobody asks."""

_FEEDBACK_PATIENCE_S: Final = 5.0
"""Feedback that is heard twice would count twice, so it is waited for longer than figures are."""


@dataclass(frozen=True, slots=True)
class Whole:
    """Everything at one moment, with the counters behind its figures, and of how many workers that is."""

    status: Status
    tally: Tally
    workers: int


class Together:
    """What this worker says, and what all say together. Used from one event loop.

    Args:
        client: answers.
        recent: an observer of the client.
        place: which of several workers this is; None where there is only one.
    """

    def __init__(self, client: HybridClient, recent: Recent, place: Place | None = None) -> None:
        self._client = client
        self._recent = recent
        self._place = place if can_talk() else None
        self._siblings = None if self._place is None else Siblings(self._place, self._answered)
        self._before = None if self._place is None else _written(self._place)
        self._kept = -1

    @asynccontextmanager
    async def speaking(self) -> AsyncIterator[None]:
        """Answer the siblings, and keep what is counted, for as long as this lasts."""
        if self._siblings is None:
            yield
            return
        async with self._siblings:
            keeping = asyncio.create_task(self._keep())
            try:
                yield
            finally:
                keeping.cancel()
                self._told()

    async def whole(self) -> Whole:
        """Everything at one moment."""
        if self._siblings is None:
            windows = self._client.windows
            return Whole(await self._client.status(windows), windows.total.tally, 1)
        together, answers = self._told(), await self._siblings.ask({"ask": "share"})
        workers = 1
        for place in self._siblings.place.others:
            share = _read(answers.get(place))
            workers += share is not None
            if share is None:
                share = _written(place)
            if share is not None:
                together = together.with_other(share)
        status = together.seen_in(await self._client.status(together.windows))
        return Whole(status, together.windows.total.tally, workers)

    async def decisions(self, limit: int, caller: str) -> list[dict[str, Any]]:
        """The latest requests, newest first; see `Recent.latest`."""
        rows = self._recent.latest(limit, caller)
        for told in await self._all({"ask": "decisions", "limit": limit, "caller": caller}):
            rows += told
        return sorted(rows, key=lambda row: -row["at"])[:limit]

    async def timeline(self) -> dict[str, Any]:
        """Figures over the last hour; see `Recent.timeline`."""
        own = self._recent.timeline()
        others = await self._all({"ask": "timeline"})
        return {**own, "timeline": added_up([own["timeline"], *(told["timeline"] for told in others)])}

    async def feedback(self, decision: str, kind: str, value: float | None, comment: str, caller: str) -> None:
        """What a user says about an answer. It is heard where the answer was given, as far as that is remembered.

        Raises:
            RequestError, RefusedError: it cannot be taken.
        """
        question = {"decision": decision, "kind": kind, "value": value, "comment": comment, "caller": caller}
        if not self._recent.knows(decision):
            for told in await self._all({"ask": "feedback", **question}, patience_s=_FEEDBACK_PATIENCE_S):
                if refused := told["refused"]:
                    raise RefusedError(refused["status"], refused["code"], refused["message"], param=refused["param"])
                if told["heard"]:
                    return
        await self._heard(question)

    async def _all(self, question: Question, **options: Any) -> list[Any]:
        return [] if self._siblings is None else list((await self._siblings.ask(question, **options)).values())

    async def _answered(self, question: Question) -> Any:
        """What a sibling is told."""
        match question["ask"]:
            case "share":
                return self._told().to_json()
            case "decisions":
                return self._recent.latest(question["limit"], question["caller"])
            case "timeline":
                return self._recent.timeline()
            case "feedback":
                return await self._heard_for_sibling(question)
            case other:
                raise ValueError(f"nobody asks for {other!r}")

    async def _heard_for_sibling(self, question: Question) -> dict[str, Any]:
        if not self._recent.knows(question["decision"]):
            return {"heard": False, "refused": None}
        try:
            await self._heard(question)
        except Exception as error:  # the sibling tells the client
            refusal = refusal_of(error)
            if refusal.code == "internal_error":
                logger.exception("feedback on %s failed inside", question["decision"])
            told = {name: getattr(refusal, name) for name in ("status", "code", "message", "param")}
            return {"heard": False, "refused": told}
        return {"heard": True, "refused": None}

    async def _heard(self, told: Question) -> None:
        decision, kind = told["decision"], told["kind"]
        await self._client.feedback(decision, kind, told["value"], told["comment"], caller=told["caller"])
        self._recent.rated(decision, kind)

    def _told(self) -> Share:
        """This worker's share, with that of those who died in its place; written down before anybody hears of it."""
        assert self._place is not None
        share = Share.of(self._client)
        if self._before is not None:
            share = share.with_other(self._before)
        record = self._place.record
        aside = record.with_suffix(".new")
        try:
            # Whoever reads sees the old one or the new one; that a power cut loses both is no matter: all counts end then.
            aside.write_text(json.dumps(share.to_json()), encoding="utf-8")
            aside.replace(record)
        except OSError as error:
            logger.warning("what this worker counted is not kept in %s: %s", record, error)
        return share

    async def _keep(self) -> None:
        """Write down what was counted since the last time."""
        while True:
            await asyncio.sleep(KEPT_EVERY_S)
            counted = self._client.windows.total.tally
            news = counted.requests + counted.feedback.total()
            if news != self._kept:
                self._kept = news
                self._told()


TOGETHER: Final = web.AppKey("together", Together)


def added_up(timelines: Sequence[Sequence[dict[str, Any]]]) -> list[dict[str, Any]]:
    """The slices of several workers as those of one, oldest first."""
    by_time: dict[float, dict[str, Any]] = {}
    for one in (one for timeline in timelines for one in timeline):
        known = by_time.get(one["at"])
        by_time[one["at"]] = one if known is None else _both(known, one)
    return [by_time[at] for at in sorted(by_time)]


def _both(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    """Numbers and counts by name are added, means are weighed by how many answers they are of."""
    whole: dict[str, Any] = {}
    for name in one:
        mine, more = one[name], other[name]
        if name == "at":
            whole[name] = mine
        elif isinstance(mine, dict):
            whole[name] = dict(Counter(mine) + Counter(more))
        elif name in _MEANS:
            parts = [(part[name], part["answered"]) for part in (one, other) if part[name] is not None]
            count = sum(weight for _, weight in parts)
            whole[name] = sum(mean * weight for mean, weight in parts) / count if count else None
        else:
            whole[name] = mine + more
    return whole


_MEANS: Final = ("mean_s", "confidence")


def _read(told: Any) -> Share | None:
    """The share that a sibling told; None where it told none."""
    try:
        return None if told is None else Share.of_json(told)
    except ValueError as error:
        logger.warning("a worker told what cannot be understood: %s", error)
        return None


def _written(place: Place) -> Share | None:
    """What a worker had counted when it told of it last; None where it never did."""
    try:
        return Share.of_json(json.loads(place.record.read_bytes())).past
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        logger.warning("what a worker had counted is lost: %s: %s", place.record, error)
        return None
