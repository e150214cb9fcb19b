"""A serving client takes in another champion, a challenger, a confidence model and a note of drift while requests go on;
never half of one."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.fault_trials import MODELS, emulator

from turnout import Router
from turnout.emulators.server import serving
from turnout.execution import following
from turnout.execution.client import HybridClient
from turnout.execution.drift_note import DriftNote
from turnout.execution.followed_confidence import FollowedConfidence
from turnout.execution.following import Following
from turnout.execution.judging import DEFAULT_CONFIDENCE, Judge
from turnout.execution.served import Served
from turnout.history.reader import HistoryReader
from turnout.policy.policy import Policy
from turnout.predictor import Predictor, save
from turnout.predictor.fit import Fitted

pytestmark = pytest.mark.anyio

KINDS = ("lmstudio", "ollama")
FAST, STRONG = (f"{kind}/{MODELS[kind]}" for kind in KINDS)
PROMPT = "write 5 words about caching"
BUDGET_S = 60.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def first(small_fitted: Fitted) -> Predictor:
    """A predictor of the two emulated candidates."""
    return replace(small_fitted.predictor, candidates=(FAST, STRONG, "cloud/huge"), info={"created": "first"})


@pytest.fixture
def second(first: Predictor) -> Predictor:
    """Another one, that believes otherwise."""
    return replace(first, candidates=("cloud/huge", STRONG, FAST), calibration=None, info={"created": "second"})


class Ear:
    """Hears of every request."""

    def __init__(self) -> None:
        self.heard: list[Served] = []

    def served(self, news: Served) -> None:
        self.heard.append(news)


class Site:
    """Models, state and a configuration over emulated providers."""

    def __init__(self, folder: Path, urls: dict[str, str]) -> None:
        self.folder = folder
        self.urls = urls
        self.ear = Ear()

    @property
    def champion(self) -> Path:
        return self.folder / "models" / "champion"

    @property
    def challenger(self) -> Path:
        return self.folder / "models" / "challenger"

    @property
    def confidence(self) -> Path:
        return self.folder / "models" / "confidence.json"

    def trusts(self, bias: float) -> None:
        """A confidence model that is surer or less sure than the default."""
        replace(DEFAULT_CONFIDENCE, bias=bias, fitted="fitted").save(self.confidence)

    def client(self, hybrid: str = "challenger: shadow", *, live: bool = False, history: bool = False) -> HybridClient:
        providers = ", ".join(
            f"{kind}: {{kind: {kind}, base_url: '{url}', models: ['{MODELS[kind]}']}}"
            for kind, url in self.urls.items()
        )
        aside = self.folder / "aside"
        aside.write_text(
            f"providers: {{{providers}}}\nhybrid: {{exploration: {{enabled: false}}, {hybrid}}}\n"
            f"history: {{enabled: {str(history).lower()}}}\n"
            "performance: {health: {interval_s: 3600, max_age_s: 7200}, cache: {exact: {enabled: false}}}\n"
        )
        file = aside.replace(self.folder / "hybrid.yaml")
        return HybridClient.from_config(file, state=self.folder / "state", live=live, observers=(self.ear,))


@pytest.fixture
async def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Site]:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr(following, "EVERY_S", 0.02)
    made = {kind: emulator(kind) for kind in KINDS}
    async with AsyncExitStack() as stack:
        urls = {kind: await stack.enter_async_context(serving(each)) for kind, each in made.items()}
        yield Site(tmp_path, urls)


async def until(done: Callable[[], bool]) -> None:
    async with asyncio.timeout(BUDGET_S):
        while not done():
            await asyncio.sleep(0.005)


async def confidence_of(client: HybridClient) -> float:
    """How far an answer to the same prompt is trusted now."""
    return (await client.complete(PROMPT, candidate=FAST)).confidence


async def trusts(client: HybridClient, holds: Callable[[float], bool]) -> None:
    async with asyncio.timeout(BUDGET_S):
        while not holds(await confidence_of(client)):
            await asyncio.sleep(0.005)


def version_of(client: HybridClient) -> str:
    predictor = client._router.predictor
    return "" if predictor is None else str(predictor.info["created"])


async def test_a_champion_is_taken_in_while_requests_go_on_and_no_request_sees_half_of_it(
    site: Site, first: Predictor, second: Predictor
) -> None:
    save(first, site.champion)
    swaps = 0
    async with site.client(history=True) as client:

        async def ask() -> None:
            while swaps < 6:
                await client.complete(PROMPT)

        asking = [asyncio.create_task(ask()) for _ in range(8)]
        for turn in range(6):
            seen = len(site.ear.heard)
            await until(lambda seen=seen: len(site.ear.heard) > seen + 15)  # type: ignore[misc]
            wanted = first if turn % 2 else second
            await asyncio.to_thread(save, wanted, site.champion)
            await until(lambda wanted=wanted: version_of(client) == wanted.info["created"])  # type: ignore[misc]
            swaps += 1
        await asyncio.gather(*asking)
        policy = Policy(client.configuration)
    assert len(site.ear.heard) > 90 and all(news.completion is not None for news in site.ear.heard)
    believed = {
        str(predictor.info["created"]): {
            entry.candidate: entry.p_success for entry in Router(predictor, policy=policy).route(PROMPT).ranking
        }
        for predictor in (first, second)
    }
    assert believed["first"] != believed["second"]
    by_version = defaultdict(list)
    with HistoryReader(f"sqlite:///{site.folder / 'state' / 'history.db'}") as reader:
        for record in reader.recent(10_000):
            by_version[record["predictor"]].append({row["candidate"]: row["p_success"] for row in record["ranking"]})
    assert set(by_version) == {"first", "second"}
    assert sum(map(len, by_version.values())) == len(site.ear.heard)
    for told, rankings in by_version.items():
        for ranking in rankings:
            assert ranking == pytest.approx(believed[told], abs=1e-6), "another predictor's chances"


async def test_a_champion_that_comes_later_is_taken_in(site: Site, first: Predictor) -> None:
    async with site.client() as client:
        assert (await client.status()).predictor is None
        assert not client.route(PROMPT).ranking[0].learned
        await asyncio.to_thread(save, first, site.champion)
        await until(lambda: version_of(client) == "first")
        told = (await client.status()).predictor
        assert told is not None and told.version == "first" and told.since is not None
        assert client.route(PROMPT).ranking[0].learned


async def test_a_damaged_champion_leaves_the_old_one_serving_and_is_told_once(
    site: Site, first: Predictor, second: Predictor, caplog: pytest.LogCaptureFixture
) -> None:
    save(first, site.champion)
    async with site.client() as client:
        aside = site.champion / "aside"
        aside.write_text('{"format": 1}')
        with caplog.at_level(logging.WARNING, "turnout"):
            aside.replace(site.champion / "manifest.json")
            await until(lambda: "what was there before goes on" in caplog.text)
            await asyncio.sleep(0.3)  # many looks
        assert caplog.text.count("what was there before goes on") == 1
        assert version_of(client) == "first"
        told = (await client.status()).predictor
        assert told is not None and "manifest" in told.problem
        assert (await client.complete(PROMPT)).text
        await asyncio.to_thread(save, second, site.champion)
        await until(lambda: version_of(client) == "second")
        assert (await client.status()).predictor.problem == ""  # type: ignore[union-attr]


async def test_a_challenger_in_the_shadow_is_compared_and_changes_nothing(
    site: Site, first: Predictor, second: Predictor
) -> None:
    save(first, site.champion)
    save(second, site.challenger)
    async with site.client() as client:
        usual = Router(first, policy=Policy(client.configuration))
        for _ in range(5):
            await client.complete(PROMPT)
        await until(lambda: client.windows.figures().hour.compared == 5)
        told = (await client.status()).challenger
        assert told is not None and (told.version, told.mode, told.compared) == ("second", "shadow", 5)
        assert told.agreement_share is not None and told.canary_requests == 0
    for news in site.ear.heard:
        assert news.decision is not None and news.decision.predictor.info["created"] == "first"
        assert {row.candidate for row in news.decision.ranking} == {
            row.candidate for row in usual.route(PROMPT).ranking
        }


async def test_a_challenger_in_the_canary_decides_and_is_told_as_who_decided(
    site: Site, first: Predictor, second: Predictor
) -> None:
    save(first, site.champion)
    save(second, site.challenger)
    async with site.client("challenger: canary, canary_share: 0.5") as client:
        for _ in range(30):
            await client.complete(PROMPT)
        told = (await client.status()).challenger
    by_arm = {news.decision.arm: news.decision.predictor.info["created"] for news in site.ear.heard if news.decision}
    assert by_arm == {"champion": "first", "challenger": "second"}
    decided = sum(news.decision is not None and news.decision.arm == "challenger" for news in site.ear.heard)
    assert told is not None and told.canary_requests == decided


async def test_a_challenger_comes_and_goes_with_its_folder_and_its_setting(
    site: Site, first: Predictor, second: Predictor
) -> None:
    save(first, site.champion)
    async with site.client(live=True) as client:
        router = client._router
        assert router.challenger is None and (await client.status()).challenger is None
        await asyncio.to_thread(save, second, site.challenger)
        await until(lambda: router.challenger is not None)
        site.client("challenger: 'off'")
        await until(lambda: router.challenger is None)
        site.client("challenger: canary")
        await until(lambda: router.challenger is not None)
        shutil.rmtree(site.challenger)
        await until(lambda: router.challenger is None)


async def test_a_challenger_that_was_promoted_is_none_any_more(site: Site, first: Predictor, second: Predictor) -> None:
    save(first, site.champion)
    save(second, site.challenger)
    async with site.client() as client:
        router = client._router
        await until(lambda: router.challenger is not None)
        await asyncio.to_thread(save, second, site.champion)
        await until(lambda: version_of(client) == "second" and router.challenger is None)
        assert (await client.status()).challenger is None


async def test_another_predictor_than_the_champion_has_no_challenger(
    site: Site, first: Predictor, second: Predictor
) -> None:
    save(first, site.folder / "own")
    save(second, site.challenger)
    client = site.client()
    async with HybridClient(
        client.configuration,
        router=Router.load(site.folder / "own", configuration=Policy(client.configuration)),
        state=site.folder / "state",
    ) as other:
        assert other._router.challenger is None
        await asyncio.to_thread(save, second, site.folder / "own")
        await until(lambda: version_of(other) == "second")


async def test_a_note_of_drift_is_shown_in_the_status(site: Site) -> None:
    alarm = {"kind": "speed", "candidate": FAST, "since": 50.0, "text": "it writes at half its speed"}
    async with site.client() as client:
        assert (await client.status()).drift is None
        note = site.folder / "state" / "drift.json"
        note.parent.mkdir(exist_ok=True)
        note.with_suffix(".new").write_text(json.dumps({"checked_at": 99.0, "alarms": [alarm], "watched": {}}))
        note.with_suffix(".new").replace(note)
        async with asyncio.timeout(BUDGET_S):
            while (told := (await client.status()).drift) is None:
                await asyncio.sleep(0.01)
    assert [(each.kind, each.candidate, each.text) for each in told.alarms] == [
        ("speed", FAST, "it writes at half its speed")
    ]


async def test_a_fitted_confidence_model_is_there_from_the_first_answer_on(site: Site, first: Predictor) -> None:
    save(first, site.champion)
    async with site.client() as client:
        usual = await confidence_of(client)
    site.trusts(-6.0)
    async with site.client() as client:
        assert await confidence_of(client) < 0.1 < usual


async def test_another_confidence_model_is_taken_in_and_without_one_the_default_judges(site: Site) -> None:
    async with site.client() as client:
        usual = await confidence_of(client)
        site.trusts(-6.0)
        await trusts(client, lambda found: found < 0.1)
        site.trusts(6.0)
        await trusts(client, lambda found: found > 0.95)
        site.confidence.unlink()
        await trusts(client, lambda found: found == usual)
    assert 0.1 < usual < 0.95


DAMAGED = ("", "{", '{"format": 1}', '{"format": 99, "signals": []}', "[" * 100_000, "1" * 400)


@pytest.mark.parametrize("content", DAMAGED, ids=range(len(DAMAGED)))
async def test_a_damaged_confidence_model_is_told_once_and_leaves_the_default(
    site: Site, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with site.client() as client:
        usual = await confidence_of(client)
    site.confidence.parent.mkdir(exist_ok=True)
    site.confidence.write_text(content)
    with caplog.at_level(logging.WARNING, "turnout"):
        async with site.client() as client:
            assert await confidence_of(client) == usual
            site.trusts(-6.0)
            await trusts(client, lambda found: found < 0.1)
    (told,) = [record.getMessage() for record in caplog.records if "confidence model" in record.getMessage()]
    assert str(site.confidence) in told and "'turnout retrain' makes a new one" in told


def test_a_confidence_model_that_breaks_later_leaves_the_one_before(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path, taken = tmp_path / "confidence.json", list[Judge]()
    followed = FollowedConfidence(path, taken.append)
    replace(DEFAULT_CONFIDENCE, bias=1.0).save(path)
    followed.look()
    path.write_text(path.read_text().replace('"bias": 1.0', f'"bias": {"9" * 400}'))
    followed.look()
    followed.look()
    assert [judge.model.bias for judge in taken] == [1.0]
    assert caplog.text.count("is not used, answers are judged as before") == 1


async def test_whoever_follows_goes_on_after_a_surprise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, small_fitted: Fitted, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(following, "EVERY_S", 0.001)
    looks = []

    def surprise() -> str:
        looks.append(1)
        raise ZeroDivisionError

    confidence = FollowedConfidence(tmp_path / "confidence.json", lambda judge: None)
    made = Following(Router(small_fitted.predictor), tmp_path, surprise, DriftNote(tmp_path / "drift.json"), confidence)
    task = asyncio.create_task(made.run())
    await until(lambda: len(looks) > 2)
    task.cancel()
    assert "looking for another predictor failed" in caplog.text
