"""What one worker contributes to the truth of all: plain values that can be told, kept, and added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Final, Self

from turnout.execution.client import HybridClient
from turnout.execution.status import CandidateStatus, Status
from turnout.execution.tallies import Tally
from turnout.execution.windows import Window, Windows
from turnout.types import BreakerState

COUNTED: Final = ("recorded", "committed", "dropped", "skipped")
WAITING: Final = ("waiting", "buffered")
_WORSE: Final[tuple[BreakerState, ...]] = ("closed", "half_open", "open")


@dataclass(frozen=True, slots=True)
class AtWork:
    """One candidate, as one worker sees it now."""

    running: int
    waiting: int
    breaker: BreakerState

    def with_other(self, other: AtWork) -> AtWork:
        """Both together; the worse breaker counts."""
        return AtWork(
            self.running + other.running,
            self.waiting + other.waiting,
            max(self.breaker, other.breaker, key=_WORSE.index),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """What was counted, what the history's records of one worker came to, and what is under way now.

    `reloads` is of the configuration, which all workers follow: the largest number is what happened.
    """

    windows: Windows
    history: Mapping[str, int] = field(default_factory=dict)
    reloads: int = 0
    candidates: Mapping[str, AtWork] = field(default_factory=dict)

    @classmethod
    def of(cls, client: HybridClient) -> Self:
        """What this worker has to say; from memory."""
        states, live = client.snapshot.candidates, client.live
        history = client.history.status().to_json() if client.history is not None else {}
        return cls(
            windows=client.windows,
            history={name: int(history[name]) for name in (*COUNTED, *WAITING) if name in history},
            reloads=live.reloads if live is not None else 0,
            candidates={
                name: AtWork(state.running, state.waiting, state.breaker)
                for name, state in states.items()
                if state.running or state.waiting or state.breaker != "closed"
            },
        )

    @property
    def past(self) -> Share:
        """What stays true of a worker that died: what it counted since its start."""
        counted = {name: count for name, count in self.history.items() if name in COUNTED}
        none = Window(Tally(), 0.0)
        windows = Windows(minute=none, hour=none, total=self.windows.total)
        return Share(windows=windows, history=counted, reloads=self.reloads)

    def with_other(self, other: Share) -> Share:
        """Both together."""
        candidates = dict(self.candidates)
        for name, at_work in other.candidates.items():
            candidates[name] = candidates[name].with_other(at_work) if name in candidates else at_work
        return Share(
            windows=self.windows.with_other(other.windows),
            history={
                name: self.history.get(name, 0) + other.history.get(name, 0)
                for name in dict.fromkeys((*self.history, *other.history))
            },
            reloads=max(self.reloads, other.reloads),
            candidates=candidates,
        )

    def seen_in(self, status: Status) -> Status:
        """A status of one worker, with what all of them have under way; its figures must be theirs already."""
        configuration = replace(status.configuration, reloads=max(status.configuration.reloads, self.reloads))
        return replace(
            status,
            configuration=configuration,
            history={**status.history, **self.history} if status.history else status.history,
            candidates={name: self._seen(name, entry) for name, entry in status.candidates.items()},
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same share."""
        return {
            "windows": self.windows.to_json(),
            "history": dict(self.history),
            "reloads": self.reloads,
            "candidates": {name: asdict(at_work) for name, at_work in self.candidates.items()},
        }

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """The share of another worker.

        Raises:
            ValueError: it is none.
        """
        try:
            return cls(
                windows=Windows.of_json(value["windows"]),
                history={str(name): int(count) for name, count in value["history"].items()},
                reloads=int(value["reloads"]),
                candidates={
                    str(name): AtWork(int(one["running"]), int(one["waiting"]), _WORSE[_WORSE.index(one["breaker"])])
                    for name, one in value["candidates"].items()
                },
            )
        except (TypeError, KeyError, AttributeError) as error:
            raise ValueError(f"no share: {error!r}") from error

    def _seen(self, name: str, entry: CandidateStatus) -> CandidateStatus:
        at_work = self.candidates.get(name)
        if at_work is None:
            return entry
        return replace(entry, running=at_work.running, waiting=at_work.waiting, breaker=at_work.breaker)
