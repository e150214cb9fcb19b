"""What was counted in the three periods that metrics tell of; those of several processes can be added up."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Self

from turnout.execution.figures import Figures, MetricsSnapshot
from turnout.execution.tallies import Tally


@dataclass(frozen=True, slots=True)
class Window:
    """What was counted in the last `seconds`."""

    tally: Tally
    seconds: float

    def with_other(self, other: Window) -> Window:
        """Both together; what was counted side by side took the longer of both times."""
        whole = Tally()
        whole.merge(self.tally)
        whole.merge(other.tally)
        return Window(whole, max(self.seconds, other.seconds))

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same window."""
        return {"seconds": self.seconds, "tally": self.tally.to_json()}

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """A window that was told by another process.

        Raises:
            ValueError: it is none.
        """
        if not isinstance(value, dict) or not isinstance(value.get("seconds"), int | float):
            raise ValueError("no window")
        return cls(Tally.of_json(value.get("tally")), float(value["seconds"]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Windows:
    """The last minute, the last hour, and all since the start."""

    minute: Window
    hour: Window
    total: Window

    def with_other(self, other: Windows) -> Windows:
        """Both together."""
        return Windows(
            minute=self.minute.with_other(other.minute),
            hour=self.hour.with_other(other.hour),
            total=self.total.with_other(other.total),
        )

    def figures(self, fast: Collection[str] = ()) -> MetricsSnapshot:
        """The figures of what was counted; `fast` names the cheaper half of the candidates."""
        return MetricsSnapshot(
            **{
                name: Figures.of(window.tally, window.seconds, fast)
                for name, window in (("minute", self.minute), ("hour", self.hour), ("total", self.total))
            }
        )

    def to_json(self) -> dict[str, Any]:
        """Plain values, from which `of_json` makes the same windows."""
        return {"minute": self.minute.to_json(), "hour": self.hour.to_json(), "total": self.total.to_json()}

    @classmethod
    def of_json(cls, value: Any) -> Self:
        """Windows that were told by another process.

        Raises:
            ValueError: they are none.
        """
        if not isinstance(value, dict):
            raise ValueError("no windows")
        return cls(**{name: Window.of_json(value.get(name)) for name in ("minute", "hour", "total")})
