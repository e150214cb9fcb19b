"""Bytes to a gateway and back, without a client that would mend them."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterable
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from tests.gateway.world import BUDGET_S


class Answered(NamedTuple):
    """One answer; status 0 where the connection was closed without any."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> str:
        """The code of an error in OpenAI's dialect."""
        return str(self.json["error"]["code"])


def send(url: str, *pieces: bytes, within_s: float = BUDGET_S) -> Answered:
    """Send pieces, read until the connection is closed or one answer is whole."""
    with connected(url, within_s) as sock:
        for piece in pieces:
            try:
                sock.sendall(piece)
            except ConnectionError:  # it has heard enough
                break
        return receive(sock)


def connected(url: str, within_s: float = BUDGET_S) -> socket.socket:
    """A connection."""
    parts = urlsplit(url)
    return socket.create_connection((parts.hostname, parts.port), timeout=within_s)


def receive(sock: socket.socket, *, bodiless: bool = False, content: bytes = b"") -> Answered:
    """The next answer, of which some content may be here already."""
    while b"\r\n\r\n" not in content:
        if not (piece := _read(sock)):
            return Answered(0, {}, content)
        content += piece
    head, _, body = content.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    status = int(first.split()[1])
    if status == 100:
        return receive(sock, bodiless=bodiless, content=body)  # the answer itself may have come along
    length = 0 if bodiless or status in (204, 304) else headers.get("content-length")
    while length is None or len(body) < int(length):
        if not (piece := _read(sock)):
            break
        body += piece
    return Answered(status, headers, body)


def request(
    method: str, target: str, headers: Iterable[str] = (), body: bytes = b"", *, host: str | None = "localhost"
) -> bytes:
    """A request; its length is said unless a header says something of the body."""
    lines = [f"{method} {target} HTTP/1.1", *([] if host is None else [f"Host: {host}"]), *headers]
    if body and not any(line.lower().startswith(("content-length", "transfer-encoding")) for line in lines):
        lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + body


def _read(sock: socket.socket) -> bytes:
    try:
        return sock.recv(65_536)
    except ConnectionError:
        return b""
