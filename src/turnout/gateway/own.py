"""The gateway's own paths: a dry run, feedback, status, what the page shows, health."""

from __future__ import annotations

from typing import Any, Final

from aiohttp import web

from turnout.execution.leaning import KINDS
from turnout.gateway.bodies import Fields, read_body
from turnout.gateway.openai.requests import chat_request
from turnout.gateway.openai.shapes import decision_of, encode, to_bytes
from turnout.gateway.replying import CALLER, CLIENT, told_headers
from turnout.gateway.targets import find_target
from turnout.gateway.together import TOGETHER

_MOST_SHOWN: Final = 500


async def route(http: web.Request) -> web.StreamResponse:
    """POST /turnout/route: the decision for a prompt or messages, with everything that led to it; asks nobody."""
    body = await read_body(http)
    prompt = body.pop("prompt", None)
    if prompt is not None and body.get("messages") is None:
        body["messages"] = [{"role": "user", "content": prompt}]
    body.setdefault("model", "auto")
    client = http.app[CLIENT]
    wanted = chat_request(body)
    target = find_target(wanted.model, client.configuration, client.snapshot)
    decision = client.route(wanted.request, **wanted.options(target, http.headers, http.get(CALLER, "")))
    explanation = decision.explain()
    task = decision.task
    told = {
        "candidate": decision.candidate,
        "confidence": decision.confidence,
        "reason": decision.reason,
        "task": {
            "type": task.type,
            "complexity": task.complexity,
            "complexity_score": task.complexity_score,
            "tier": task.tier,
            "tier_score": task.tier_score,
        },
        "ranking": explanation.to_json()["ranking"],
        "explanation": explanation.to_json(),
        "text": explanation.text(),
    }
    return _json(told, told_headers("", decision.candidate, decision.reason, wanted.warnings))


async def feedback(http: web.Request) -> web.StreamResponse:
    """POST /turnout/feedback: what a user says about an answer, by the id of its decision. It is kept when this returns."""
    fields = Fields(await read_body(http))
    decision, kind = decision_of(fields.text("decision")), fields.one_of("kind", tuple(KINDS))
    if not decision:
        raise fields.refuse("decision", "the x-turnout-decision of an answer is needed")
    if not kind:
        raise fields.refuse("kind", f"expected one of {', '.join(KINDS)}")
    value = fields.number("value", least=0, most=1)
    caller = http.get(CALLER, "")
    await http.app[TOGETHER].feedback(decision, kind, value, fields.text("comment"), caller)
    return _json({"decision": decision, "kind": kind, "value": value})


async def status(http: web.Request) -> web.StreamResponse:
    """GET /turnout/status: everything at one moment."""
    whole = await http.app[TOGETHER].whole()
    return _json({**whole.status.to_json(), "workers": whole.workers})


async def decisions(http: web.Request) -> web.StreamResponse:
    """GET /turnout/decisions?limit=N: the latest requests, newest first."""
    limit = Fields({"limit": _number(http.query.get("limit", "50"))}).whole("limit", least=1, most=_MOST_SHOWN)
    return _json({"decisions": await http.app[TOGETHER].decisions(limit or 50, http.get(CALLER, ""))})


async def timeline(http: web.Request) -> web.StreamResponse:
    """GET /turnout/timeline: figures over the last hour."""
    return _json(await http.app[TOGETHER].timeline())


async def alive(_: web.Request) -> web.StreamResponse:
    """GET /healthz: the process answers."""
    return _json({"status": "ok"})


async def ready(http: web.Request) -> web.StreamResponse:
    """GET /readyz: whether requests can be answered: not before a candidate can be asked, nor while it stops."""
    if http.app[STOPPING].is_set():
        return _json({"status": "stopping"}, status=503)
    candidates = http.app[CLIENT].snapshot.candidates
    able = sum(not state.problem for state in candidates.values())
    return _json({"status": "ready" if able else "no candidate", "candidates": able}, status=200 if able else 503)


class Stopping:
    """Whether the gateway is about to stop."""

    def __init__(self) -> None:
        self._is_set = False

    def set(self) -> None:
        """It is."""
        self._is_set = True

    def is_set(self) -> bool:
        """Whether it is."""
        return self._is_set


STOPPING: Final = web.AppKey("stopping", Stopping)

ROUTES = [
    web.post("/turnout/route", route),
    web.post("/turnout/feedback", feedback),
    web.get("/turnout/status", status),
    web.get("/turnout/decisions", decisions),
    web.get("/turnout/timeline", timeline),
    web.get("/healthz", alive),
    web.get("/readyz", ready),
]


def _number(text: str) -> Any:
    try:
        return int(text)
    except ValueError:
        return text


def _json(value: Any, headers: dict[str, str] | None = None, *, status: int = 200) -> web.Response:
    return web.Response(status=status, body=to_bytes(encode(value)), content_type="application/json", headers=headers)
