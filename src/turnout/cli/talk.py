"""A chat while it goes on: its turns, what is wished of the answers, and what is kept of them."""

from __future__ import annotations

import argparse
import json
import time
from typing import TYPE_CHECKING

from turnout.cli.answering import hand_out, summary, to_json
from turnout.cli.arguments import client_options
from turnout.cli.last import remember
from turnout.cli.opening import starting
from turnout.cli.terminal import note
from turnout.cli.transcript import Transcript, Turn
from turnout.errors import BrokenAnswerError, TurnoutError
from turnout.types import Completion, Message, Request

if TYPE_CHECKING:
    from turnout.execution.sync import SyncHybridClient


class Chat:
    """One chat: its turns, and what is wished of the answers that come."""

    def __init__(self, client: SyncHybridClient, options: argparse.Namespace, transcript: Transcript) -> None:
        self.client = client
        self.options = options
        self.transcript = transcript
        self.completion: Completion | None = None
        self._told_of_state = False

    def say(self, text: str, *, afresh: bool = False) -> None:
        """Ask, print the answer, keep both; a question without an answer is not kept.

        Raises:
            TurnoutError: there was no answer, or it broke off.
            KeyboardInterrupt: it was stopped; what had come is kept.
        """
        turns = self.transcript.turns
        turns.append(Turn(role="user", content=text, at=time.time()))
        said = client_options(self.options) | {"conversation": self.transcript.id}
        if afresh:
            said["use_cache"] = False
        system = (Message("system", self.options.system),) if self.options.system else ()
        request = Request((*system, *self.transcript.messages))
        heard: list[str] = []
        try:
            if self.options.json:
                completion = self.client.complete(request, **said)
            else:
                completion = hand_out(self.client.stream(request, **said), "thinking", heard.append)
        except (KeyboardInterrupt, BrokenAnswerError):
            self._cut("".join(heard))
            raise
        except TurnoutError:
            turns.pop()
            raise
        self._answered(completion)

    def starting(self) -> str:
        """What to do where no provider listens."""
        return starting(self.client.configuration, self.client.status())

    def _answered(self, completion: Completion) -> None:
        self.completion = completion
        self._keep(
            Turn(
                role="assistant",
                content=completion.text,
                at=time.time(),
                candidate=completion.candidate,
                decision=completion.id,
                confidence=completion.confidence,
                seconds=completion.total_s,
            )
        )
        remember(completion.id, completion.candidate)
        if self.options.json:
            print(json.dumps(to_json(completion)), flush=True)
        else:
            note(summary(completion))

    def _cut(self, text: str) -> None:
        """Keep what had come of an answer; with nothing the question goes too, so that turns take turns."""
        if text:
            self._keep(Turn(role="assistant", content=text, at=time.time(), stopped=True))
        else:
            self.transcript.turns.pop()

    def _keep(self, turn: Turn) -> None:
        self.transcript.turns.append(turn)
        try:
            self.transcript.save()
        except OSError as error:
            if not self._told_of_state:
                self._told_of_state = True
                note(f"the chat is not kept: {error.filename} cannot be written ({error.strerror})")
