"""What a client without any cleverness sees of a fault, for tests of what goes over the wire."""

from __future__ import annotations

import json
from typing import Any

import aiohttp

from turnout.emulators.faults import FaultName

HTML_STATUS = 502
OVERSIZED_BYTES = 20_000_000

# Faults that end in an error body, with OpenAI's and everybody's status.
STATUS = {
    FaultName.ERROR_500: 500,
    FaultName.BUSY_429: 429,
    FaultName.BUSY_503: 503,
    FaultName.UNAUTHORIZED: 401,
    FaultName.NOT_FOUND: 404,
    FaultName.LOAD_FAILED: 500,
    FaultName.ERROR_WITH_200: 200,
}
NEVER_ENDING = frozenset({FaultName.HANG, FaultName.STALL_MID_STREAM})
CUT = frozenset({FaultName.RESET_MID_STREAM, FaultName.TRUNCATED_BODY})
UNREACHED = frozenset({FaultName.REFUSED, FaultName.RESET_BEFORE_HEADERS})
_SHORT_PATIENCE_S, _LONG_PATIENCE_S = 0.1, 8.0


class Seen:
    """A response as far as it came. `outcome` is done, cut, silent or unreached."""

    def __init__(self) -> None:
        self.outcome = "unreached"
        self.status = 0
        self.headers: dict[str, str] = {}
        self.raw = b""

    @property
    def body(self) -> Any:
        return json.loads(self.raw)

    @property
    def is_utf8(self) -> bool:
        try:
            self.raw.decode()
        except UnicodeDecodeError:
            return False
        return True

    @property
    def lines(self) -> list[bytes]:
        return [line for line in self.raw.split(b"\n") if line.startswith(b"data: ")]

    @property
    def broken_lines(self) -> int:
        """Data that is no JSON."""
        return sum(not _is_json(line[6:]) for line in self.lines if line != b"data: [DONE]")


def _is_json(data: bytes) -> bool:
    try:
        json.loads(data)
    except ValueError:
        return False
    return True


async def see(
    http: aiohttp.ClientSession, url: str, body: Any, fault: FaultName, headers: dict[str, str] | None = None
) -> Seen:
    """POST a body and read what comes until it ends or breaks off; where nothing will come, wait a moment for it."""
    seen, parts = Seen(), bytearray()
    patience = aiohttp.ClientTimeout(
        total=None, sock_read=_SHORT_PATIENCE_S if fault in NEVER_ENDING else _LONG_PATIENCE_S
    )
    try:
        async with http.post(url, json=body, headers=headers, timeout=patience) as response:
            seen.status, seen.outcome = response.status, "cut"
            seen.headers = {name.lower(): value for name, value in response.headers.items()}
            async for part in response.content.iter_any():
                parts += part
            seen.outcome = "done"
    except TimeoutError:
        seen.outcome = "silent"
    except aiohttp.ClientError:
        pass
    seen.raw = bytes(parts)
    return seen
