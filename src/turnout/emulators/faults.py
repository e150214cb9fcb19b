"""Everything that goes wrong with a provider, by name, to be switched on for tests and demos."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any, Final

from turnout.emulators.chance import draw
from turnout.errors import ConfigurationError


class FaultName(StrEnum):
    """The faults. Where a fault of a stream meets an answer in one piece, the nearest equivalent happens."""

    REFUSED = "refused"
    """Nobody listens for `seconds`; open connections are reset."""
    HANG = "hang"
    """The connection is accepted and never answered."""
    SLOW_FIRST_BYTE = "slow_first_byte"
    """The answer begins `seconds` late."""
    ERROR_500 = "error_500"
    BUSY_429 = "busy_429"
    """With a Retry-After of `seconds`."""
    BUSY_503 = "busy_503"
    BAD_GATEWAY_HTML = "bad_gateway_html"
    """502 and a page for people, as a proxy in between sends it."""
    UNAUTHORIZED = "unauthorized"
    NOT_FOUND = "not_found"
    """The model is unknown all of a sudden."""
    LOAD_FAILED = "load_failed"
    RESET_BEFORE_HEADERS = "reset_before_headers"
    RESET_MID_STREAM = "reset_mid_stream"
    """A TCP reset after `after` pieces."""
    STALL_MID_STREAM = "stall_mid_stream"
    """After `after` pieces nothing more comes, and the connection stays open."""
    ERROR_EVENT_MID_STREAM = "error_event_mid_stream"
    """After `after` pieces the provider's own error inside a stream that began with 200."""
    SWALLOWED_ERROR = "swallowed_error"
    """After `after` pieces one empty piece and the end, without a word about the error."""
    MISSING_TERMINATOR = "missing_terminator"
    """All the text, a clean end of the connection, but not the message that says it is complete."""
    MALFORMED_JSON = "malformed_json"
    INVALID_UTF8 = "invalid_utf8"
    TRUNCATED_BODY = "truncated_body"
    """Fewer bytes than announced, then the connection is closed in good order."""
    OVERSIZED_LINE = "oversized_line"
    """A line of 20 MB."""
    SPLIT_UTF8 = "split_utf8"
    """No error at all: everything comes in chunks of one to three bytes."""
    WRONG_MODEL = "wrong_model"
    """The answer says that another model made it."""
    EMPTY_ANSWER = "empty_answer"
    """200, tokens counted, no text."""
    ERROR_WITH_200 = "error_with_200"
    """An error in the body of a response with status 200."""


# These need an answer to spoil; a listing or a health check does not use them up.
_NEED_A_MODEL: Final = frozenset(
    {
        FaultName.LOAD_FAILED,
        FaultName.ERROR_EVENT_MID_STREAM,
        FaultName.SWALLOWED_ERROR,
        FaultName.MISSING_TERMINATOR,
        FaultName.WRONG_MODEL,
        FaultName.EMPTY_ANSWER,
    }
)


@dataclass(frozen=True, slots=True)
class Fault:
    """A fault and when it strikes.

    rate: the share of matching requests that it strikes, drawn with the plan's seed.
    count: how many more times it strikes; None for ever.
    path: the beginning of the paths it strikes; "" for all.
    model: the model as the request names it; None for all.
    after: pieces of a stream that come before it.
    seconds: how long it lasts, where that has a meaning. Real seconds, whatever the emulator's speed.
    """

    name: FaultName
    rate: float = 1.0
    count: int | None = None
    path: str = ""
    model: str | None = None
    after: int = 2
    seconds: float = 1.0

    def __post_init__(self) -> None:
        try:
            object.__setattr__(self, "name", FaultName(self.name))
        except ValueError:
            valid = ", ".join(FaultName)
            raise ConfigurationError(f"there is no fault {self.name!r}; valid are {valid}") from None
        for field, highest in (("rate", 1.0), ("count", math.inf), ("after", math.inf), ("seconds", 86_400.0)):
            value = getattr(self, field)
            if field == "count" and value is None:
                continue
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= highest:
                raise ConfigurationError(f"fault {self.name}: {field} is {value!r}, expected 0 to {highest:g}")

    @classmethod
    def parse(cls, text: str) -> Fault:
        """Read `NAME` or `NAME:RATE`.

        Raises:
            ConfigurationError: there is no fault of this name, or the rate is not in [0, 1].
        """
        name, colon, told = text.partition(":")
        try:
            rate = float(told) if colon else 1.0
        except ValueError:
            raise ConfigurationError(f"fault {name}: {told!r} is not a rate between 0 and 1") from None
        return cls(name, rate)  # type: ignore[arg-type]

    @classmethod
    def from_json(cls, entry: Any) -> Fault:
        """Read a name, or an object with the fields of a fault.

        Raises:
            ConfigurationError: an unknown name, an unknown field, or a value out of range.
        """
        if isinstance(entry, str):
            return cls.parse(entry)
        if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str):
            raise ConfigurationError("a fault is a name, or an object with 'name'")
        unknown = entry.keys() - set(cls.__slots__)
        if unknown:
            raise ConfigurationError(f"a fault has no {', '.join(sorted(unknown))}; it has {', '.join(cls.__slots__)}")
        return cls(**entry)

    def matches(self, path: str, model: str | None) -> bool:
        """Whether it may strike this request."""
        if model is None and self.name in _NEED_A_MODEL:
            return False
        return path.startswith(self.path) and self.model in (None, model)


class FaultPlan:
    """The faults that are switched on, and how often each has struck."""

    def __init__(self, faults: Iterable[Fault] = (), seed: int = 0) -> None:
        self.struck: dict[str, int] = {}
        self._seed = seed
        self._seen = 0
        self._faults: list[Fault] = []
        self._left: list[float] = []
        for fault in faults:
            self.add(fault)

    @classmethod
    def read(cls, entries: Any) -> list[Fault]:
        """Faults from JSON: one, or a list of them.

        Raises:
            ConfigurationError: as `Fault.from_json`.
        """
        return [Fault.from_json(entry) for entry in (entries if isinstance(entries, list) else [entries])]

    def add(self, fault: Fault) -> None:
        """Switch one more fault on."""
        self._faults.append(fault)
        self._left.append(math.inf if fault.count is None else fault.count)

    def clear(self) -> None:
        """Switch all off; what has struck stays counted."""
        self._faults.clear()
        self._left.clear()

    def strike(self, path: str, model: str | None = None) -> tuple[Fault, ...]:
        """The faults that strike this request, in the order in which they were switched on."""
        self._seen += 1
        struck = []
        for place, fault in enumerate(self._faults):
            lucky = draw(self._seed, fault.name, self._seen) >= fault.rate
            if self._left[place] <= 0 or lucky or not fault.matches(path, model):
                continue
            self._left[place] -= 1
            self.struck[fault.name] = self.struck.get(fault.name, 0) + 1
            struck.append(fault)
        return tuple(struck)

    def to_json(self) -> list[dict[str, Any]]:
        """The faults that are on, each with the count that is left."""
        return [
            {**asdict(fault), "count": None if math.isinf(left) else int(left)}
            for fault, left in zip(self._faults, self._left, strict=True)
        ]
