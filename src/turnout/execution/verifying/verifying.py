"""The observer that finds out how good answers were, beside the requests and never in their way."""

from __future__ import annotations

import logging
import random
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Any

from turnout.config.outcomes import AnswerJudge, Verifier
from turnout.config.schema import Configuration
from turnout.execution.served import Served
from turnout.execution.surroundings import Asks
from turnout.execution.verifying.backlog import Backlog
from turnout.execution.verifying.grading import grade_in, grading
from turnout.execution.verifying.judging import PATIENCE_S, may_see, reply_of, score_of
from turnout.execution.verifying.programs import NoVerdictError, material, run_program
from turnout.execution.verifying.structure import structure_verdicts
from turnout.history import History, OutcomeRecord
from turnout.types import Answer, Request, Snapshot, Tried

logger = logging.getLogger(__name__)


class Verifying:
    """Observes requests, and records outcomes of the sources `verifier` and `judge`.

    Everything but what the signals of an answer tell is done later, in tasks of its own. Details of an outcome have the
    verifier's or judge's name as their key and a number behind it, so that no text of anybody reaches the history.

    Args:
        history: open.
        configuration: what counts now.
        asks: asks candidates.
        snapshot: what is known of them now, from memory.
        chance: uniform in [0, 1), for shares.
        patience_s: how long a judge waits for an idle moment.
    """

    def __init__(
        self,
        history: History,
        configuration: Callable[[], Configuration],
        asks: Asks,
        snapshot: Callable[[], Snapshot],
        *,
        chance: Callable[[], float] = random.random,
        patience_s: float = PATIENCE_S,
    ) -> None:
        self._history = history
        self._configuration = configuration
        self._asks = asks
        self._snapshot = snapshot
        self._chance = chance
        self._patience_s = patience_s
        self._programs = Backlog("verifying")
        self._judge = Backlog("judging")
        self._verdicts: Counter[str] = Counter()
        self._silent: Counter[str] = Counter()

    def served(self, news: Served) -> None:
        """Record what the answers show, and put the rest into the line."""
        if news.decision is None:
            return  # a cache answered: nothing would be learned
        configuration = self._configuration()
        outcomes = configuration.outcomes
        answered = [entry for entry in news.tried if entry.answer is not None]
        self._record(news.id, list(_shown(news.id, answered)))
        for entry, verifier in ((entry, verifier) for entry in answered for verifier in outcomes.verifiers):
            assert entry.answer is not None
            if _applies(verifier, news.decision.task.type, news.asked.request, entry) and self._drawn(verifier.share):
                given = material(news.asked.request.prompt, entry.answer.text, entry.candidate, news.decision.task.type)
                job = partial(self._verify, news.id, entry.candidate, verifier, given)
                self._programs.add(job, at_once=outcomes.max_concurrent, most=outcomes.max_waiting)
        judge = outcomes.judge
        if judge is None or news.completion is None or not self._drawn(judge.share):
            return
        answer = news.completion.answer
        if judge.judges_itself or judge.candidate != answer.candidate:
            job = partial(self._grade, news, answer, judge, configuration)
            self._judge.add(job, at_once=1, most=outcomes.max_waiting)

    def to_json(self) -> dict[str, Any]:
        """Counts so far: verdicts and failures to give one by name, answers dropped for lack of room."""
        return {
            "verdicts": dict(self._verdicts),
            "no_verdict": dict(self._silent),
            "waiting": len(self._programs) + len(self._judge),
            "dropped": self._programs.dropped + self._judge.dropped,
        }

    async def settled(self) -> None:
        """Wait until nothing is left in the line."""
        await self._programs.join()
        await self._judge.join()

    async def aclose(self) -> None:
        """Kill the programs that run, leave the judge, and drop what waits."""
        await self._programs.aclose()
        await self._judge.aclose()

    async def _verify(self, decision_id: str, candidate: str, verifier: Verifier, given: bytes) -> None:
        try:
            good = await run_program(verifier.command, given, verifier.timeout_s)
        except NoVerdictError as error:
            self._silent[verifier.name] += 1
            logger.warning("the verifier %s gave no verdict: %s", verifier.name, error)
            return
        self._verdicts[verifier.name] += 1
        score = float(good)
        self._record(decision_id, [_outcome(decision_id, candidate, "verifier", score, {verifier.name: score})])

    async def _grade(self, news: Served, answer: Answer, judge: AnswerJudge, configuration: Configuration) -> None:
        decision, request = news.decision, news.asked.request
        assert decision is not None
        if not may_see(judge.candidate, decision, request, configuration, self._snapshot()):
            return
        asked = grading(request, answer)
        reply = None
        if asked is not None:
            reply = await reply_of(judge, asked, self._asks, self._snapshot, patience_s=self._patience_s)
        grade = None if reply is None else grade_in(reply)
        if grade is None:
            self._silent[judge.candidate] += 1
            logger.debug("the judge %s gave no grade for %s", judge.candidate, news.id)
            return
        self._verdicts[judge.candidate] += 1
        score = score_of(grade, judge.threshold)
        self._record(news.id, [_outcome(news.id, answer.candidate, "judge", score, {judge.candidate: grade})])

    def _record(self, decision_id: str, records: Collection[OutcomeRecord]) -> None:
        if records and not self._history.record_all(records):
            logger.debug("an outcome of %s waits in memory or was dropped; the history's status tells", decision_id)

    def _drawn(self, share: float) -> bool:
        return share >= 1.0 or self._chance() < share


def _shown(decision_id: str, answered: Collection[Tried]) -> Iterator[OutcomeRecord]:
    """What answers show by their form."""
    for entry in answered:
        for verdict in structure_verdicts(entry.signals or {}):
            details = {verdict.check: verdict.score}
            yield _outcome(decision_id, entry.candidate, "verifier", verdict.score, details, verdict.weight)


def _outcome(
    decision_id: str, candidate: str, source: str, score: float, details: Mapping[str, float], weight: float = 1.0
) -> OutcomeRecord:
    return OutcomeRecord(
        decision_id=decision_id, candidate=candidate, source=source, score=score, weight=weight, details=details
    )


def _applies(verifier: Verifier, task: str, request: Request, entry: Tried) -> bool:
    """Whether one of the conditions of a verifier holds; without any, they do."""
    if not verifier.when or task in verifier.when:
        return True
    if "json" in verifier.when and request.answer_format is not None:
        return True
    # The share of broken fences is known where there is one.
    return "code" in verifier.when and (entry.signals or {}).get("code_broken") is not None
