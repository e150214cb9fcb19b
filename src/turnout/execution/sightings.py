"""Which language models stand behind the candidates, written into the history whenever that is news."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from turnout.execution.served import Served
from turnout.history import History, LanguageModelRecord
from turnout.history.identities import agree, identity_of, merged
from turnout.types import LanguageModel, Snapshot

_MOST: Final = 10_000
"""Candidates that are remembered; a provider that offers more under ever new names is not followed."""


class Sightings:
    """Observes requests, and looks at the candidates when one has ended.

    What is seen is recorded once in each process, and again when another language model stands behind the name. The
    first request that meets a new one is told of before it is seen; its outcome counts for the language model before.

    Args:
        history: open.
        snapshot: what is known of the candidates now, from memory.
    """

    def __init__(self, history: History, snapshot: Callable[[], Snapshot]) -> None:
        self._history = history
        self._snapshot = snapshot
        self._told: dict[str, LanguageModel] = {}
        self._known: dict[str, str] = {}

    def served(self, news: Served) -> None:
        """Look at what is there now."""
        del news
        self.look()

    def look(self) -> None:
        """Record every language model that is new here."""
        for candidate, state in self._snapshot().candidates.items():
            # Between two looks at its provider it is the same object: most requests compare, and digest nothing.
            if state.model is not None and state.model is not self._told.get(candidate):
                self._see(candidate, state.model)

    def _see(self, candidate: str, model: LanguageModel) -> None:
        if candidate not in self._told and len(self._told) >= _MOST:
            return
        self._told[candidate] = model
        identity = identity_of(model)
        before = self._known.get(candidate)
        if not identity:
            return
        if before is not None and agree(before, identity):
            self._known[candidate] = merged(before, identity)
        else:
            self._known[candidate] = identity
            self._history.record(LanguageModelRecord(candidate=candidate, identity=identity))
