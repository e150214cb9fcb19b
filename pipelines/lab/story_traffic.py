"""Live traffic through the hybrid client, judged, with the other candidate's answer to the same prompt beside it.

The other candidate is asked after the live answer, through a second client that keeps no history: over the same way, in
the same minute, and nothing of it is learned from. So each engine reads each prompt once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Final

from turnout_pipelines.lab.story_jobs import Operator
from turnout_pipelines.lab.story_log import Event, Row, learned_from_worse
from turnout_pipelines.lab.story_plan import Phase
from turnout_pipelines.lab.story_stage import Stage

from turnout.config.paths import champion_folder
from turnout.errors import ArtifactError, HistoryError
from turnout.execution.client import HybridClient
from turnout.execution.recorder import version
from turnout.history import OutcomeRecord
from turnout.lab import Task, judge
from turnout.lab.engine import MOST_TOKENS
from turnout.lab.laboratory import Laboratory
from turnout.predictor import load
from turnout.types import Completion, Sampling

_GREEDY: Final = Sampling(max_tokens=MOST_TOKENS, temperature=0.0)
_FLUSH_S: Final = 60.0
_FOLLOWS_S: Final = 30.0
_WARM_UP: Final = ("Reverse ab.", "Uppercase ab.")


@dataclass(frozen=True, slots=True)
class _Clients:
    """The client that serves and learns, and the one that asks the other candidate."""

    live: HybridClient
    beside: HybridClient


class Player:
    """Plays phases one after the other.

    Args:
        lab: runs, with the right file under the strong name.
        stage: folders and settings.
        operator: runs the jobs.
        tasks: never ends.
        tell: hears of each row and each event.
    """

    def __init__(
        self,
        lab: Laboratory,
        stage: Stage,
        operator: Operator,
        tasks: Iterator[Task],
        tell: Callable[[Row | Event], None],
    ) -> None:
        self.rows: list[Row] = []
        self.events: list[Event] = []
        self._lab = lab
        self._stage = stage
        self._operator = operator
        self._tasks = tasks
        self._tell = tell
        self._served = "right"

    async def play(self, phases: Sequence[Phase]) -> None:
        """Play them all. A client goes on from phase to phase unless another configuration is wanted.

        Raises:
            LoadFailedError: an engine does not come up.
            NoAnswerError: a candidate does not answer.
        """
        settings: tuple[str, ...] = ()
        async with AsyncExitStack() as outer:
            stack = await outer.enter_async_context(AsyncExitStack())
            for phase in phases:
                self._note(Event(at=len(self.rows), kind="phase", told=phase.told, details={"name": phase.name}))
                await self._swapped(phase)
                if (wanted := self._stage.settings(phase)) != settings:
                    await stack.aclose()
                    settings, clients = wanted, await self._clients(stack, wanted)
                await self._phase(phase, clients)

    async def _clients(self, stack: AsyncExitStack, settings: tuple[str, ...]) -> _Clients:
        path, folder = self._lab.config_path, self._stage.folder
        live = HybridClient.from_config(path, settings=settings, state=self._stage.state, live=False)
        unlogged = (*settings, "history.enabled=false")
        beside = HybridClient.from_config(path, settings=unlogged, state=folder / "beside", live=False)
        for client in (live, beside):
            await stack.enter_async_context(client)
        for candidate in (self._lab.fast, self._lab.strong):
            for prompt in _WARM_UP:
                await _asked(beside, prompt, candidate)
        return _Clients(live, beside)

    async def _swapped(self, phase: Phase) -> None:
        if phase.served == self._served:
            return
        self._served = phase.served
        await self._lab.swap(self._lab.strong, self._stage.strong[phase.served])
        file = "a file without its last layer" if phase.served == "worse" else "the right file"
        told = f"{file} answers under the name {self._lab.strong}"
        self._note(Event(at=len(self.rows), kind="swapped", told=told, details={"served": phase.served}))

    async def _phase(self, phase: Phase, clients: _Clients) -> None:
        for number in range(1, phase.most + 1):
            self._add(await self._request(phase, next(self._tasks), clients))
            if phase.job and number % phase.every == 0 and await self._works(phase, clients.live):
                break
        if phase.rolls_back:
            await self._rolls_back(clients.live)

    async def _request(self, phase: Phase, task: Task, clients: _Clients) -> Row:
        names = (self._lab.fast, self._lab.strong)
        completion, took_s = await _asked(clients.live, task.prompt)
        seconds, scores = [took_s] * 2, [judge(task, completion.text)] * 2
        candidate = names.index(completion.candidate)
        assert clients.live.history is not None and completion.decision is not None
        clients.live.history.record(
            OutcomeRecord(
                decision_id=completion.id, candidate=completion.candidate, source="verifier", score=scores[candidate]
            )
        )
        other = 1 - candidate
        unserved, seconds[other] = await _asked(clients.beside, task.prompt, names[other])
        scores[other] = judge(task, unserved.text)
        return Row(
            phase=phase.name,
            prompt=task.prompt,
            family=task.family,
            difficulty=task.difficulty,
            candidate=candidate,
            explored=completion.decision.decided_by == "explore",
            predictor=version(completion.decision.predictor),
            scores=(scores[0], scores[1]),
            seconds=(seconds[0], seconds[1]),
        )

    async def _works(self, phase: Phase, live: HybridClient) -> bool:
        """Run the phase's job; whether it found what the phase waits for."""
        assert live.history is not None
        if not await asyncio.to_thread(live.history.flush, _FLUSH_S):
            raise HistoryError(f"the history was not written within {_FLUSH_S:.0f} s")
        found = await asyncio.to_thread(self._operator.work, phase.job, len(self.rows))
        for event in found:
            self._note(event)
        if any(event.kind == "promoted" for event in found):
            await _followed(live)
        return phase.waits and any(event.kind in ("promoted", "alarm") for event in found)

    async def _rolls_back(self, live: HybridClient) -> None:
        """Only a champion that learned from the worse file is worth leaving."""
        if learned_from_worse(self.events):
            self._note(await asyncio.to_thread(self._operator.roll_back, len(self.rows)))
            await _followed(live)
        else:
            told = "not rolled back: whoever decides did not learn from the worse file"
            self._note(Event(at=len(self.rows), kind="refused", told=told))

    def _add(self, row: Row) -> None:
        self.rows.append(row)
        self._tell(row)

    def _note(self, event: Event) -> None:
        self.events.append(event)
        self._tell(event)


async def _asked(client: HybridClient, prompt: str, candidate: str = "") -> tuple[Completion, float]:
    """The answer, streamed as an editor would have it, and the seconds to its end."""
    began = time.perf_counter()
    async with client.stream(prompt, candidate=candidate, sampling=_GREEDY) as pieces:
        async for _ in pieces:
            pass
        took_s = time.perf_counter() - began
        return pieces.completion, took_s


async def _followed(client: HybridClient) -> None:
    """Wait until the client serves the champion that was put in place, which it notices by itself.

    Raises:
        ArtifactError: it does not.
    """
    wanted = version(load(champion_folder()))
    for _ in range(int(_FOLLOWS_S / 0.1)):
        serving = (await client.status()).predictor
        if serving is not None and serving.version == wanted:
            return
        await asyncio.sleep(0.1)
    raise ArtifactError(f"the client does not follow the champion within {_FOLLOWS_S:.0f} s")
