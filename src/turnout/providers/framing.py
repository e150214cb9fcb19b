"""Bytes into frames: server-sent events and newline-delimited JSON.

Text line iterators also split at U+0085, U+2028 and U+2029, which language models do write; these decoders split at
the byte 0x0A alone, so any cut of the byte stream gives the same frames.

Source of the event format: WHATWG HTML, "Server-sent events", section 9.2.6. Beyond it, an event whose closing blank
line is missing at the end of the stream is still handed out: whoever reads it has to prove the end anyway.
"""

from __future__ import annotations

from typing import NamedTuple

MAX_FRAME_BYTES = 16 * 1024 * 1024  # no honest frame comes near; without a bound a broken server fills the memory


class FramingError(ValueError):
    """The byte stream cannot be cut into frames."""


class Event(NamedTuple):
    """One server-sent event; `name` is empty where the stream does not name it."""

    name: str
    data: bytes


class LineDecoder:
    """Cuts bytes into lines at 0x0A, without their line ends. An empty line is a line."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._pending_bytes = 0

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that these bytes complete.

        Raises:
            FramingError: a line grows beyond MAX_FRAME_BYTES.
        """
        first, newline, rest = data.partition(b"\n")
        self._pending_bytes += len(first)
        if self._pending_bytes > MAX_FRAME_BYTES:
            raise FramingError(f"a line is longer than {MAX_FRAME_BYTES} bytes")
        self._pending.append(first)
        if not newline:
            return []
        lines = [b"".join(self._pending), *rest.split(b"\n")]
        last = lines.pop()
        if max(map(len, lines)) > MAX_FRAME_BYTES or len(last) > MAX_FRAME_BYTES:
            raise FramingError(f"a line is longer than {MAX_FRAME_BYTES} bytes")
        self._pending, self._pending_bytes = [last], len(last)
        return [line.removesuffix(b"\r") for line in lines]

    def close(self) -> list[bytes]:
        """The last line, if the stream ended without a line end."""
        line = b"".join(self._pending)
        self._pending, self._pending_bytes = [], 0
        return [line.removesuffix(b"\r")] if line else []


class EventDecoder:
    """Server-sent events out of bytes. Comments, ids and retry times are left out."""

    def __init__(self) -> None:
        self._lines = LineDecoder()
        self._name = ""
        self._data: list[bytes] = []
        self._data_bytes = 0
        self._at_start = True

    def feed(self, data: bytes) -> list[Event]:
        """The events that these bytes complete.

        Raises:
            FramingError: an event grows beyond MAX_FRAME_BYTES.
        """
        events: list[Event] = []
        lines = self._lines.feed(data)
        last = len(lines) - 1
        place = 0
        while place <= last:
            line = lines[place]
            # Nearly every event is one line of data and a blank one; no longer than a line may be, so within bounds.
            if (
                place < last
                and not lines[place + 1]
                and line.startswith(b"data: ")
                and not (self._data or self._name or self._at_start)
            ):
                events.append(Event("", line[6:]))
                place += 2
            else:
                self._take(line, events)
                place += 1
        return events

    def close(self) -> list[Event]:
        """What is left when the stream ends without a closing blank line."""
        events: list[Event] = []
        for line in (*self._lines.close(), b""):
            self._take(line, events)
        return events

    def _take(self, line: bytes, events: list[Event]) -> None:
        if self._at_start:
            self._at_start = False
            line = line.removeprefix(b"\xef\xbb\xbf")
        if not line:
            if self._data:
                events.append(Event(self._name, b"\n".join(self._data)))
            self._name, self._data, self._data_bytes = "", [], 0
            return
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            self._data_bytes += len(value) + 1
            if self._data_bytes > MAX_FRAME_BYTES:
                raise FramingError(f"an event is longer than {MAX_FRAME_BYTES} bytes")
            self._data.append(value)
        elif field == b"event":
            self._name = value.decode("utf-8", "replace")


class JsonLineDecoder:
    """Newline-delimited JSON out of bytes: one line, one document. Blank lines are left out."""

    def __init__(self) -> None:
        self._lines = LineDecoder()

    def feed(self, data: bytes) -> list[Event]:
        """The documents that these bytes complete, as events without a name.

        Raises:
            FramingError: a line grows beyond MAX_FRAME_BYTES.
        """
        return [Event("", line) for line in self._lines.feed(data) if line.strip()]

    def close(self) -> list[Event]:
        """The last document, if the stream ended without a line end."""
        return [Event("", line) for line in self._lines.close() if line.strip()]
