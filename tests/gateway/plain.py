"""Asking a gateway without any client library."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, NamedTuple

from tests.gateway.world import BUDGET_S


class Said(NamedTuple):
    """What came back."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def decision(self) -> str:
        return self.headers["x-turnout-decision"]


def ask(url: str, body: Any = None, **headers: str) -> Said:
    """GET, or POST where there is a body; underscores in the names of headers stand for hyphens."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data=data, headers={"Content-Type": "application/json", **named})
    try:
        with urllib.request.urlopen(request, timeout=3 * BUDGET_S) as answer:
            return Said(answer.status, answer.headers, answer.read().decode())
    except urllib.error.HTTPError as error:
        with error:
            return Said(error.code, error.headers, error.read().decode())


def chat(
    url: str, prompt: str = "why does this lock?", *, model: str = "auto", stream: bool = False, **more: str
) -> Said:
    """One request in OpenAI's dialect; what is named beside are headers."""
    body = {"model": model, "messages": [{"role": "user", "content": prompt}], "stream": stream, "temperature": 0}
    return ask(f"{url}/v1/chat/completions", body, **more)
