"""What all of Ollama's routes share: names, versions, the words of errors, and how its models are managed."""

from __future__ import annotations

import datetime
import ipaddress
import json
import math
import re
import socket
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Final

from aiohttp import web

from turnout.emulators.api_error import ApiError
from turnout.emulators.faults import FaultName
from turnout.emulators.instance import EngineError, QueueFullError
from turnout.emulators.language_model import LanguageModel
from turnout.emulators.policy import Policy
from turnout.emulators.server import Emulator, EmulatorOptions

DEFAULT_VERSION: Final = "0.33.0"
VRAM_BYTES: Final = 24 * 2**30

_POLICY: Final = Policy(
    slots=1,
    max_loaded=3,
    memory_bytes=96 * 2**30,
    max_pending=512,
    keep_alive_s=300.0,
    prefill_outlives_client=True,
)
_SLOTS_BEFORE_0_10: Final = 4
_ONE_SLOT_FAMILIES: Final = frozenset(
    "mllama qwen3vl qwen3vlmoe qwen35 qwen35moe qwen3next lfm2 lfm2moe nemotron_h".split()
)
_NEVER_SHIFTING_FAMILIES: Final = frozenset({"deepseek2"})
_FAMILIES_WITH_BOS: Final = frozenset({"llama", "gemma3", "llava"})
_NATIVE_TEMPLATES: Final = frozenset({"llama3.3:70b"})
_LEGAL_NAME: Final = re.compile(r"[\w.:/@-]+", re.ASCII)
_LIBRARY: Final = "registry.ollama.ai/library/"
_LOCAL_SUFFIXES: Final = (".localhost", ".local", ".internal")
_BUSY: Final = "server busy, please try again.  maximum pending requests exceeded"
_RUNNER_GONE: Final = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal error"
)
# Go's encoder makes these safe to stand inside a script element; other characters, U+0085 among them, stay as they are.
_GO_ESCAPES: Final = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


class OllamaBase(Emulator):
    """Ollama without its routes.

    `native_templates` names models whose own template runs in the model server, which refuses a prompt that is too
    long; all others are cut without a word. Models from `hf.co/` are of the first kind as well.
    """

    kind: ClassVar[str] = "ollama"
    handover_s: ClassVar[float] = 0.012
    """A loaded model is handed over in some milliseconds; the figure is never zero."""

    def __init__(self, options: EmulatorOptions, native_templates: frozenset[str] = _NATIVE_TEMPLATES) -> None:
        self.version = options.version or DEFAULT_VERSION
        policy = _POLICY if self.since(0, 10) else replace(_POLICY, slots=_SLOTS_BEFORE_0_10)
        super().__init__(options, policy)
        named = {full_name(model.name): model for model in self.models.values()}
        self.models = {name: replace(model, name=name) for name, model in named.items()}
        self.native_templates = native_templates

    def since(self, *version: int) -> bool:
        """Whether the emulated version is this one or a later one."""
        own = tuple(int(number) for number in re.findall(r"\d+", self.version.partition("-")[0]))
        return own >= version

    def find(self, name: str) -> LanguageModel | None:
        """Names match in any case, with or without `:latest` and the registry's own prefix."""
        wanted = full_name(name.removeprefix(_LIBRARY)).lower()
        return next((model for model in self.models.values() if model.name.lower() == wanted), None)

    def model(self, name: str, *, empty: str | None = None, missing: str = "model '{name}' not found") -> LanguageModel:
        """The model of a request, or the error for its absence; `empty` is a 400 for no name at all."""
        if not name and empty is not None:
            raise ApiError(400, empty)
        if name and not _LEGAL_NAME.fullmatch(name):
            raise ApiError(400, "invalid model name")
        model = self.find(name) if name else None
        if model is None:
            raise ApiError(404, missing.format(name=name))
        return model

    def context_of(self, model: LanguageModel, options: Mapping[str, Any]) -> int:
        """The context window: of the request, else of the server, else by the size of its memory."""
        automatic = 4096
        if self.since(0, 15, 5):
            automatic = 262_144 if VRAM_BYTES >= 47 * 2**30 else 32_768 if VRAM_BYTES >= 23 * 2**30 else 4096
        wanted = options.get("num_ctx") or self.options.context or automatic
        lowest = 2048 if "vision" in model.capabilities else 1
        return max(lowest, min(wanted, model.max_context))

    def slots_of(self, model: LanguageModel) -> int:
        """One slot where more are not supported."""
        return 1 if model.is_embedding or model.family in _ONE_SLOT_FAMILIES else self.engine.policy.slots

    def shifts(self, model: LanguageModel, asked: bool | None) -> bool:
        """Whether the context window moves on when it is full."""
        return model.family not in _NEVER_SHIFTING_FAMILIES if asked is None else asked

    def is_native(self, model: LanguageModel) -> bool:
        """Whether the model server applies the model's own template."""
        return model.name in self.native_templates or model.name.startswith("hf.co/")

    def bos_tokens(self, model: LanguageModel) -> int:
        """Tokens that a prompt begins with by itself."""
        return int(model.family in _FAMILIES_WITH_BOS)

    def dump(self, value: Any) -> bytes:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return text.translate(_GO_ESCAPES).encode(errors="replace")

    def json(self, value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return super().json(value, status, {**content_type, **(headers or {})})

    def error(self, request: web.Request, error: ApiError) -> web.Response:
        if not request.path.startswith("/v1/"):
            return self.json({"error": error.message}, error.status, error.headers)
        kind = {400: "invalid_request_error", 404: "not_found_error"}.get(error.status, "api_error")
        body = {"message": error.message, "type": kind, "param": None, "code": None}
        return self.json({"error": body}, error.status, error.headers)

    def error_frame(self, request: web.Request, message: str) -> bytes:
        if request.path.startswith("/v1/"):
            return self.swallowed_frame(request)  # the error's text is lost on its way through this layer
        return self.dump({"error": message}) + b"\n"

    def swallowed_frame(self, request: web.Request) -> bytes:
        if not request.path.startswith("/v1/"):
            return b""
        choice = {"index": 0, "delta": {"content": ""}, "finish_reason": None}
        chunk = {"object": "chat.completion.chunk", "model": "", "system_fingerprint": "fp_ollama", "choices": [choice]}
        return b"data: " + self.dump(chunk) + b"\n\n"

    def engine_error(self, request: web.Request, error: EngineError) -> ApiError:  # noqa: ARG002
        if isinstance(error, QueueFullError):
            return ApiError(503, _BUSY)
        return ApiError(500, str(error) or _RUNNER_GONE)

    def fault_error(self, fault: FaultName, model: str | None) -> ApiError:
        match fault:
            case FaultName.BUSY_429:
                return ApiError(429, "too many requests")
            case FaultName.BUSY_503:
                return ApiError(503, _BUSY)
            case FaultName.UNAUTHORIZED:
                return ApiError(401, "unauthorized")
            case FaultName.NOT_FOUND:
                return ApiError(404, f"model '{model or ''}' not found")
            case FaultName.LOAD_FAILED:
                return ApiError(500, "llama-server process has terminated: cudaMalloc failed: out of memory")
            case _:
                return ApiError(500, _RUNNER_GONE)

    def unmatched(self, request: web.Request, status: int) -> web.Response:  # noqa: ARG002
        text = {404: "404 page not found", 405: "405 method not allowed"}.get(status, "")
        return web.Response(text=text, status=status)


def full_name(name: str) -> str:
    """The name with its tag."""
    return name if ":" in name.rpartition("/")[2] else f"{name}:latest"


def timestamp(moment: datetime.datetime | None = None) -> str:
    """A time as Go writes it."""
    moment = moment or datetime.datetime.now(datetime.UTC)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f").rstrip("0") + "Z"


def moment_in(seconds: float) -> datetime.datetime:
    """The time in so many seconds; infinity is some 292 years, as the largest duration of Go is."""
    seconds = 2**63 / 1e9 if math.isinf(seconds) else seconds
    return datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=seconds)


def nanoseconds(seconds: float) -> int:
    """A duration as Ollama counts it."""
    return round(seconds * 1e9)


def host_is_allowed(request: web.Request) -> bool:
    """On a loopback address only names of this machine are answered, so that no web page can reach it by a trick."""
    transport = request.transport
    own = transport.get_extra_info("sockname") if transport is not None else None
    if own is None or not ipaddress.ip_address(own[0]).is_loopback:
        return True
    name = re.sub(r":\d+$", "", request.host).strip("[]").lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return name in ("", "localhost", socket.gethostname().lower()) or name.endswith(_LOCAL_SUFFIXES)
    return address.is_private or address.is_loopback or address.is_unspecified
