"""The whole circle: requests are routed and explored, verdicts come in, a retraining learns from them, and serves."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from benchmarks.fault_trials import MODELS, emulator
from tests.pipelines.logs import known

from turnout.emulators.server import serving
from turnout.execution import following
from turnout.execution.client import HybridClient
from turnout.execution.recorder import version
from turnout.history import OutcomeRecord
from turnout.predictor import load
from turnout.types import Sampling

pytestmark = [pytest.mark.anyio, pytest.mark.slow]

KINDS = ("lmstudio", "ollama")
WEAK, STRONG = (f"{kind}/{MODELS[kind]}" for kind in KINDS)
REQUESTS = 400
SHORT = 200
"""Characters of prompts that the weak one is good at; at longer ones it is bad, and the strong one does not care."""
FILE = """
providers: {{{providers}}}
hybrid: {{exploration: {{rate: 0.5, by_uncertainty: false}}, personal: false}}
routing: {{escalation: {{enabled: false}}, conversations: {{enabled: false}}}}
performance: {{health: {{interval_s: 3600, max_age_s: 7200}}, cache: {{exact: {{enabled: false}}}}}}
"""


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


async def asked_and_judged(client: HybridClient) -> dict[str, int]:
    """Ask all prompts, some at once; a verifier knows how good each candidate is at each. Answers by candidate."""
    asked: dict[str, int] = {}
    at_once = asyncio.Semaphore(8)

    async def one(prompt: str) -> None:
        async with at_once:
            completion = await client.complete(prompt, preference="quality", sampling=Sampling(max_tokens=4))
        asked[completion.candidate] = asked.get(completion.candidate, 0) + 1
        score = {WEAK: 0.9 if len(prompt) < SHORT else 0.2, STRONG: 0.8}[completion.candidate]
        assert client.history is not None
        client.history.record(
            OutcomeRecord(decision_id=completion.id, candidate=completion.candidate, source="verifier", score=score)
        )

    await asyncio.gather(*[one(prompt) for prompt in known(REQUESTS)["prompt"]])
    return asked


async def turnout(*arguments: str, models: Path) -> dict:  # type: ignore[type-arg]
    """Run the command as an operator would, beside the client that serves."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "turnout.cli.main", *arguments, "--json"),
        env={**os.environ, "TURNOUT_MODELS": str(models), "MLFLOW_TRACKING_URI": ""},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await asyncio.wait_for(process.communicate(), 240)
    assert process.returncode == 0, err.decode()
    found: dict = json.loads(out)  # type: ignore[type-arg]
    return found


async def test_a_client_learns_from_its_own_history_without_a_restart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    models, state = tmp_path / "models", tmp_path / "state"
    monkeypatch.setenv("TURNOUT_MODELS", str(models))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(following, "EVERY_S", 0.05)
    async with AsyncExitStack() as stack:
        urls = {kind: await stack.enter_async_context(serving(emulator(kind))) for kind in KINDS}
        providers = ", ".join(
            f"{kind}: {{base_url: '{url}', models: ['{MODELS[kind]}']}}" for kind, url in urls.items()
        )
        file = tmp_path / "hybrid.yaml"
        file.write_text(FILE.format(providers=providers), encoding="utf-8")
        client = await stack.enter_async_context(HybridClient.from_config(file, state=state, live=False))
        assert (await client.status()).predictor is None
        asked = await asked_and_judged(client)
        assert set(asked) == {WEAK, STRONG} and min(asked.values()) > REQUESTS / 4
        assert client.history is not None and await asyncio.to_thread(client.history.flush, 60)

        history = f"sqlite:///{state}/history.db"
        # What the gate says of so few requests, explored at random, is chance; its own tests hold it to account.
        first = await turnout("retrain", "--history", history, "--no-promote", models=models)
        assert not first["promoted"] and not (models / "champion").exists()
        await turnout("promote", "challenger", models=models)
        assert first["history"]["scored"] == REQUESTS and set(first["candidates"]) == {WEAK, STRONG}
        champion = load(models / "champion")
        async with asyncio.timeout(60):
            while (told := (await client.status()).predictor) is None:
                await asyncio.sleep(0.05)
        assert told.version == version(champion)
        decision = client.route("why does our lock deadlock under failover?", preference="quality")
        assert all(entry.learned for entry in decision.ranking)

        completion = await client.complete("why does our lock deadlock under failover?")
        assert await asyncio.to_thread(client.history.flush, 60)
        stored = await asyncio.to_thread(client.history.reader.decision, completion.id)
        assert stored is not None and stored["predictor"] == version(champion)

        drift = await turnout("drift", "--history", history, models=models)
        assert drift["watched"]["decisions"] > 0
