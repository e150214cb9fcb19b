"""The client over emulated providers: answers, streams, faults, changes of its file, what it leaves behind."""

from __future__ import annotations

import asyncio
import gc
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benchmarks.fault_trials import MODELS, emulator
from tests.providers.fakes import ticks

from turnout.config.loader import load
from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, serving
from turnout.errors import (
    ArtifactMissingError,
    BrokenAnswerError,
    ConfigurationError,
    HistoryError,
    NoAnswerError,
    NoCandidateError,
    RequestError,
    TurnoutError,
)
from turnout.execution.client import HybridClient
from turnout.execution.served import Served
from turnout.execution.threshold import STEP
from turnout.policy import Router
from turnout.policy.policy import Policy
from turnout.providers import Fleet
from turnout.types import Completion, Sampling

pytestmark = pytest.mark.anyio

KINDS = ("lmstudio", "ollama")
FAST, STRONG = (f"{kind}/{MODELS[kind]}" for kind in KINDS)
LONG = "write 500 words about queues"
SHORT = "write 40 words about caching"
QUIET = """
performance: {health: {interval_s: 3600, max_age_s: 7200}}
history: {enabled: false}
hybrid: {enabled: false}
"""
"""Looked at once; no log but where a test wants one; in the configured order, whatever speeds a busy machine shows."""
ROUTED = "performance: {health: {interval_s: 3600, max_age_s: 7200}}\nhybrid: {exploration: {enabled: false}}"
BUDGET_S = 15.0


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@dataclass
class Yard:
    """Two emulated providers, a configuration file for them, and a folder for state."""

    folder: Path
    urls: Mapping[str, str]
    emulators: Mapping[str, Emulator]

    @property
    def file(self) -> Path:
        return self.folder / "hybrid.yaml"

    @property
    def state(self) -> Path:
        return self.folder / "state"

    def write(self, *kinds: str, more: str = QUIET, provider: str = "retry: {retries: 0}") -> Path:
        """The file, over the one that was there in one step."""
        entries = [
            f"  {kind}: {{kind: {kind}, base_url: '{self.urls[kind]}', models: ['{MODELS[kind]}'], {provider}}}"
            for kind in kinds or KINDS
        ]
        aside = self.folder / ".hybrid.yaml.new"
        aside.write_text("providers:\n" + "\n".join(entries) + f"\n{more}\n")
        aside.replace(self.file)
        return self.file

    def client(self, *kinds: str, more: str = QUIET, live: bool = False, **options: Any) -> HybridClient:
        return HybridClient.from_config(self.write(*kinds, more=more), state=self.state, live=live, **options)

    def fails(self, name: str, *kinds: str, **fields: Any) -> None:
        for kind in kinds or KINDS:
            self.emulators[kind].switch_on(Fault(FaultName(name), **fields))

    def heals(self) -> None:
        for each in self.emulators.values():
            each.faults.clear()

    def slow(self) -> None:
        """As slow as the real thing, so that a stop comes in the middle."""
        for each in self.emulators.values():
            each.engine.clock.speed = 1.0

    @property
    def generating(self) -> int:
        return sum(each.engine.counters.running for each in self.emulators.values())

    async def is_quiet(self) -> None:
        """A server notices a little later that its client has gone."""
        await until(lambda: self.generating == 0)


@pytest.fixture
async def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Yard]:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    monkeypatch.chdir(tmp_path)
    emulators = {kind: emulator(kind) for kind in KINDS}
    async with AsyncExitStack() as stack:
        urls = {kind: await stack.enter_async_context(serving(made)) for kind, made in emulators.items()}
        yield Yard(tmp_path, urls, emulators)


async def until(done: Callable[[], bool], within_s: float = BUDGET_S) -> None:
    async with asyncio.timeout(within_s):
        while not done():
            await asyncio.sleep(0.005)


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate() if thread.name.startswith("turnout")}


def ours() -> set[str]:
    """Tasks that run in turnout's own code, those of the emulated servers left out."""
    told = (f"{task.get_name()}: {task.get_coro()} {task.get_stack(limit=1)}" for task in asyncio.all_tasks())
    return {each for each in told if "/turnout/" in each and "/emulators/" not in each}


# Answers


async def test_a_prompt_is_answered_with_all_that_led_to_it(yard: Yard) -> None:
    async with yard.client() as client:
        completion = await client.complete(SHORT, metadata={"ticket": 7})
    assert completion.text and completion.candidate == FAST and completion.answer.usage.completion_tokens
    assert completion.decision is not None and completion.decision.candidate == FAST and completion.reason
    assert 0 < completion.confidence < 1 and completion.metadata == {"ticket": 7}
    assert [(entry.candidate, entry.role) for entry in completion.tried] == [(FAST, "first")]
    assert completion.tried[0].attempts[0].total_s <= completion.total_s < BUDGET_S
    assert completion.first_token_s is None


async def test_messages_are_answered_too(yard: Yard) -> None:
    async with yard.client() as client:
        completion = await client.complete(
            [{"role": "system", "content": "be brief"}, {"role": "user", "content": SHORT}]
        )
    assert completion.text


async def test_a_stream_is_the_answer_in_pieces(yard: Yard) -> None:
    async with yard.client() as client, client.stream(SHORT) as stream:
        chunks = [chunk async for chunk in stream]
    completion = stream.completion
    assert len(chunks) > 2 and "".join(chunk.text for chunk in chunks) == completion.text != ""
    assert completion.first_token_s is not None and completion.first_token_s <= completion.total_s


async def test_a_stream_that_is_held_comes_in_one_piece(yard: Yard) -> None:
    async with yard.client() as client, client.stream(SHORT, hold=True) as stream:
        (chunk,) = [chunk async for chunk in stream if chunk.has_content]
        assert chunk.text == stream.completion.text


async def test_the_one_asked_for_by_name_answers(yard: Yard) -> None:
    async with yard.client() as client:
        assert (await client.complete(SHORT, candidate=STRONG)).candidate == STRONG
        with pytest.raises(NoCandidateError, match="no such candidate"):
            await client.complete(SHORT, candidate="lmstudio/nobody")


async def test_routing_asks_nobody(yard: Yard) -> None:
    async with yard.client() as client:
        before = {kind: sum(each.requests.values()) for kind, each in yard.emulators.items()}
        assert client.route(SHORT).candidate == FAST
        assert client.route(SHORT, candidate=STRONG).candidate == STRONG
        with pytest.raises(RequestError):
            client.route("")
        assert {kind: sum(each.requests.values()) for kind, each in yard.emulators.items()} == before


async def test_what_is_no_request_is_refused_before_anybody_is_asked(yard: Yard) -> None:
    async with yard.client() as client:
        for request, options in (("", {}), ([], {}), (SHORT, {"deadline": 5}), (SHORT, {"preference": "cheap"})):
            with pytest.raises(RequestError):
                await client.complete(request, **options)
        with pytest.raises(RequestError):
            async for _ in client.stream(""):
                pass
    assert yard.emulators["lmstudio"].engine.counters.generations == 0


async def test_a_language_model_can_be_warmed_up(yard: Yard) -> None:
    async with yard.client() as client:
        assert await client.warm(STRONG) > 0
        assert await client.warm(STRONG) == 0
    assert yard.emulators["ollama"].engine.counters.loads == 1


async def test_many_requests_at_once_are_all_answered(yard: Yard) -> None:
    async with yard.client() as client:
        completions = await asyncio.gather(*(client.complete(f"{SHORT}, part {at}") for at in range(40)))
    assert len({completion.id for completion in completions}) == 40
    assert all(completion.text for completion in completions)
    await yard.is_quiet()


async def test_observers_hear_of_what_a_client_does(yard: Yard) -> None:
    heard: list[Served] = []

    class Ear:
        def served(self, news: Served) -> None:
            heard.append(news)

    configuration = load(yard.write()).configuration
    async with HybridClient(configuration, state=yard.state, observers=[Ear()]) as client:
        completion = await client.complete(SHORT)
        yard.fails("error_500")
        with pytest.raises(NoAnswerError):
            await client.complete(SHORT)
    assert [news.error for news in heard] == ["", "no_answer"] and heard[0].completion is completion


# Leaving early


async def test_leaving_a_stream_stops_the_generation(yard: Yard) -> None:
    async with yard.client() as client:
        await client.warm(FAST)
        yard.slow()
        async with client.stream(LONG) as stream:
            async for chunk in stream:
                if chunk.has_content:
                    break
            assert yard.generating == 1
        await yard.is_quiet()
        assert yard.emulators["lmstudio"].engine.counters.generations_cancelled == 1


@pytest.mark.parametrize("streams", [True, False])
async def test_a_cancelled_caller_stops_the_generation_and_the_client_goes_on(yard: Yard, streams: bool) -> None:
    async def ask() -> None:
        if streams:
            async for _ in client.stream(LONG):
                pass
        else:
            await client.complete(LONG)

    async with yard.client() as client:
        await client.warm(FAST)
        yard.slow()
        task = asyncio.create_task(ask())
        await until(lambda: yard.generating == 1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await yard.is_quiet()
        yard.emulators["lmstudio"].engine.clock.speed = 0
        assert (await client.complete(SHORT)).candidate == FAST


async def test_an_interrupted_program_closes_everything(yard: Yard) -> None:
    """What `asyncio.run` does on Ctrl-C: the main task is cancelled in the middle of an answer."""
    before = ours()

    async def main() -> None:
        async with yard.client(live=True) as client:
            await client.warm(FAST)
            yard.slow()
            await client.complete(LONG)

    task = asyncio.create_task(main())
    await until(lambda: yard.generating == 1)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await yard.is_quiet()
    await until(lambda: not threads())
    assert (yard.state / "speeds.json").exists()
    await ticks()
    assert ours() - before == set()


async def test_when_an_answer_is_there_nothing_of_its_request_is_left(yard: Yard) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        async with client.stream(SHORT) as stream:
            async for _ in stream:
                pass
        running = {task.get_coro().__qualname__ for task in asyncio.all_tasks()}
        assert not {name for name in running if name.startswith(("Orchestrator", "Run", "Lane"))}
        assert client._fleets.serving.is_idle


# Deadlines and faults


@pytest.mark.parametrize("streams", [True, False])
async def test_a_deadline_covers_all_that_hang(yard: Yard, streams: bool) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        await client.warm(STRONG)
        yard.fails("hang")
        started_s = time.monotonic()
        with pytest.raises(NoAnswerError) as caught:
            if streams:
                async for _ in client.stream(SHORT, deadline_s=0.6):
                    pass
            else:
                await client.complete(SHORT, deadline_s=0.6)
        assert 0.3 < time.monotonic() - started_s < 3.0
        assert {candidate for candidate, _, _ in caught.value.failures} == {FAST, STRONG}
        assert {code for _, code, _ in caught.value.failures} == {"timeout"}


@pytest.mark.parametrize("streams", [True, False])
async def test_a_hanging_first_candidate_costs_no_answer(yard: Yard, streams: bool) -> None:
    async with yard.client() as client:
        await client.complete(SHORT, candidate=STRONG)
        await client.complete(SHORT, candidate=STRONG)
        await client.warm(FAST)
        assert client.route(SHORT).candidate == FAST
        yard.fails("hang", "lmstudio")
        completion = await answer(client, streams, deadline_s=8.0)
        assert completion.candidate == STRONG and completion.fell_back and completion.total_s < 8.0


async def answer(client: HybridClient, streams: bool, **options: Any) -> Completion:
    """One answer, in pieces or not."""
    if not streams:
        return await client.complete(SHORT, **options)
    async with client.stream(SHORT, **options) as stream:
        text = "".join([chunk.text async for chunk in stream])
    assert text == stream.completion.text
    return stream.completion


BEFORE_ANY_CONTENT = (
    "error_500",
    "busy_503",
    "bad_gateway_html",
    "unauthorized",
    "not_found",
    "reset_before_headers",
    "truncated_body",
    "error_with_200",
    "wrong_model",
)


@pytest.mark.parametrize("streams", [True, False])
@pytest.mark.parametrize("fault", BEFORE_ANY_CONTENT)
async def test_a_fault_before_any_content_goes_unnoticed(yard: Yard, fault: str, streams: bool) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        yard.fails(fault, "lmstudio", path="/v1/chat", after=0)
        completion = await answer(client, streams)
        if not (streams and fault == "truncated_body"):  # in a stream that is an end like any other fault in the middle
            assert completion.candidate == STRONG and completion.fell_back
            assert f"{FAST} failed" in completion.reason
        yard.heals()
        await yard.is_quiet()


@pytest.mark.parametrize(
    "fault", ["reset_mid_stream", "error_event_mid_stream", "missing_terminator", "malformed_json"]
)
async def test_a_fault_after_the_first_content_is_told_with_what_came(yard: Yard, fault: str) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        yard.fails(fault, "lmstudio", path="/v1/chat", after=4)
        got = ""
        with pytest.raises(BrokenAnswerError) as caught:
            async with client.stream(SHORT) as stream:
                async for chunk in stream:
                    got += chunk.text
        assert got == caught.value.partial_text != ""
        with pytest.raises(ValueError, match="when the stream has ended"):
            _ = stream.completion
        yard.heals()
        assert (await client.complete(SHORT)).text


@pytest.mark.parametrize("fault", ["reset_mid_stream", "error_event_mid_stream", "missing_terminator"])
async def test_a_held_stream_survives_a_fault_in_the_middle(yard: Yard, fault: str) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        yard.fails(fault, "lmstudio", path="/v1/chat", after=4)
        async with client.stream(SHORT, hold=True) as stream:
            text = "".join([chunk.text async for chunk in stream])
        assert text == stream.completion.text != ""
        assert stream.completion.candidate == STRONG


async def test_all_failed_is_one_error_that_tells_each(yard: Yard) -> None:
    async with yard.client() as client:
        yard.fails("error_500")
        with pytest.raises(NoAnswerError) as caught:
            await client.complete(SHORT)
        assert [candidate for candidate, _, _ in caught.value.failures] == [FAST, STRONG]
        yard.heals()
        assert (await client.complete(SHORT)).candidate == FAST


async def test_a_provider_that_is_not_there_is_done_without(yard: Yard) -> None:
    urls = dict(yard.urls)
    yard.urls = {**urls, "lmstudio": "http://127.0.0.1:9"}
    async with yard.client() as client:
        completion = await client.complete(SHORT)
        assert completion.candidate == STRONG and not completion.fell_back
        assert completion.decision is not None and completion.decision.excluded[0].candidate == FAST


async def test_a_provider_that_goes_away_under_load_fails_nobody(yard: Yard) -> None:
    async with yard.client() as client:
        await asyncio.gather(client.warm(FAST), client.warm(STRONG))

        async def ask(at: int) -> Completion:
            if at == 5:
                yard.fails("refused", "lmstudio", seconds=0.3)
            return await answer(client, at % 2 == 0, hold=True)

        before = await asyncio.gather(*(answer(client, streams=True) for _ in range(4)))
        within = await asyncio.gather(*(ask(at) for at in range(40)))
        assert {completion.candidate for completion in before} == {FAST}
        assert STRONG in {completion.candidate for completion in within}
        await yard.is_quiet()


# The file changes


async def test_a_changed_file_changes_what_new_requests_meet(yard: Yard) -> None:
    async with yard.client("lmstudio", live=True) as client:
        assert (await client.complete(SHORT)).candidate == FAST
        yard.write("ollama")
        await until(lambda: client.route(SHORT).candidate == STRONG)
        assert (await client.complete(SHORT)).candidate == STRONG
        with pytest.raises(NoCandidateError):
            await client.complete(SHORT, candidate=FAST)


async def test_requests_under_way_do_not_notice_a_change(yard: Yard) -> None:
    async with yard.client("lmstudio", live=True) as client:
        await client.complete(SHORT)
        yard.slow()
        under_way = [asyncio.create_task(answer(client, streams)) for streams in (True, False)]
        await until(lambda: yard.generating == 2)
        yard.emulators["ollama"].engine.clock.speed = 0
        yard.write("ollama")
        ends = []
        while client.route(SHORT).candidate == FAST:
            ends.append(asyncio.create_task(asyncio.sleep(0)))
            await asyncio.sleep(0.02)
        yard.emulators["lmstudio"].engine.clock.speed = 50
        assert [completion.candidate for completion in await asyncio.gather(*under_way)] == [FAST, FAST]
        assert (await client.complete(SHORT)).candidate == STRONG
        await asyncio.gather(*ends)


async def test_changes_under_load_fail_nobody(yard: Yard) -> None:
    failed: list[Exception] = []
    seen: set[str] = set()
    done = asyncio.Event()

    async def keeps_asking(client: HybridClient) -> None:
        while not done.is_set():
            try:
                seen.add((await client.complete(SHORT)).candidate)
            except TurnoutError as error:
                failed.append(error)
            await asyncio.sleep(0)

    async with yard.client("lmstudio", live=True) as client:
        tasks = [asyncio.create_task(keeps_asking(client)) for _ in range(4)]
        for kinds, first in ((("ollama",), STRONG), (("lmstudio",), FAST), (("ollama", "lmstudio"), STRONG)):
            yard.write(*kinds)
            await until(lambda: client.route(SHORT).candidate == first)  # noqa: B023
        done.set()
        await asyncio.gather(*tasks)
    assert failed == [] and seen == {FAST, STRONG}
    await yard.is_quiet()


async def test_of_two_changes_at_once_the_later_one_counts(yard: Yard) -> None:
    policies = []
    for at, kinds in ((2, KINDS), (3, ("lmstudio",))):
        file = yard.write(*kinds, more=f"{QUIET}fallback: {{max_attempts: {at}}}")
        policies.append(Policy(load(file).configuration))
    async with yard.client("lmstudio") as client:
        yard.fails("slow_first_byte", "ollama", seconds=0.2)
        changes = [asyncio.create_task(client._changes.configure(policy)) for policy in policies]
        await asyncio.gather(*changes)
        assert client.configuration.fallback.max_attempts == 3
        assert [entry.candidate for entry in client.route(SHORT).ranking] == [FAST]


async def test_a_cache_that_is_switched_off_in_the_file_answers_no_more(yard: Yard) -> None:
    sure = Sampling(temperature=0.0)
    trusting = "routing: {escalation: {adaptive: false, threshold: 0.1, min_threshold: 0.0}}"
    async with yard.client(more=f"{trusting}\n{QUIET}", live=True) as client:
        while not (await client.complete(SHORT, sampling=sure)).cached:
            await asyncio.sleep(0.01)  # what is remembered is kept in the background
        performance = "performance: {health: {interval_s: 3600, max_age_s: 7200}, cache: {exact: {enabled: false}}}"
        yard.write(more=f"{trusting}\n{performance}\nhistory: {{enabled: false}}\nhybrid: {{enabled: false}}")
        await until(lambda: not client.configuration.performance.cache.exact.enabled)
        for _ in range(3):
            assert not (await client.complete(SHORT, sampling=sure)).cached
            await asyncio.sleep(0.05)


async def test_a_file_that_became_wrong_changes_nothing(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    async with yard.client("lmstudio", live=True) as client:
        with caplog.at_level(logging.ERROR):
            yard.file.write_text("providers: {lmstudio: {kind: 5}}\n")
            await until(lambda: "stays" in caplog.text)
        assert (await client.complete(SHORT)).candidate == FAST
        yard.write("ollama")
        await until(lambda: client.route(SHORT).candidate == STRONG)


async def test_providers_that_nobody_can_make_change_nothing(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    async with yard.client("lmstudio", live=True) as client:
        with caplog.at_level(logging.ERROR):
            yard.write("lmstudio", more=f"  strange: {{kind: no-such-kind, base_url: 'http://127.0.0.1:1'}}\n{QUIET}")
            await until(lambda: bool(caplog.text))
            await asyncio.sleep(0.05)
        assert (await client.complete(SHORT)).candidate == FAST


async def test_the_threshold_follows_the_file(yard: Yard) -> None:
    def more(threshold: float) -> str:
        return f"routing: {{escalation: {{adaptive: false, threshold: {threshold}}}}}\n{QUIET}"

    async with yard.client(more=more(0.6), live=True) as client:
        assert (await client.complete(SHORT)).threshold == 0.6
        yard.write(more=more(0.8))
        async with asyncio.timeout(BUDGET_S):
            while (await client.complete(SHORT)).threshold != 0.8:
                await asyncio.sleep(0.02)


async def test_a_file_is_left_alone_where_nobody_wants_it_followed(yard: Yard) -> None:
    async with yard.client("lmstudio") as client:
        yard.write("ollama")
        await asyncio.sleep(0.5)
        assert client.route(SHORT).candidate == FAST
        assert "turnout-configuration" not in threads()


# What stays and what does not


async def test_state_is_written_when_the_client_closes(yard: Yard) -> None:
    async with yard.client() as client:
        await client.complete(SHORT)
        threshold = (await client.complete(SHORT)).threshold
        assert threshold is not None
    speeds = json.loads((yard.state / "speeds.json").read_bytes())
    assert speeds["candidates"][FAST]["answers"] == 2
    learned = json.loads((yard.state / "threshold.json").read_bytes())
    assert learned == {"threshold": pytest.approx(threshold, abs=STEP), "configured": 0.7}
    assert not list(yard.state.glob(".*")), "nothing half-written stays"


async def test_the_next_client_goes_on_where_the_last_one_ended(yard: Yard) -> None:
    for at in range(1, 4):
        async with yard.client() as client:
            await answer(client, streams=True)
        assert json.loads((yard.state / "speeds.json").read_bytes())["candidates"][FAST]["answers"] == at
    async with yard.client() as client:
        decision = client.route(SHORT)
    assert decision.ranking[0].expected is not None and decision.ranking[0].expected.measured


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"\xff", b'{"threshold": "x", "version": 9}'])
async def test_damaged_state_is_begun_anew(yard: Yard, content: bytes, caplog: pytest.LogCaptureFixture) -> None:
    yard.state.mkdir()
    for name in ("speeds.json", "threshold.json"):
        (yard.state / name).write_bytes(content)
    async with yard.client() as client:
        assert (await client.complete(SHORT)).text
    assert caplog.text.count("cannot be used") == 2
    assert json.loads((yard.state / "threshold.json").read_bytes())["threshold"] == pytest.approx(0.7, abs=0.03)


async def test_a_state_folder_that_cannot_be_written_fails_nobody(yard: Yard, caplog: pytest.LogCaptureFixture) -> None:
    yard.state.write_text("a file in its place")
    async with yard.client() as client:
        assert (await client.complete(SHORT)).text
    assert "not saved" in caplog.text


async def test_a_log_that_cannot_be_kept_is_told_before_anybody_is_asked(yard: Yard) -> None:
    yard.state.write_text("a file in its place")
    with pytest.raises(HistoryError, match=str(yard.state)):
        async with yard.client(more=ROUTED):
            pass
    await until(lambda: not threads())


async def test_with_everything_on_an_answer_is_routed_and_logged(yard: Yard) -> None:
    async with yard.client(more=ROUTED) as client:
        completions = [await client.complete(f"{SHORT}, part {at}") for at in range(3)]
        assert client.history is not None
    assert all(completion.decision is not None for completion in completions)
    assert completions[0].decision.decided_by == "utility"  # type: ignore[union-attr]


async def test_two_clients_at_once_do_not_disturb_each_other(yard: Yard) -> None:
    async with yard.client() as one, yard.client() as two:
        completions = await asyncio.gather(*(client.complete(SHORT) for client in (one, two) for _ in range(5)))
    assert all(completion.text for completion in completions)


async def test_closing_leaves_no_task_and_no_thread(yard: Yard) -> None:
    before = ours()
    async with yard.client(live=True) as client:
        await asyncio.gather(*(client.complete(SHORT) for _ in range(4)))
        assert threads() and ours() - before
    gc.collect()
    await ticks()
    assert ours() - before == set()
    await until(lambda: not threads())


async def test_closing_twice_is_no_error(yard: Yard) -> None:
    client = yard.client()
    async with client:
        await client.complete(SHORT)
    await client.aclose()
    await client.aclose()


async def test_closing_what_was_never_opened_is_no_error(yard: Yard) -> None:
    await yard.client().aclose()


async def test_before_it_is_open_a_client_knows_nobody(yard: Yard) -> None:
    client = yard.client()
    with pytest.raises(RequestError, match="not open"):
        await client.complete(SHORT)
    with pytest.raises(RequestError, match="not open"):
        async for _ in client.stream(SHORT):
            pass
    with pytest.raises(NoCandidateError, match="not looked at yet"):
        client.route(SHORT)


async def test_a_closed_client_does_not_answer(yard: Yard) -> None:
    client = yard.client()
    async with client:
        await client.complete(SHORT)
    try:
        with pytest.raises((TurnoutError, RuntimeError)):
            await client.complete(SHORT)
    finally:
        await client._fleets.aclose()


async def test_a_client_that_was_closed_works_again_or_does_not_open(yard: Yard) -> None:
    client = yard.client("lmstudio", live=True)
    async with client:
        assert (await client.complete(SHORT)).candidate == FAST
    with suppress(TurnoutError):
        await client.__aenter__()
        try:
            yard.write("ollama")
            await until(lambda: client.configuration.candidates == (STRONG,))
            assert (await client.complete(SHORT)).candidate == STRONG
        except TurnoutError as error:
            raise AssertionError("open, and of no use") from error
        finally:
            await client.aclose()


@pytest.mark.parametrize("streams", [True, False])
async def test_closing_ends_what_is_under_way(yard: Yard, streams: bool) -> None:
    client = yard.client()
    async with client:
        await client.warm(FAST)
        yard.slow()
        task = asyncio.create_task(answer(client, streams))
        await until(lambda: yard.generating == 1)
        await asyncio.sleep(0.05)
    try:
        await ticks()
        assert task.done() and (task.cancelled() or task.exception() is not None)
        assert yard.emulators["ollama"].engine.counters.loads == 0
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await client._fleets.aclose()


async def test_a_client_that_cannot_open_leaves_nothing_behind(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(fleet: Fleet) -> Fleet:
        raise RuntimeError("not now")

    client = yard.client(live=True)
    with monkeypatch.context() as patched:
        patched.setattr(Fleet, "__aenter__", fails)
        with pytest.raises(RuntimeError, match="not now"):
            async with client:
                pass
    await until(lambda: not threads())
    async with yard.client(live=True) as client:
        assert (await client.complete(SHORT)).text


# Made from a file


async def test_settings_lie_over_the_file(yard: Yard) -> None:
    async with yard.client(settings=["providers.lmstudio.enabled=false"]) as client:
        assert (await client.complete(SHORT)).candidate == STRONG


async def test_settings_stay_over_a_changed_file(yard: Yard) -> None:
    async with yard.client(
        "lmstudio", settings=["routing.escalation.adaptive=false", "routing.escalation.threshold=0.66"], live=True
    ) as client:
        assert (await client.complete(SHORT)).threshold == 0.66
        yard.write("ollama")
        await until(lambda: client.route(SHORT).candidate == STRONG)
        assert (await client.complete(SHORT)).threshold == 0.66


@pytest.mark.parametrize("content", ["providers: 5\n", "no: such section\n", "providers: {a: {kind: openai}}\n", "{"])
async def test_a_wrong_file_is_refused_with_its_lines(yard: Yard, content: str) -> None:
    yard.file.write_text(content)
    with pytest.raises(ConfigurationError, match=r"hybrid\.yaml:1"):
        HybridClient.from_config(yard.file, state=yard.state)


async def test_a_file_that_is_not_there_is_refused(yard: Yard) -> None:
    with pytest.raises(ConfigurationError, match=r"nothing\.yaml"):
        HybridClient.from_config(yard.folder / "nothing.yaml")


async def test_a_predictor_that_is_named_has_to_be_there(yard: Yard) -> None:
    with pytest.raises(ArtifactMissingError):
        yard.client(predictor=yard.folder / "nobody")


async def test_a_router_without_a_configuration_is_refused(yard: Yard, router: Router) -> None:
    with pytest.raises(ConfigurationError, match="needs a router with a configuration"):
        HybridClient(load(yard.write()).configuration, router=router, state=yard.state)


async def test_the_state_folder_is_the_one_of_the_environment(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TURNOUT_STATE", str(yard.folder / "elsewhere"))
    async with HybridClient.from_config(yard.write(), live=False) as client:
        await client.complete(SHORT)
    assert (yard.folder / "elsewhere" / "speeds.json").exists()
