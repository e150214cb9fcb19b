"""Reading server-sent events in tests, by a reader of its own that forgives nothing."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import aiohttp


class Told(NamedTuple):
    """A response that was read to its end."""

    status: int
    headers: dict[str, str]
    raw: bytes

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def error(self) -> Any:
        return self.body["error"]

    @property
    def events(self) -> list[tuple[str, Any]]:
        """Each event's name (empty without one) and its data, JSON or [DONE]."""
        blocks = self.raw.decode().split("\n\n")
        assert blocks.pop() == ""
        events = []
        for block in blocks:
            fields = dict(line.split(": ", 1) for line in block.split("\n"))
            assert fields.keys() <= {"event", "data"}
            data = fields["data"]
            events.append((fields.get("event", ""), data if data == "[DONE]" else json.loads(data)))
        return events

    @property
    def documents(self) -> list[Any]:
        """The data alone."""
        return [data for _, data in self.events]


async def told(
    http: aiohttp.ClientSession, url: str, body: Any = None, headers: dict[str, str] | None = None, method: str = ""
) -> Told:
    """POST a body (JSON, or bytes as they are), or GET without one."""
    content = {"data": body} if isinstance(body, bytes) else {"json": body}
    async with http.request(
        method or ("GET" if body is None else "POST"), url, headers=headers, **({} if body is None else content)
    ) as response:
        return Told(response.status, {k.lower(): v for k, v in response.headers.items()}, await response.read())
