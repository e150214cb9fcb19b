"""The client without an event loop: it waits, may be shared between threads, and ends what is not wanted any more."""

from __future__ import annotations

import asyncio
import gc
import signal
import threading
import time
import warnings
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from benchmarks.fault_trials import MODELS, emulator

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, serving
from turnout.errors import BrokenAnswerError, NoAnswerError, RequestError
from turnout.execution.client import HybridClient
from turnout.execution.sync import SyncHybridClient
from turnout.types import Completion

KINDS = ("lmstudio", "ollama")
FAST, STRONG = (f"{kind}/{MODELS[kind]}" for kind in KINDS)
LONG = "write 500 words about queues"
SHORT = "write 40 words about caching"
BUDGET_S = 15.0


@dataclass
class Yard:
    """Two emulated providers in a thread of their own, and clients for them."""

    folder: Path
    urls: dict[str, str]
    emulators: dict[str, Emulator]

    def client(self) -> SyncHybridClient:
        entries = [
            f"  {kind}: {{kind: {kind}, base_url: '{url}', models: ['{MODELS[kind]}'], retry: {{retries: 0}}}}"
            for kind, url in self.urls.items()
        ]
        file = self.folder / "hybrid.yaml"
        file.write_text(
            "performance: {health: {interval_s: 3600, max_age_s: 7200}}\nhistory: {enabled: false}\n"
            "hybrid: {enabled: false}\nproviders:\n" + "\n".join(entries) + "\n"
        )
        return SyncHybridClient.from_config(file, state=self.folder / "state", live=False)

    def fails(self, name: str, *kinds: str, **fields: Any) -> None:
        for kind in kinds or KINDS:
            self.emulators[kind].faults.add(Fault(FaultName(name), **fields))

    def slow(self) -> None:
        """As slow as the real thing, so that a stop comes in the middle."""
        for each in self.emulators.values():
            each.engine.clock.speed = 1.0

    @property
    def generating(self) -> int:
        return sum(each.engine.counters.running for each in self.emulators.values())


@pytest.fixture
def yard(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Yard]:
    monkeypatch.setenv("TURNOUT_MODELS", str(tmp_path / "models"))
    emulators = {kind: emulator(kind) for kind in KINDS}
    ready, urls = threading.Event(), {}

    @asynccontextmanager
    async def served() -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for kind, made in emulators.items():
                urls[kind] = await stack.enter_async_context(serving(made))
            yield

    async def main() -> None:
        nonlocal loop, ends
        loop, ends = asyncio.get_running_loop(), asyncio.Event()
        async with served():
            ready.set()
            await ends.wait()

    loop: asyncio.AbstractEventLoop | None = None
    ends: asyncio.Event | None = None
    thread = threading.Thread(target=lambda: asyncio.run(main()), name="emulators", daemon=True)
    thread.start()
    assert ready.wait(BUDGET_S)
    yield Yard(tmp_path, urls, emulators)
    assert loop is not None and ends is not None
    loop.call_soon_threadsafe(ends.set)
    thread.join(BUDGET_S)
    assert not thread.is_alive()


def until(done: Callable[[], bool], within_s: float = BUDGET_S) -> None:
    end_s = time.monotonic() + within_s
    while not done():
        assert time.monotonic() < end_s, "nothing happened"
        time.sleep(0.005)


def beside(work: Callable[[], Any]) -> tuple[threading.Thread, list[Any]]:
    """Do it in a thread, which may hang without holding up the tests; and what came of it."""
    ends: list[Any] = []

    def run() -> None:
        try:
            ends.append(work())
        except BaseException as error:
            ends.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    return thread, ends


# Answers


def test_it_answers_like_the_client_does(yard: Yard) -> None:
    with yard.client() as client:
        completion = client.complete(SHORT, metadata={"ticket": 7})
        assert completion.text and completion.candidate == FAST and completion.metadata == {"ticket": 7}
        assert client.complete(SHORT, candidate=STRONG).candidate == STRONG
        assert client.route(SHORT).candidate == FAST


def test_a_stream_is_iterated_over(yard: Yard) -> None:
    with yard.client() as client:
        with client.stream(SHORT) as stream:
            chunks = list(stream)
        assert len(chunks) > 2 and "".join(chunk.text for chunk in chunks) == stream.completion.text != ""
        assert list(stream) == []


def test_without_a_block_a_stream_that_was_read_is_closed(yard: Yard) -> None:
    with yard.client() as client:
        stream = client.stream(SHORT)
        assert "".join(chunk.text for chunk in stream) == stream.completion.text
        stream.close()


def test_errors_are_those_of_the_client(yard: Yard) -> None:
    with yard.client() as client:
        for request, options in (("", {}), (SHORT, {"deadline": 5}), (SHORT, {"candidate": "lmstudio/nobody"})):
            with pytest.raises(RequestError):
                client.complete(request, **options)
            with pytest.raises(RequestError):
                list(client.stream(request, **options))
        yard.fails("error_500")
        with pytest.raises(NoAnswerError):
            client.complete(SHORT)


def test_a_stream_that_breaks_off_tells_what_came(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        yard.fails("reset_mid_stream", "lmstudio", path="/v1/chat", after=4)
        got = ""
        with pytest.raises(BrokenAnswerError) as caught, client.stream(SHORT) as stream:
            for chunk in stream:
                got += chunk.text
        assert got == caught.value.partial_text != ""


def test_a_deadline_counts(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        yard.fails("hang")
        started_s = time.monotonic()
        with pytest.raises(NoAnswerError):
            client.complete(SHORT, deadline_s=0.5)
        assert time.monotonic() - started_s < 3.0


def test_before_the_end_there_is_no_completion(yard: Yard) -> None:
    told = "when the stream has ended"
    with yard.client() as client, client.stream(SHORT) as stream, pytest.raises(ValueError, match=told):
        _ = stream.completion


# Threads


def test_threads_share_a_client(yard: Yard) -> None:
    def ask(at: int) -> Completion:
        if at % 2:
            return client.complete(f"{SHORT}, part {at}")
        with client.stream(f"{SHORT}, part {at}") as stream:
            text = "".join(chunk.text for chunk in stream)
        assert text == stream.completion.text
        return stream.completion

    with yard.client() as client, ThreadPoolExecutor(8) as threads:
        completions = list(threads.map(ask, range(32)))
    assert len({completion.id for completion in completions}) == 32 and all(each.text for each in completions)


def test_one_thread_does_not_wait_for_another(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT, candidate=STRONG)
        client.complete(SHORT)
        yard.emulators["lmstudio"].engine.clock.speed = 1.0
        thread, ends = beside(lambda: client.complete(LONG, candidate=FAST))
        until(lambda: yard.generating == 1)
        assert client.complete(SHORT, candidate=STRONG).text and not ends
        yard.emulators["lmstudio"].engine.clock.speed = 1000.0
        thread.join(BUDGET_S)
        assert ends and isinstance(ends[0], Completion)


def test_routing_happens_where_the_client_lives(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    route = HybridClient.route

    def watched(self: HybridClient, *arguments: Any, **options: Any) -> Any:
        seen.append(threading.get_ident())
        return route(self, *arguments, **options)

    monkeypatch.setattr(HybridClient, "route", watched)
    with yard.client() as client:
        client.route(SHORT)
    assert seen and seen != [threading.get_ident()]


def test_routing_from_many_threads_under_load(yard: Yard) -> None:
    done = threading.Event()
    failed: list[BaseException] = []

    def routes() -> None:
        while not done.is_set():
            try:
                client.route(SHORT)
            except Exception as error:
                failed.append(error)

    with yard.client() as client:
        threads = [threading.Thread(target=routes) for _ in range(3)]
        for thread in threads:
            thread.start()
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(lambda _: client.complete(SHORT), range(12)))
        done.set()
        for thread in threads:
            thread.join()
    assert failed == []


# Leaving early


def test_leaving_a_stream_stops_the_generation(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        yard.slow()
        with client.stream(LONG) as stream:
            for chunk in stream:
                if chunk.has_content:
                    break
        until(lambda: yard.generating == 0)
        assert yard.emulators["lmstudio"].engine.counters.generations_cancelled == 1


def test_a_loop_that_is_left_stops_the_generation_without_a_block_too(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        yard.slow()
        for chunk in client.stream(LONG):
            if chunk.has_content:
                break
        until(lambda: yard.generating == 0)


@pytest.mark.skipif(not hasattr(signal, "pthread_kill"), reason="the signal has to reach the main thread")
@pytest.mark.parametrize("streams", [True, False])
def test_ctrl_c_stops_the_generation_and_the_client_goes_on(yard: Yard, streams: bool) -> None:
    if threading.current_thread() is not threading.main_thread():
        pytest.skip("Ctrl-C arrives in the main thread only")
    main = threading.main_thread().ident
    assert main is not None

    def interrupts() -> None:
        until(lambda: yard.generating == 1)
        time.sleep(0.05)
        signal.pthread_kill(main, signal.SIGINT)

    with yard.client() as client:
        client.complete(SHORT)
        yard.slow()
        thread, _ = beside(interrupts)
        with pytest.raises(KeyboardInterrupt):
            if streams:
                list(client.stream(LONG))
            else:
                client.complete(LONG)
        thread.join()
        until(lambda: yard.generating == 0)
        for each in yard.emulators.values():
            each.engine.clock.speed = 0
        assert client.complete(SHORT).text


def test_an_error_in_the_block_closes_the_client(yard: Yard) -> None:
    with pytest.raises(KeyError), yard.client() as client:
        client.complete(SHORT)
        raise KeyError("of the caller")
    assert not [thread for thread in threading.enumerate() if thread.name == "turnout-client"]


# Opening and closing


def test_closing_ends_the_thread_and_writes_the_state(yard: Yard) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        assert [thread for thread in threading.enumerate() if thread.name == "turnout-client"]
    assert not [thread for thread in threading.enumerate() if thread.name == "turnout-client"]
    assert (yard.folder / "state" / "speeds.json").exists()
    client.close()


def test_two_clients_one_after_the_other(yard: Yard) -> None:
    for _ in range(2):
        with yard.client() as client:
            assert client.complete(SHORT).text


def test_a_client_that_cannot_open_leaves_no_thread(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(self: HybridClient) -> HybridClient:
        raise RuntimeError("not now")

    monkeypatch.setattr(HybridClient, "__aenter__", fails)
    with pytest.raises(RuntimeError, match="not now"), yard.client():
        pass
    assert not [thread for thread in threading.enumerate() if thread.name == "turnout-client"]


def test_before_it_is_open_a_client_refuses_instead_of_waiting_for_ever(yard: Yard) -> None:
    client = yard.client()
    thread, ends = beside(lambda: client.complete(SHORT))
    try:
        thread.join(0.5)
        assert ends and isinstance(ends[0], Exception)
    finally:
        with client:
            thread.join(BUDGET_S)


@pytest.mark.filterwarnings("ignore:Unclosed:ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("streams", [True, False])
def test_closing_ends_what_other_threads_wait_for(yard: Yard, streams: bool) -> None:
    with yard.client() as client:
        client.complete(SHORT)
        yard.slow()
        thread, ends = beside(lambda: list(client.stream(LONG)) if streams else client.complete(LONG))
        until(lambda: yard.generating == 1)
    thread.join(2.0)
    gc.collect()
    assert ends and isinstance(ends[0], BaseException)


@pytest.mark.parametrize("how", ["complete", "close"])
def test_a_closed_client_refuses_without_a_warning(yard: Yard, how: str) -> None:
    with yard.client() as client:
        stream = client.stream(SHORT)
        next(iter(stream))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if how == "complete":
            with pytest.raises(Exception, match=r"clos|not open"):
                client.complete(SHORT)
        else:
            stream.close()
        gc.collect()
    assert [str(entry.message) for entry in caught] == []


def test_a_client_that_was_never_opened_leaves_nothing_open(yard: Yard) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        client = yard.client()
        client.close()
        assert client._loop is None
        del client
        gc.collect()
    assert not caught
