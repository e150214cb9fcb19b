"""Two gateways on their own that share a PostgreSQL and a Redis: what one knows the other uses."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from tests.cli.emulated import emulating
from tests.execution.cache.redis_server import serve_redis
from tests.gateway.plain import ask, chat
from tests.gateway.worker import Worker, started
from tests.gateway.world import until
from tests.history.postgres import serve_postgres

pytestmark = pytest.mark.slow


@pytest.fixture
def replicas(tmp_path: Path) -> Iterator[tuple[Worker, Worker]]:
    """Each with a state folder of its own, as on two machines."""
    with ExitStack() as stack:
        database = stack.enter_context(serve_postgres()).new_database()
        cache = stack.enter_context(serve_redis())
        provider, _ = stack.enter_context(emulating())
        file = tmp_path / "team.yaml"
        file.write_text(
            json.dumps(
                {
                    "providers": {"ollama": {"base_url": provider}},
                    "resources": {"memory": {"reserve_mb": 0, "max_percent": 100}},
                    "history": {"url_variable": "HISTORY_URL"},
                    "performance": {"cache": {"url_variable": "CACHE_URL", "exact": {"scope": "shared"}}},
                }
            )
        )
        environment = {**os.environ, "HISTORY_URL": database, "CACHE_URL": cache}
        environment["TURNOUT_MODELS"] = str(tmp_path / "models")
        first, second = (
            stack.enter_context(started(file, {**environment, "TURNOUT_STATE": str(tmp_path / name)}))
            for name in ("first", "second")
        )
        yield first, second


def test_an_answer_cached_by_one_is_served_by_the_other(replicas: tuple[Worker, Worker]) -> None:
    first, second = replicas
    told = chat(first.url, "what is a semaphore?")
    again = chat(second.url, "what is a semaphore?")
    assert "asked before" in again.headers["x-turnout-reason"]
    assert again.json["choices"][0]["message"]["content"] == told.json["choices"][0]["message"]["content"]


def test_feedback_at_one_is_about_an_answer_of_the_other(replicas: tuple[Worker, Worker]) -> None:
    first, second = replicas
    decision = chat(first.url, "what is a mutex?").decision
    told = {"decision": decision, "kind": "good"}
    # The first one brings its records into the database when it comes to that.
    until(lambda: ask(f"{second.url}/turnout/feedback", told).status == 200)
    samples = ask(f"{second.url}/metrics").text
    assert 'turnout_feedback_total{kind="good"} 1.0' in samples
