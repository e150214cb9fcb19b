"""A headless browser, and a gateway in front of emulated providers that can be stopped and started again where it was."""

from __future__ import annotations

import asyncio
import json
import os
import random
import shutil
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack, contextmanager, suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any
from unittest import mock

import pytest
from selenium.webdriver import Chrome, ChromeOptions
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement
from selenium.webdriver.support.ui import WebDriverWait

from turnout.emulators.faults import Fault, FaultName
from turnout.emulators.server import Emulator, EmulatorOptions, serving
from turnout.gateway.server import serve

PATIENCE_S = 30
LONGEST_S = 60
MODELS = {"lmstudio": "qwen2.5-coder-7b", "ollama": "llama3.1:8b"}
FAST, STRONG = (f"{kind}/{name}" for kind, name in MODELS.items())
CALM = "performance: {health: {interval_s: 3600, max_age_s: 7200}}\nhybrid: {enabled: false}"


@dataclass(frozen=True)
class Yard:
    """Emulated providers that outlive the gateway before them. Everything here may be called from any thread."""

    folder: Path
    loop: asyncio.AbstractEventLoop
    emulators: Mapping[str, Emulator]
    urls: Mapping[str, str]
    port: int

    @property
    def url(self) -> str:
        """Where the gateway is, or will be."""
        return f"http://127.0.0.1:{self.port}"

    def write(self, more: str = CALM, gateway: str = "{}") -> Path:
        """The configuration file."""
        providers = {kind: {"base_url": url, "models": [MODELS[kind]]} for kind, url in self.urls.items()}
        file = self.folder / "hybrid.yaml"
        file.write_text(f"providers: {json.dumps(providers)}\n{more}\ngateway: {gateway}\n", encoding="utf-8")
        return file

    @contextmanager
    def gateway(self, gateway: str = "{}", settings: str = CALM) -> Iterator[str]:
        """A gateway for as long as the block runs; the value is its address."""
        file, ready, stop = self.write(settings, gateway), threading.Event(), asyncio.Event()
        listening = socket.create_server(("127.0.0.1", self.port))
        living = serve(file, listening=listening, on_ready=lambda _: ready.set(), stop=stop)
        future = asyncio.run_coroutine_threadsafe(living, self.loop)
        future.add_done_callback(lambda _: ready.set())
        assert ready.wait(LONGEST_S)
        try:
            if future.done():
                future.result()
            yield self.url
        finally:
            self.loop.call_soon_threadsafe(stop.set)
            future.result(LONGEST_S)

    def fails(self, name: str, **fields: Any) -> None:
        """Switch a fault on at every provider."""
        for emulator in self.emulators.values():
            self.call(lambda one=emulator: one.switch_on(Fault(FaultName(name), **fields)))  # type: ignore[misc]

    def heal(self) -> None:
        """No fault, and nobody waits."""
        for emulator in self.emulators.values():
            self.call(emulator.faults.clear)
            emulator.engine.clock.speed = 0.0

    def slow(self) -> None:
        """As slow as real language models."""
        for emulator in self.emulators.values():
            emulator.engine.clock.speed = 1.0

    @property
    def generating(self) -> int:
        """Answers that are being generated now."""
        return sum(each.engine.counters.running for each in self.emulators.values())

    def call(self, do: Callable[[], Any]) -> Any:
        """Do something in the event loop of the providers."""

        async def done() -> Any:
            return do()

        return asyncio.run_coroutine_threadsafe(done(), self.loop).result(PATIENCE_S)

    def ask(self, path: str, body: Any = None, key: str = "") -> Any:
        """The JSON that the gateway answers."""
        headers = {"Content-Type": "application/json"} | ({"Authorization": f"Bearer {key}"} if key else {})
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=content, headers=headers)
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as response:
            return json.load(response)

    def refusal(self, path: str, body: Any = None, key: str = "", **headers: str) -> int:
        """The status of an answer that is none."""
        headers |= {"Authorization": f"Bearer {key}"} if key else {}
        content = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url}{path}", data=content, headers=headers)
        with pytest.raises(urllib.error.HTTPError) as refused:
            urllib.request.urlopen(request, timeout=PATIENCE_S)
        with refused.value as response:
            return response.code

    def chat(self, prompt: str, **fields: Any) -> Any:
        """One answer, as a client of OpenAI gets it."""
        return self.ask(
            "/v1/chat/completions", {"model": "auto", "messages": [{"role": "user", "content": prompt}], **fields}
        )


@contextmanager
def providing(folder: Path) -> Iterator[Yard]:
    """Providers and the folders of a gateway; none of it is the machine's own."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, name="yard", daemon=True)
    thread.start()
    emulators: dict[str, Emulator] = {
        kind: import_module(f"turnout.emulators.{kind}").make(EmulatorOptions(models=(name,)))
        for kind, name in MODELS.items()
    }
    folders = {"TURNOUT_MODELS": str(folder / "models"), "TURNOUT_STATE": str(folder / "state")}
    stack = AsyncExitStack()

    async def served() -> dict[str, str]:
        return {kind: await stack.enter_async_context(serving(each)) for kind, each in emulators.items()}

    port = _own_port()
    try:
        urls = asyncio.run_coroutine_threadsafe(served(), loop).result(PATIENCE_S)
        with mock.patch.dict(os.environ, folders):
            yield Yard(folder, loop, emulators, urls, port)
    finally:
        asyncio.run_coroutine_threadsafe(stack.aclose(), loop).result(PATIENCE_S)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE_S)
        loop.close()


def _own_port() -> int:
    """A free port that stays free while no gateway listens: below those that systems give to connections on their way out."""
    while True:
        port = random.randrange(20_000, 32_000)
        with suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port


@contextmanager
def browsing(folder: Path) -> Iterator[Page]:
    """A headless Chromium with a profile of its own; the test skips where there is none."""
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if chromium is None or driver is None:
        told = "chromium and chromedriver are needed (Debian: chromium, chromium-driver)"
        if os.environ.get("TURNOUT_REQUIRE_CHROMIUM"):
            pytest.fail(told)
        pytest.skip(told)
    options = ChromeOptions()
    options.binary_location = chromium
    for argument in ("--headless=new", "--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu", "--no-first-run"):
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={folder / 'profile'}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    chrome = Chrome(options=options, service=Service(driver))
    try:
        chrome.set_script_timeout(PATIENCE_S)
        yield Page(chrome)
    finally:
        chrome.quit()


@dataclass(frozen=True)
class Page:
    """The dashboard in the browser."""

    chrome: Chrome

    def open(self, url: str) -> None:
        """Open it, and wait until it is alive."""
        self.load(url)
        self.until(lambda: self.text("#connection") == "Live")

    def load(self, url: str) -> None:
        """Open it as somebody who was never there."""
        self.chrome.get(f"{url}/page/icon.svg")  # a document of the same origin, where nothing asks anything
        self.chrome.execute_script("localStorage.clear(); sessionStorage.clear()")
        self.logs("browser")
        self.logs("performance")
        self.chrome.get(url)

    def size(self, width: int, height: int = 1000) -> None:
        """A window of this size, inside."""
        self.devtools(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=False
        )

    def devtools(self, command: str, **fields: Any) -> Any:
        """Tell the browser what no page could."""
        return self.chrome.execute_cdp_cmd(command, fields)

    def prefers(self, **features: str) -> None:
        """What the system prefers, as media queries see it."""
        told = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.devtools("Emulation.setEmulatedMedia", features=told)

    def find(self, selector: str) -> WebElement:
        """The first element, waited for."""
        return self.until(lambda: next(iter(self.all(selector)), None))  # type: ignore[no-any-return]

    def all(self, selector: str) -> list[WebElement]:
        """All elements now."""
        return self.chrome.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector: str) -> str:
        """The text of an element as it stands in the document, shown or not; empty where there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.textContent ?? ''", selector))

    def run(self, script: str, *arguments: Any) -> Any:
        """Run a script in the page."""
        return self.chrome.execute_script(script, *arguments)

    def tell(self, module: str, call: str, value: Any) -> None:
        """Hand a value to a module of the page, as if the gateway had said it."""
        script = (
            f"const done = arguments[1]; import('/page/{module}').then((it) => {{ it.{call}(arguments[0]); done(); }})"
        )
        self.chrome.execute_async_script(script, value)

    def click(self, selector: str) -> None:
        """Press something."""
        self.run("arguments[0].scrollIntoView({block: 'center', behavior: 'instant'})", self.find(selector))
        self.find(selector).click()

    def until(self, done: Callable[[], Any]) -> Any:
        """Wait for something; the value is what came."""
        return WebDriverWait(self.chrome, PATIENCE_S, poll_frequency=0.1).until(lambda _: done())

    def shows(self, selector: str, text: str) -> None:
        """Wait until an element says so."""
        self.until(lambda: text in self.text(selector))

    def logs(self, kind: str) -> list[Any]:
        """What was logged since the last time."""
        return list(self.chrome.get_log(kind))

    def requested(self) -> list[str]:
        """The addresses that were asked for since the page was opened."""
        told = [json.loads(entry["message"])["message"] for entry in self.logs("performance")]
        return [each["params"]["request"]["url"] for each in told if each["method"] == "Network.requestWillBeSent"]
