"""What the adapters share: a client, errors that name who failed, whole bodies and streams of frames."""

from __future__ import annotations

import json
import os
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from types import TracebackType
from typing import Any, Final, Protocol, TypeAlias

from turnout.config.providers import ProviderSettings
from turnout.errors import BadRequestError, ConfigurationError, IncompleteError, ProviderError, WrongModelError
from turnout.providers.assembly import Assembly
from turnout.providers.clock import CallClock
from turnout.providers.failures import CUT, failure, told_error
from turnout.providers.framing import Event, FramingError
from turnout.providers.http import HttpClient
from turnout.providers.transport import Transport
from turnout.types import LanguageModel, ProviderState

Option: TypeAlias = Callable[[object], str]
"""Says what is expected instead of a value; nothing where the value will do."""


def flag(value: object) -> str:
    """An option that is true or false."""
    return "" if isinstance(value, bool) else "expected true or false"


def positive(value: object) -> str:
    """An option that counts something."""
    return "" if isinstance(value, int) and not isinstance(value, bool) and value > 0 else "expected a number above 0"


def one_of(*words: str) -> Option:
    """An option that is one of a few words."""
    return lambda value: "" if value in words else f"expected one of {', '.join(words)}"


_JSON_SPACE: Final = " \t\n\r"
_raw_decode: Final = json.JSONDecoder().raw_decode


class Decoder(Protocol):
    """Bytes in, frames out."""

    def feed(self, data: bytes) -> list[Event]: ...

    def close(self) -> list[Event]: ...


class HttpProvider:
    """Base of the adapters here. A subclass says how to speak; this says how to send, read and fail.

    `options` of the settings that the subclass does not list in OPTIONS are refused.
    """

    OPTIONS: Mapping[str, Option] = {}
    max_resident: int | None = None
    loads = False
    evicts = True

    def __init__(
        self,
        settings: ProviderSettings,
        *,
        transport: Transport | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self._now = now
        self._key = _key(settings)
        for name, value in settings.options.items():
            if name not in self.OPTIONS:
                known = ", ".join(self.OPTIONS) or "none"
                raise ConfigurationError(
                    f"{settings.name}: no option {name!r} for kind {settings.kind}; known: {known}"
                )
            if problem := self.OPTIONS[name](value):
                raise ConfigurationError(f"{settings.name}: option {name} is {value!r}; {problem}")
        self.client = HttpClient(settings.base_url, headers=self._headers(), transport=transport or settings.transport)

    @property
    def name(self) -> str:
        """The name that stands before the slash in candidates."""
        return self.settings.name

    def _headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self._key}"} if self._key else {}

    async def aclose(self) -> None:
        """Close every connection."""
        await self.client.aclose()

    async def state(self, clock: CallClock) -> ProviderState:
        """One look at the provider; what goes wrong becomes its problem, never an exception."""
        try:
            version, models = await self._look(clock)
        except ProviderError as error:
            return ProviderState(
                provider=self.name, available=False, observed_s=self._now(), problem=self._clean(error.message)
            )
        return ProviderState(provider=self.name, available=True, observed_s=self._now(), version=version, models=models)

    async def _look(self, clock: CallClock) -> tuple[str | None, tuple[LanguageModel, ...]]:
        raise NotImplementedError

    async def load(self, model: str, clock: CallClock, *, context_length: int | None = None) -> None:
        """Refused: this kind of provider loads on its own."""
        del clock, context_length
        raise BadRequestError(
            f"a {self.settings.kind} provider cannot be told to load", provider=self.name, model=model
        )

    async def unload(self, model: str, clock: CallClock) -> None:
        """Refused: this kind of provider unloads on its own."""
        del clock
        raise BadRequestError(
            f"a {self.settings.kind} provider cannot be told to unload", provider=self.name, model=model
        )

    def _telling(self, model: str, assembly: Assembly | None = None) -> _Telling:
        """Put provider, model and the text so far into every error that passes."""
        return _Telling(self, model, assembly)

    def _tell(self, error: ProviderError, model: str, assembly: Assembly | None) -> None:
        error.provider, error.model = error.provider or self.name, error.model or model
        if assembly is not None and not error.partial_text:
            error.partial_text = assembly.partial_text
        error.message = self._clean(error.message)
        error.partial_text = self._clean(error.partial_text)
        error.args = (error.message,)  # what repr() shows

    def _clean(self, text: str) -> str:
        """Without the key, nor its beginning where a long message was cut inside it."""
        if not self._key:
            return text
        text = text.replace(self._key, "...")
        stem, cut, end = text.rpartition(CUT)
        if cut:
            for length in range(len(self._key) - 1, 2, -1):
                if stem.endswith(self._key[:length]):
                    return f"{stem[:-length]}{cut}{end}"
        return text

    async def _get(self, path: str, clock: CallClock) -> Any:
        reply = await self.client.get(path, clock)
        return self._document(reply.status, reply.content, reply.headers)

    async def _post(self, path: str, body: Mapping[str, Any], clock: CallClock) -> Any:
        reply = await self.client.post(path, body, clock)
        return self._document(reply.status, reply.content, reply.headers)

    def _document(self, status: int, content: bytes, headers: Mapping[str, str]) -> Any:
        """A body as JSON; anything that is an error, whatever its status, is raised."""
        if status != 200:
            raise failure(status, content, headers=headers)
        document = parse(content)
        told = told_error(document)
        if told is not None:
            raise failure(status, told, headers=headers)
        return document

    async def _events(
        self, path: str, body: Mapping[str, Any], clock: CallClock, decoder: Decoder
    ) -> AsyncGenerator[list[Event], None]:
        """Frames of a streamed answer, those of one read together; a whole JSON body in its place is an error, said or unsaid."""
        async with self.client.stream(path, body, clock) as stream:
            if stream.status != 200:
                raise failure(stream.status, await stream.read(), headers=stream.headers)
            if stream.headers.get("content-type", "").startswith("application/json"):
                self._document(200, await stream.read(), stream.headers)
                raise IncompleteError("answered in one piece although a stream was asked for")
            try:
                async for data in stream:
                    if events := decoder.feed(data):
                        yield events
                if events := decoder.close():
                    yield events
            except FramingError as error:
                raise IncompleteError(f"the stream cannot be read: {error}") from error

    def _check_model(self, asked: str, assembly: Assembly, same: Callable[[str, str], bool]) -> None:
        if assembly.model == assembly.checked_model:
            return
        if same(asked, assembly.model):
            assembly.checked_model = assembly.model
        else:
            raise WrongModelError(assembly.model, provider=self.name, model=asked, partial_text=assembly.partial_text)


class _Telling:
    """See `HttpProvider._telling`; a generator in its place takes several times as long."""

    __slots__ = ("_assembly", "_model", "_provider")

    def __init__(self, provider: HttpProvider, model: str, assembly: Assembly | None) -> None:
        self._provider = provider
        self._model = model
        self._assembly = assembly

    def __enter__(self) -> None: ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, ProviderError):
            self._provider._tell(error, self._model, self._assembly)


def parse(data: bytes) -> dict[str, Any]:
    """One JSON object out of bytes.

    Raises:
        IncompleteError: not UTF-8, not JSON, or not an object.
    """
    try:
        # json.loads looks for encodings and for white space on either side; in a stream that is half of its time.
        text = data.removeprefix(b"\xef\xbb\xbf").decode().strip(_JSON_SPACE)
        document, end = _raw_decode(text)
        if end != len(text):
            raise json.JSONDecodeError("Extra data", text, end)
    except (ValueError, RecursionError) as error:
        raise IncompleteError(
            f"the answer cannot be read as JSON ({error})", partial_text=data[:200].decode("utf-8", "replace")
        ) from None
    if not isinstance(document, dict):
        raise IncompleteError(f"the answer is a JSON {type(document).__name__}, expected an object")
    return document


def _key(settings: ProviderSettings) -> str:
    if settings.key_variable is None:
        return ""
    key = os.environ.get(settings.key_variable, "").strip()
    if not key:
        raise ConfigurationError(
            f"{settings.name}: the environment variable {settings.key_variable} holds no key; set it or remove the name"
        )
    if not key.isascii() or not key.isprintable():
        raise ConfigurationError(
            f"{settings.name}: the key in {settings.key_variable} holds characters no header can carry"
        )
    return key
