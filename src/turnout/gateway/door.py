"""Everything between the socket and a handler: who may come in, what is told when something goes wrong, one line of log.

A page of another site that a user has open must not be able to ask (its Origin is refused unless configured), nor a
name that suddenly points to this machine (the Host is compared with those that are configured: DNS rebinding).
"""

from __future__ import annotations

import logging
import math
import re
import time
from collections.abc import Awaitable, Callable
from contextlib import nullcontext
from itertools import chain
from typing import Final

from aiohttp import web

from turnout.config.gateway import Gateway
from turnout.gateway.connections import SERVER
from turnout.gateway.hosts import host_name
from turnout.gateway.keys import Keyring
from turnout.gateway.logs import is_look, log_request
from turnout.gateway.ollama.shapes import error_body as ollama_error
from turnout.gateway.openai.shapes import encode, error_body, to_bytes
from turnout.gateway.own import STOPPING
from turnout.gateway.refusals import Refusal, RefusedError, refusal_of
from turnout.gateway.replying import CALLER

logger = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

OPEN_PATHS: Final = frozenset({"/healthz", "/readyz"})
"""What answers without a key: whoever watches over processes has none, and learns nothing but yes or no."""

PAGE_PATHS: Final = frozenset({"/", "/favicon.ico"})
_ENCODINGS: Final = frozenset({"gzip", "deflate", "identity"})
_PREFLIGHT_S: Final = "600"
_SAFE: Final = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Server": SERVER,
}
_HEADER_NAMES: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+(?:\s*,\s*[A-Za-z0-9!#$%&'*+.^_`|~-]+)*")


class Door:
    """Lets requests in, and tells what went wrong.

    Args:
        settings: hosts, origins, limits.
        keyring: who may ask; None where everybody may who reaches the address.
    """

    def __init__(self, settings: Gateway, keyring: Keyring | None) -> None:
        self._hosts = frozenset(map(host_name, (*settings.allowed_hosts, settings.host))) - {""}
        self._origins = frozenset(settings.cors_origins)
        self._header_bytes = math.inf if settings.limits.max_header_kb is None else settings.limits.max_header_kb * 1024
        self._keyring = keyring

    @web.middleware
    async def let_in(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """One request from its first to its last byte."""
        started_s = time.perf_counter()
        caller = ""
        refusal: Refusal | None = None
        status = 499  # the client went away: nginx's word for it
        try:
            origin = self._origin(request)
            self._check_host(request)
            if request.method == "OPTIONS" and origin:
                status = 204
                return web.Response(status=204, headers=self._preflight(request, origin))
            self._check_size(request)
            with self._admitted(request) as caller:
                request[CALLER] = caller
                response = await handler(request)
                status = response.status
        except RefusedError as error:
            refusal = error.refusal
            response = _refused(request, refusal, error.headers)
        except web.HTTPException as error:
            if error.status < 400:
                status = error.status
                raise
            if request.method == "OPTIONS" and (error.status == 405 or request.path == "*"):
                status = 204
                allowed = error.headers.get("Allow", "GET,HEAD,POST")
                return web.Response(status=204, headers={"Allow": f"{allowed},OPTIONS"})
            refusal = Refusal(error.status, _code(error.status), _told(request, error))
            response = _refused(request, refusal, {"Allow": error.headers["Allow"]} if "Allow" in error.headers else {})
        except web.RequestPayloadError:
            refusal = Refusal(400, "invalid_encoding", "the body is not what its Content-Encoding says")
            response = _refused(request, refusal, {"Connection": "close"})
        except ConnectionError:
            raise
        except Exception as error:
            refusal = refusal_of(error)
            if refusal.code == "internal_error":
                logger.exception("%s %s failed inside", request.method, request.path)
            response = _refused(request, refusal, {})
        finally:
            status = refusal.status if refusal is not None else status
            log_request(request, status, started_s, caller=caller, code=refusal.code if refusal is not None else "")
        return response

    async def tell(self, http: web.Request, response: web.StreamResponse) -> None:
        """Headers of every answer, streams included: called as it is about to be sent."""
        response.headers.update(_SAFE)
        if http.app[STOPPING].is_set():  # the next request is for another process
            response.headers["Connection"] = "close"
            response.force_close()
        origin = http.headers.get("Origin")
        if self._origins:
            response.headers.add("Vary", "Origin")
        if origin in self._origins:
            response.headers["Access-Control-Allow-Origin"] = origin
            response.headers["Access-Control-Expose-Headers"] = (
                "x-turnout-decision, x-turnout-candidate, x-turnout-reason, x-turnout-warning, Retry-After"
            )

    def _check_host(self, http: web.Request) -> None:
        """A name that points here but is none of ours is refused, in the Host header and in the target itself."""
        named = {http.headers.get("Host", "")}
        if http.host not in named:  # GET http://NAME/…
            named.add(f"[{http.host}]" if ":" in http.host else http.host)
        for name in named:
            if host_name(name) not in self._hosts and "*" not in self._hosts:
                raise RefusedError(
                    421, "unknown_host", f"{name[:80]!r} is no name of this gateway; gateway.allowed_hosts lists them"
                )

    def _check_size(self, http: web.Request) -> None:
        """What is announced as too large is not waited for."""
        fields = http.raw_headers
        if sum(map(len, chain.from_iterable(fields))) + 4 * len(fields) > self._header_bytes:
            raise RefusedError(431, "headers_too_large", f"headers may have {self._header_bytes:g} bytes")
        encoding = http.headers.get("Content-Encoding", "identity").lower()
        if encoding not in _ENCODINGS:
            raise RefusedError(
                415,
                "unknown_encoding",
                f"a body in {encoding[:40]!r} cannot be unpacked here",
                headers={"Accept-Encoding": "gzip, deflate"},
            )
        if (http.content_length or 0) > http.client_max_size:
            most = f"{http.client_max_size / 2**20:g} MiB"
            raise RefusedError(
                413, "body_too_large", f"the body is larger than {most}", headers={"Connection": "close"}
            )

    def _origin(self, http: web.Request) -> str:
        """The page that asks, where it is one of another site that may; empty for everything else.

        Raises:
            RefusedError: it may not.
        """
        origin = http.headers.get("Origin")
        if origin is None or origin in self._origins:
            return origin or ""
        host = http.headers.get("Host", "").lower()
        if origin.lower() in (f"http://{host}", f"https://{host}"):  # our own page
            return ""
        raise RefusedError(
            403, "foreign_origin", f"pages of {origin[:80]} may not ask; gateway.cors_origins lists those that may"
        )

    def _preflight(self, http: web.Request, origin: str) -> dict[str, str]:
        """A page that may ask may send whatever headers its client has: OpenAI's sends a dozen of its own."""
        asked = http.headers.get("Access-Control-Request-Headers", "")
        return {
            "Access-Control-Allow-Origin": origin,
            "Access-Control-Allow-Methods": "GET, POST",
            "Access-Control-Allow-Headers": asked if _HEADER_NAMES.fullmatch(asked) else "authorization, content-type",
            "Access-Control-Max-Age": _PREFLIGHT_S,
        }

    def _admitted(self, http: web.Request) -> nullcontext[str]:
        if (
            self._keyring is None
            or http.path in OPEN_PATHS
            or http.path in PAGE_PATHS
            or http.path.startswith("/page/")
        ):
            return nullcontext("")
        return self._keyring.admitted(_key(http), counts=not is_look(http))  # type: ignore[return-value]


def _key(http: web.Request) -> str | None:
    kind, _, key = http.headers.get("Authorization", "").partition(" ")
    return key.strip() if kind.lower() == "bearer" else http.headers.get("x-api-key")


def _refused(http: web.Request, refusal: Refusal, headers: dict[str, str]) -> web.Response:
    body = ollama_error(refusal) if http.path.startswith("/api/") else error_body(refusal)
    response = web.Response(
        status=refusal.status,
        body=to_bytes(encode(body)),
        content_type="application/json",
        headers={**refusal.headers, **headers},
    )
    if "Connection" in headers:
        response.force_close()
    return response


def _code(status: int) -> str:
    return {404: "not_found", 405: "method_not_allowed", 413: "body_too_large"}.get(status, "invalid_request")


def _told(http: web.Request, error: web.HTTPException) -> str:
    if error.status == 404:
        return f"nothing is at {http.path[:120]!r}; /openapi.json lists what there is"
    if error.status == 405:
        return f"{http.method[:20]} is not understood at {http.path[:120]!r}; {error.headers.get('Allow', '')} is"
    return error.reason
