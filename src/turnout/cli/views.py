"""Tables of the status for a terminal, from its JSON: whoever gives that, this process or a gateway, looks the same."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from turnout.cli.terminal import printable

_WIDE: Final = 110
_MIDDLING: Final = 70
_UNKNOWN: Final = "–"


def models_table(candidates: Mapping[str, Mapping[str, Any]], *, columns: int) -> Table:
    """What is known of each candidate; less of it where there are few columns."""
    told: list[tuple[str, Callable[[Mapping[str, Any]], str]]] = [("state", _state)]
    if columns >= _MIDDLING:
        told += [
            (
                "size",
                lambda entry: _bytes(entry["size_bytes"]) if entry["size_bytes"] else entry["parameters"] or _UNKNOWN,
            ),
            ("context", lambda entry: _tokens(entry["loaded_context_length"] or entry["context_length"])),
            ("tokens/s", lambda entry: _number(entry["speeds"]["decode_tokens_per_s"], ".0f")),
        ]
    if columns >= _WIDE:
        told += [
            ("first token", lambda entry: _seconds(entry["speeds"]["first_token_s"])),
            ("quantisation", lambda entry: entry["quantization"] or _UNKNOWN),
            ("can", lambda entry: ", ".join(entry["capabilities"]) or _UNKNOWN),
        ]
    table = _table("candidate", *(name for name, _ in told), right=("size", "context", "tokens/s", "first token"))
    for name, entry in candidates.items():
        table.add_row(*map(_line, (name, *(tell(entry) for _, tell in told))))
    return table


def status_view(status: Mapping[str, Any], source: str) -> Group:
    """Everything of a status, the most important first."""
    return Group(*_parts(status, source))


def _parts(status: Mapping[str, Any], source: str) -> Iterator[RenderableType]:
    configuration, predictor = status["configuration"], status["predictor"]
    yield _line(f"Turnout {status['version']}, {source}, up {_long(status['uptime_s'])}")
    yield _line(
        f"configuration {configuration['path'] or 'without a file'}, profile {configuration['profile']}, "
        f"fingerprint {configuration['fingerprint']}"
    )
    if configuration["problem"]:
        yield _line(f"its newest content is wrong and does not serve: {configuration['problem']}")
    known = "no predictor yet: rules, seconds and the configured order decide"
    if predictor is not None:
        known = f"predictor {predictor['version'] or 'of unknown age'}, knows {len(predictor['candidates'])} candidates"
    yield _line(f"{known}; escalates under {_share(status['threshold'])}")
    yield from map(_line, _learned(status))
    yield _line("")
    yield _providers(status["providers"])
    if status["candidates"]:
        yield _line("")
        yield _candidates(status["candidates"])
    if status["resources"] is not None:
        yield _line("")
        yield _line(_machine(status["resources"]))
    metrics = status["metrics"]
    if metrics is not None and metrics["total"]["requests"]:
        yield _line("")
        yield _figures(metrics)
    for name in ("history", "caches"):
        if status[name]:
            yield _line("")
            yield _line(f"{name}: {', '.join(_plain(status[name]))}")


def _learned(status: Mapping[str, Any]) -> Iterator[str]:
    """What a challenger does beside the predictor, and what is no longer as it was learned."""
    if challenger := status.get("challenger"):
        told = f"{challenger['canary_requests']} requests decided since the start"
        if challenger["mode"] == "shadow":
            told = f"chose the same in {_share(challenger['agreement_share'])} of {challenger['compared']} in the last hour"
        yield f"challenger {challenger['version'] or 'of unknown age'}, {challenger['mode']}: {told}"
    for name in ("predictor", "challenger"):
        if (found := status.get(name)) and found.get("problem"):
            yield f"a newer {name} cannot be served: {found['problem']}"
    for alarm in (status.get("drift") or {}).get("alarms", ()):
        named = not alarm["candidate"] or alarm["text"].startswith(alarm["candidate"])
        candidate = "" if named else f" of {alarm['candidate']}"
        yield f"drift, {alarm['kind'].replace('_', ' ')}{candidate}: {alarm['text']}"


def _providers(providers: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("provider", "state", "version")
    for name, entry in providers.items():
        state = "available" if entry["available"] else entry["problem"] or "unavailable"
        table.add_row(*map(_line, (name, state, entry["version"] or _UNKNOWN)))
    return table


def _candidates(candidates: Mapping[str, Mapping[str, Any]]) -> Table:
    table = _table("candidate", "state", "running", "waiting", "tokens/s", right=("running", "waiting", "tokens/s"))
    for name, entry in candidates.items():
        speed = _number(entry["speeds"]["decode_tokens_per_s"], ".0f")
        table.add_row(*map(_line, (name, _state(entry), str(entry["running"]), str(entry["waiting"]), speed)))
    return table


def _figures(metrics: Mapping[str, Any]) -> Table:
    """The windows side by side."""
    windows = {"last minute": metrics["minute"], "last hour": metrics["hour"], "since start": metrics["total"]}
    table = _table("requests", *windows, right=tuple(windows))
    for label, told in (
        ("in all", lambda f: str(f["requests"])),
        ("answered", lambda f: str(f["answered"])),
        ("p50, p95", lambda f: f"{_seconds(f['response']['p50_s'])}, {_seconds(f['response']['p95_s'])}"),
        ("first token p50", lambda f: _seconds(f["first_token"]["p50_s"])),
        ("escalated", lambda f: _share(f["escalated_share"])),
        ("and it helped", lambda f: _share(f["helped_share"])),
        ("fell back", lambda f: str(f["fell_back"])),
        ("from a cache", lambda f: _share(f["cached_share"])),
        ("on the fast half", lambda f: _share(f["fast_share"])),
        ("sure", lambda f: _share(f["confidence_mean"])),
        ("good, bad", lambda f: f"{f['feedback'].get('good', 0)}, {f['feedback'].get('bad', 0)}"),
    ):
        table.add_row(label, *map(told, windows.values()))
    return table


def _machine(resources: Mapping[str, Any]) -> str:
    told = [
        f"memory {_bytes(resources['ram_free_bytes'])} free of {_bytes(resources['ram_total_bytes'])}",
        f"processor {resources['cpu_share']:.0%} busy",
    ]
    if resources["vram_total_bytes"] is not None:
        free = _bytes(resources["vram_free_bytes"] or 0)
        told.insert(1, f"video memory {free} free of {_bytes(resources['vram_total_bytes'])}")
    return ", ".join(told)


def _state(entry: Mapping[str, Any]) -> str:
    """Whether a candidate can be asked, in a word or a sentence."""
    if entry["problem"]:
        return str(entry["problem"])
    if entry["loading"]:
        return "loading"
    state = "not loaded" if entry["is_cold"] else "loaded" if entry["loaded"] else "ready"
    return state if entry["breaker"] == "closed" else f"{state}, on probation after failures"


def _plain(values: Mapping[str, Any], name: str = "") -> Iterator[str]:
    for key, value in values.items():
        told = f"{name} {key}".strip().replace("_", " ")
        if isinstance(value, Mapping):
            yield from _plain(value, told)
        elif value not in ("", None):
            yield f"{told} {_number(value, '.3g') if isinstance(value, float) else value}"


def _table(*names: str, right: tuple[str, ...] = ()) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for name in names:
        table.add_column(name, justify="right" if name in right else "left", overflow="fold", no_wrap=name in right)
    return table


def _line(text: str) -> Text:
    """Text as it is: what a provider calls its models is not to be read as markup."""
    return Text(printable(text))


def _long(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [f"{days} d" if days else "", f"{hours} h" if hours else "", f"{minutes} min" if minutes else ""]
    return " ".join(filter(None, parts[:2] if days else parts)) or f"{rest} s"


def _bytes(size_bytes: int) -> str:
    return f"{size_bytes / 1e9:.1f} GB"


def _tokens(count: int | None) -> str:
    return _UNKNOWN if count is None else f"{count:,}"


def _seconds(seconds: float | None) -> str:
    return _UNKNOWN if seconds is None else f"{seconds:.2f} s"


def _share(share: float | None) -> str:
    return _UNKNOWN if share is None else f"{share:.0%}"


def _number(value: float | None, form: str) -> str:
    return _UNKNOWN if value is None else format(value, form)
