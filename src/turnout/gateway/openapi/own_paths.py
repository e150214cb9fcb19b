"""The gateway's own paths: routing without an answer, feedback, figures, health, the page."""

from __future__ import annotations

from typing import Any, Final

from turnout.execution.leaning import KINDS
from turnout.gateway.openapi.own_status import SCHEMAS as STATUS
from turnout.gateway.openapi.pieces import (
    COMMON,
    COUNT,
    JSON_OBJECT,
    NAMED,
    NUMBER,
    TEXT,
    TOLD,
    Schema,
    between,
    body,
    json_content,
    listed,
    maybe,
    record,
    ref,
    responses,
    words,
)

_ROUTED: Final = record(
    {
        "candidate": TEXT,
        "confidence": NUMBER,
        "reason": TEXT,
        "task": record(
            {"type": TEXT, "complexity": TEXT, "complexity_score": NUMBER, "tier": TEXT, "tier_score": NUMBER}
        ),
        "ranking": listed(JSON_OBJECT),
        "explanation": JSON_OBJECT,
        "text": TEXT,
    }
)
_FEEDBACK: Final = record(
    {
        "decision": {
            "type": "string",
            "minLength": 1,
            "description": "The x-turnout-decision of an answer, or its id.",
        },
        "kind": words(*KINDS),
    },
    {"value": maybe(between(0, 1)), "comment": maybe(TEXT)},
)
_LATEST: Final = record(
    {"id": TEXT, "at": NUMBER, "seconds": NUMBER, "error": TEXT, "feedback": TEXT, "prompt": maybe(TEXT)}
)
_SLICE: Final = record(
    {"at": COUNT, "requests": COUNT, "answered": COUNT, "mean_s": maybe(NUMBER), "candidates": JSON_OBJECT}
)

SCHEMAS: Final[dict[str, Any]] = {
    "Routed": _ROUTED,
    "FeedbackRequest": _FEEDBACK,
    **STATUS,
    "LatestRequest": _LATEST,
    "TimelineSlice": _SLICE,
    "Readiness": record({"status": TEXT}, {"candidates": COUNT}),
}


def _get(name: str, summary: str, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A path that tells something."""
    statuses = more.pop("statuses", COMMON)
    return {"get": {"operationId": name, "summary": summary, "responses": responses(content, statuses), **more}}


def _text(*kinds: str) -> dict[str, Any]:
    return {kind: {"schema": {"type": "string"}} for kind in kinds}


def _open(operations: dict[str, Any]) -> dict[str, Any]:
    """A path that needs no key."""
    operations["get"]["security"] = []
    return operations


def _page(name: str, summary: str, *kinds: str, **more: Any) -> dict[str, Any]:
    """A file of the page, which a browser may know already."""
    made = _open(_get(name, summary, _text(*kinds), statuses=NAMED, **more))
    made["get"]["responses"]["304"] = {"description": "The browser has it already."}
    return made


_READY: Final = _open(_get("ready", "Whether requests can be answered", json_content(ref("Readiness"))))
_READY["get"]["responses"]["503"] = {
    "description": "It stops, or nobody can be asked.",
    "content": json_content(ref("Readiness"), {"status": "stopping"}),
}
_LIMIT: Final[Schema] = between(least=1, most=500, kind="integer")

PATHS: Final[dict[str, Any]] = {
    "/turnout/route": {
        "post": {
            "operationId": "route",
            "summary": "Who should answer, and everything that led to it; nobody is asked",
            "requestBody": body(ref("RouteRequest"), prompt={"prompt": "quick question: what is a mutex?"}),
            "responses": responses(json_content(ref("Routed")), (*NAMED, 503), headers=TOLD),
        }
    },
    "/turnout/feedback": {
        "post": {
            "operationId": "feedback",
            "summary": "What a user says about an answer; kept when this returns",
            "requestBody": body(
                ref("FeedbackRequest"), good={"decision": "18ea81f7636f69192e6e6a9f6a9d9e29", "kind": next(iter(KINDS))}
            ),
            "responses": responses(
                json_content(record({"decision": TEXT, "kind": TEXT, "value": maybe(NUMBER)})), NAMED
            ),
        }
    },
    "/turnout/status": _get("status", "Everything at one moment", json_content(ref("Status"))),
    "/turnout/decisions": _get(
        "decisions",
        "The latest requests, newest first",
        json_content(record({"decisions": listed(ref("LatestRequest"))})),
        parameters=[{"name": "limit", "in": "query", "schema": {**_LIMIT, "default": 50}, "example": 10}],
    ),
    "/turnout/timeline": _get(
        "timeline",
        "Figures over the last hour",
        json_content(record({"now": NUMBER, "slice_s": NUMBER, "timeline": listed(ref("TimelineSlice"))})),
    ),
    "/metrics": _get(
        "metrics",
        "Everything that is counted, for Prometheus",
        _text("text/plain", "application/openmetrics-text"),
        statuses=(*COMMON, 501),
    ),
    "/healthz": _open(_get("alive", "The process answers", json_content(record({"status": {"const": "ok"}})))),
    "/readyz": _READY,
    "/openapi.json": _get("openapi", "This document", json_content(record({"openapi": TEXT, "paths": JSON_OBJECT}))),
    "/": _page("page", "The dashboard", "text/html"),
    "/page/{name}": _page(
        "pagePart",
        "What the dashboard is made of",
        "text/html",
        "text/css",
        "text/javascript",
        "image/svg+xml",
        parameters=[
            {
                "name": "name",
                "in": "path",
                "required": True,
                "schema": {"type": "string", "minLength": 1},
                "example": "icon.svg",
            }
        ],
    ),
    "/favicon.ico": _page("icon", "Its icon", "image/svg+xml"),
}
