"""Everything that goes into the history of a client: requests, language models as they are seen, verdicts on answers."""

from __future__ import annotations

from collections.abc import Callable

from turnout.config.records import History as Settings
from turnout.config.schema import Configuration
from turnout.execution.fleets import Fleets
from turnout.execution.recorder import Recorder
from turnout.execution.served import Observer
from turnout.execution.sightings import Sightings
from turnout.execution.verifying import Verifying
from turnout.history import History
from turnout.types import Snapshot


class Keeping:
    """The observers that keep a history.

    Args:
        history: open while requests are served; None where none is kept.
        kept: what may be kept.
        configuration: what holds now.
        fleets: answer where a candidate judges.
        snapshot: what is known of providers now.
    """

    def __init__(
        self,
        history: History | None,
        kept: Settings,
        configuration: Callable[[], Configuration],
        fleets: Fleets,
        snapshot: Callable[[], Snapshot],
    ) -> None:
        self._verifying: Verifying | None = None
        self.observers: tuple[Observer, ...] = ()
        if history is not None:
            self._verifying = Verifying(history, configuration, fleets, snapshot)
            recorder = Recorder(history, keep_texts=kept.prompts == "full")
            self.observers = (recorder, Sightings(history, snapshot), self._verifying)

    async def aclose(self) -> None:
        """End what is being verified; call it while fleets and history are open."""
        if self._verifying is not None:
            await self._verifying.aclose()
