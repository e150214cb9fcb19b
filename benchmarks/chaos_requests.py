"""Those who ask in `chaos.py`: how each request ended, written to a file, so that the ledger is no memory of the client's."""

from __future__ import annotations

import asyncio
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path
from typing import Any, Final

from chaos_server import digest
from chaos_world import Ask

from turnout import HybridClient
from turnout.errors import BrokenAnswerError, NoAnswerError, TurnoutError
from turnout.execution.served import Served
from turnout.types import Answer, Attempt, Completion, ToolCallDelta

ANSWERED: Final = "answered"
BROKEN: Final = "broken, told"
LEFT: Final = "left early"
STUCK_S: Final = 15.0
"""No answer and no error this long after the deadline: given up."""

Figures = dict[str, Any]


class Crowd:
    """Asks a client, and keeps two files: how requests ended for their callers, and what the observers heard.

    Also an observer of the client; `attempted` hears of every attempt of its fleet.
    """

    def __init__(self, folder: Path) -> None:
        self.attempts: Counter[str] = Counter()
        self.started = 0
        self._told = (folder / "callers.jsonl").open("w")
        self._heard = (folder / "observed.jsonl").open("w")

    def served(self, news: Served) -> None:
        """What the client tells of one request."""
        line = {
            "number": news.asked.metadata["number"],
            "id": news.id,
            "decided": news.decision is not None,
            "attempts": sum(len(entry.attempts) for entry in news.tried),
            "asked": [
                [entry.candidate, entry.role, _says_something(entry.answer), len(entry.attempts)]
                for entry in news.tried
            ],
            "error": news.error,
            "cached": news.completion.cached if news.completion is not None else "",
        }
        self._heard.write(json.dumps(line) + "\n")

    def attempted(self, attempt: Attempt) -> None:
        """What the fleet tells of one attempt."""
        self.attempts[attempt.error or ANSWERED] += 1

    async def ask(self, client: HybridClient, ask: Ask) -> None:
        """One request, and a line about how it ended."""
        self.started += 1
        told: Figures = {"number": ask.number, "deadline_s": ask.deadline_s, "streams": ask.streams}
        told |= {"shared": ask.shared, "problems": []}
        started_s = time.perf_counter()
        try:
            async with asyncio.timeout(ask.deadline_s + STUCK_S):
                told["outcome"] = await self._ask(client, ask, told)
        except BrokenAnswerError as error:
            told |= {"outcome": BROKEN, "id": error.decision, "message": str(error)}
            if error.partial_text != told.get("got"):
                told["problems"].append("the error holds another text than was handed out")
            if not ask.streams:
                told["problems"].append("an answer in one piece cannot break off")
        except NoAnswerError as error:
            told |= {"outcome": error.code, "id": error.decision, "message": str(error)}
        except TurnoutError as error:
            told |= {"outcome": type(error).__name__, "message": str(error)}
        except TimeoutError:
            told |= {"outcome": "stuck", "message": "nothing came"}
        except Exception as error:  # what must never happen; the others go on
            told |= {"outcome": "unnamed", "message": f"{type(error).__name__}: {error}"}
        told["ended_s"] = time.perf_counter()
        told["seconds"] = told["ended_s"] - started_s
        told.pop("got", None)
        self._told.write(json.dumps(told) + "\n")

    async def _ask(self, client: HybridClient, ask: Ask, told: Figures) -> str:
        if ask.leaves == "is cancelled":
            return await self._cancelled(client, ask, told)
        if not ask.streams:
            self._note(await client.complete(ask.messages, **ask.options), told)
            return ANSWERED
        return await self._streamed(client, ask, told)

    async def _streamed(self, client: HybridClient, ask: Ask, told: Figures) -> str:
        stream = client.stream(ask.messages, **ask.options)
        if ask.leaves == "drops":  # without a word; the event loop finds the stream and closes it
            async for _ in stream:
                return LEFT
        parts: list[str] = []
        calls: dict[int, list[str]] = {}
        async with aclosing(stream):
            async for chunk in stream:
                if ask.leaves:
                    return LEFT
                parts.append(chunk.text)
                told["got"] = "".join(parts)
                for delta in chunk.tool_calls:
                    _join(calls, delta)
        completion = stream.completion
        if "".join(parts) != completion.text:
            told["problems"].append("the pieces are not the text of the completion")
        if [tuple(call) for call in calls.values()] != [(c.name, c.arguments) for c in completion.answer.tool_calls]:
            told["problems"].append("the pieces are not the calls of the completion")
        self._note(completion, told)
        return ANSWERED

    async def _cancelled(self, client: HybridClient, ask: Ask, told: Figures) -> str:
        """A caller whose own task ends."""

        async def run() -> str:
            if ask.streams:
                return await self._streamed(client, ask, told)
            self._note(await client.complete(ask.messages, **ask.options), told)
            return ANSWERED

        task = asyncio.create_task(run())
        await asyncio.wait([task], timeout=ask.stays_s)
        if task.done():
            return task.result()
        task.cancel()
        await asyncio.wait([task])
        return LEFT if task.cancelled() else task.result()

    def _note(self, completion: Completion, told: Figures) -> None:
        """What was handed out, and whether it can be right."""
        if "candidate" in told:
            told["problems"].append("a second completion")
        answer = completion.answer
        calls = []
        for call in answer.tool_calls:
            try:
                calls.append((call.name, json.loads(call.arguments)))
            except ValueError:
                told["problems"].append("a call of a tool that is no JSON")
        told |= {
            "id": completion.id,
            "candidate": completion.candidate,
            "cached": completion.cached,
            "roles": [entry.role for entry in completion.tried],
            "digest": digest(answer.text, calls),
            "characters": len(answer.text) + len(calls),
            "finish": answer.finish,
        }

    def callers(self) -> Iterator[Figures]:
        """How requests ended for their callers."""
        return _lines(self._told)

    def observed(self) -> Iterator[Figures]:
        """What the client told its observers."""
        return _lines(self._heard)

    def close(self) -> None:
        """Close both files."""
        self._told.close()
        self._heard.close()


def _says_something(answer: Answer | None) -> bool:
    """Whether there is an answer in it: one with no content is followed by a fallback where its escalation fails."""
    return answer is not None and answer.chunk.has_content


def _join(calls: dict[int, list[str]], delta: ToolCallDelta) -> None:
    call = calls.setdefault(delta.index, ["", ""])
    call[0] += delta.name
    call[1] += delta.arguments


def _lines(file: Any) -> Iterator[Figures]:
    if not file.closed:
        file.flush()
    for line in Path(file.name).read_text().splitlines():
        yield json.loads(line)
