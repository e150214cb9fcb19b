"""The dashboard's files: a page without anything from elsewhere, and without a script or style inside its HTML."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Final

from aiohttp import web

_TYPES: Final = {
    ".css": "text/css",
    ".html": "text/html",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}

_HEADERS: Final = {
    "Cache-Control": "no-cache",  # asked for again each time, sent again only when it changed
    "Content-Security-Policy": (
        "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}


async def index(http: web.Request) -> web.StreamResponse:
    """GET /: the page."""
    return _sent(http, "index.html")


async def part(http: web.Request) -> web.StreamResponse:
    """GET /page/NAME: what the page is made of."""
    return _sent(http, http.match_info["name"])


async def icon(http: web.Request) -> web.StreamResponse:
    """GET /favicon.ico: for browsers that ask by habit."""
    return _sent(http, "icon.svg")


ROUTES = [
    web.get("/", index),
    web.get("/page/{name}", part),
    web.get("/favicon.ico", icon),
]


@dataclass(frozen=True, slots=True)
class _File:
    """One file as it is sent."""

    content: bytes
    media_type: str
    etag: str


@cache
def _files() -> Mapping[str, _File]:
    """Everything there is, by name; read once."""
    found: dict[str, _File] = {}
    for entry in (files("turnout.gateway") / "page").iterdir():
        suffix = entry.name[entry.name.rfind(".") :]
        if suffix in _TYPES and not entry.name.startswith("."):
            content = entry.read_bytes()
            found[entry.name] = _File(content, _TYPES[suffix], hashlib.sha256(content).hexdigest()[:20])
    return found


def _sent(http: web.Request, name: str) -> web.StreamResponse:
    file = _files().get(name)
    if file is None:
        raise web.HTTPNotFound
    response = web.Response(headers=_HEADERS)
    response.etag = file.etag
    known = http.if_none_match
    if known is not None and any(tag.value in (file.etag, "*") for tag in known):
        response.set_status(304)
        return response
    response.body = file.content
    response.content_type = file.media_type
    response.charset = "utf-8"
    return response
