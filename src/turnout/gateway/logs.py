"""What the gateway logs: one line for each request, as JSON or as text, never with a word of a prompt or an answer."""

from __future__ import annotations

import json
import logging
import sys
import time
from typing import Any, Final, Literal

from aiohttp import web

_TOLD: Final = web.RequestKey("turnout_told", tuple)
_LOOKED_AT: Final = frozenset({"/", "/favicon.ico", "/healthz", "/readyz", "/metrics"})
_ACCESS: Final = logging.getLogger("turnout.gateway.access")

_PATH_CHARS: Final = 200

LogFormat = Literal["json", "text"]


def note(http: web.BaseRequest, decision: str, candidate: str, reason: str) -> None:
    """Remember who answered, for the line that is logged when the request ends."""
    http[_TOLD] = (decision, candidate, reason)


def is_look(http: web.BaseRequest) -> bool:
    """Whether a request only looks at the gateway itself, as the page and whoever watches over it do every few seconds."""
    return http.method in ("GET", "HEAD") and (http.path in _LOOKED_AT or http.path.startswith(("/turnout/", "/page/")))


def log_request(http: web.BaseRequest, status: int, started_s: float, *, caller: str = "", code: str = "") -> None:
    """One line: who asked for what, what came of it, how long that took."""
    level = logging.DEBUG if status < 400 and is_look(http) else logging.INFO
    if not _ACCESS.isEnabledFor(level):
        return
    decision, candidate, reason = http.get(_TOLD, ("", "", ""))
    fields = {
        "method": http.method,
        "path": http.path[:_PATH_CHARS],
        "status": status,
        "seconds": round(time.perf_counter() - started_s, 6),
        "caller": caller,
        "decision": decision,
        "candidate": candidate,
        "reason": reason,
        "code": code,
    }
    _ACCESS.log(level, "request", extra={"fields": {name: value for name, value in fields.items() if value != ""}})


class JsonLines(logging.Formatter):
    """One JSON object a line: time (ISO 8601, UTC), level, logger, message, and the fields of a request."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        told: dict[str, Any] = {
            "time": _iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, "fields", {}),
        }
        if record.exc_info:
            told["error"] = self.formatException(record.exc_info)
        return json.dumps(told, default=str)


class TextLines(logging.Formatter):
    """The same for people."""

    def format(self, record: logging.LogRecord) -> str:
        """The line of one record."""
        fields = getattr(record, "fields", {})
        told = " ".join(f"{name}={_on_one_line(str(value))}" for name, value in fields.items())
        message = _on_one_line(record.getMessage())
        line = f"{_iso(record.created)} {record.levelname.lower():7} {message} {told}".rstrip()
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def set_up_logs(form: LogFormat, level: int = logging.INFO, *, requests: bool = True) -> None:
    """Log to standard error from here on; `requests` false leaves out the line for each request."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form == "json" else TextLines())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    _ACCESS.setLevel(level if requests else logging.WARNING)
    for chatty in ("aiohttp", "watchfiles"):
        logging.getLogger(chatty).setLevel(logging.WARNING)


def _on_one_line(text: str) -> str:
    """What was sent neither begins a line of its own nor moves the cursor of whoever reads the log."""
    return text if text.isprintable() else "".join(each if each.isprintable() else repr(each)[1:-1] for each in text)


def _iso(moment: float) -> str:
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment))
    return f"{whole}.{int(moment % 1 * 1000):03d}Z"
