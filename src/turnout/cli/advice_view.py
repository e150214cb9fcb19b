"""Advice for a terminal: in words first, then in a table."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from turnout.advice import Advice
from turnout.advice.beliefs import Interval
from turnout.advice.couples import Couple
from turnout.advice.profiles import Profile
from turnout.advice.worth import fits
from turnout.cli.terminal import printable
from turnout.descriptors.speed import Likely

_MOST_COUPLES: Final = 3
_UNKNOWN: Final = "–"


def advice_view(advice: Advice, whose: str) -> Group:
    """Everything, the most important first. `whose` tells where the typical prompts are from."""
    lines = [*_machine(advice), "", *_keeping(advice), "", *_coupling(advice), *_unknown(advice), ""]
    parts: list[RenderableType] = [Text(printable(line)) for line in lines]
    told = f"On {advice.prompts} typical prompts {whose}; ranges hold 90 %. *: measured here, else expected."
    return Group(*parts, _table(advice), Text(told, style="dim"))


def _machine(advice: Advice) -> Iterator[str]:
    machine = advice.machine
    if machine is None or advice.room is None:
        yield "Nothing is known of this machine's memory."
        return
    card = "no graphics card that tells its memory"
    if machine.vram_total_bytes:
        card = f"{machine.card or 'a graphics card'} with {_gb(machine.vram_total_bytes)}"
    speed = f", copied at {machine.ram_bytes_per_s / 1e9:.0f} GB/s" if machine.ram_bytes_per_s else ""
    yield f"This machine has {_gb(machine.ram_total_bytes)} of memory{speed}, and {card}."
    yield f"{_gb(advice.room)} of it can be had for language models now."


def _keeping(advice: Advice) -> Iterator[str]:
    by_name = {each.name: each for each in advice.profiles}
    kept = [by_name[name] for name in advice.keep]
    if kept:
        yield f"Keep loaded: {', '.join(f'{each.name} ({_memory(each)})' for each in kept)}."
    elif advice.alone is None:
        yield "Keep loaded: nothing that is known of fits."
    if advice.room is None:
        return
    left = advice.room - sum(each.memory.value for each in kept if each.memory is not None)
    others = [
        (each.name, each.memory.value) for each in advice.profiles if each.memory and each.name not in advice.keep
    ]
    for told, names in (
        (f"{_gb(left)} are left, enough for one of", [name for name, needed in others if needed <= left]),
        ("Only instead of that:", [name for name, needed in others if left < needed <= advice.room]),
        ("No room at all for", [name for name, needed in others if needed > advice.room]),
    ):
        if names:
            yield f"{told} {', '.join(names)}."


def _coupling(advice: Advice) -> Iterator[str]:
    good = [couple for couple in advice.couples if couple.good][:_MOST_COUPLES]
    if not advice.couples:
        yield "No couple: no candidate is clearly stronger than one that is clearly faster."
    elif good:
        yield "Good couples, the best first:" if len(good) > 1 else "A good couple:"
    elif advice.alone is not None:
        yield f"No couple here is worth more than {advice.alone} alone. The nearest:"
    for couple in good or advice.couples[:1]:
        yield from _couple(couple)
        if couple.fit == "not" and advice.room is not None:
            both = [each for each in advice.profiles if each.name in (couple.fast, couple.strong)]
            without = [f"{each.name} ({_memory(each)})" for each in both if not fits(each, advice.room)]
            yield f"  It needs another machine: this one has no room for {' and '.join(without)}."


def _couple(couple: Couple) -> Iterator[str]:
    gap, share = couple.gap, couple.share
    yield f"{couple.fast} (fast) with {couple.strong} (strong):"
    points = f"{100 * gap.median:.0f} points ({100 * gap.low:.0f} to {100 * gap.high:.0f})"
    yield f"  the strong one succeeds {points} more often and takes {couple.ratio:.1f} times as long;"
    yield f"  the fast one can take {_share(share)} of typical prompts at a loss of at most one point."
    if couple.fit == "in turn":
        yield "  There is room for one at a time: changing over costs a load."


def _unknown(advice: Advice) -> Iterator[str]:
    for each in advice.unknown:
        help_ = "a name that tells family and size, or outcomes to learn from ('turnout retrain')"
        if each.problem:
            help_ = f"its provider, which would tell its size ({each.problem}); or {help_}"
        yield ""
        yield f"Nothing is known of {each.name}. What would help: {help_}."


def _table(advice: Advice) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    table.add_column("candidate", overflow="fold")
    for name in ("succeeds", "memory", "tokens/s", "an answer", "a load"):
        table.add_column(name, justify="right", no_wrap=True)
    for each in advice.profiles:
        star = "*" if each.measured else ""
        quality = advice.quality.get(each.name)
        cells = (
            each.name,
            _UNKNOWN if quality is None else _share(quality),
            _memory(each),
            f"{_rate(each.tokens_per_s)}{star}",
            f"{each.answer_s:.0f} s",
            f"{each.load_s:.0f} s" if each.here else _UNKNOWN,
        )
        table.add_row(*(Text(printable(cell)) for cell in cells))
    return table


def _share(share: Interval) -> str:
    return f"{share.median:.0%} ({100 * share.low:.0f} to {100 * share.high:.0f})"


def _rate(rate: Likely) -> str:
    if rate.factor == 1:
        return _digits(rate.value)
    return f"{_digits(rate.value)} ({_digits(rate.low)} to {_digits(rate.high)})"


def _digits(value: float) -> str:
    """Two digits, and no more where there are more before the point."""
    return f"{value:.0f}" if value >= 10 else f"{value:.2g}"


def _memory(each: Profile) -> str:
    memory = each.memory
    if memory is None:
        return _UNKNOWN
    return _gb(memory.value) if memory.factor == 1 else f"{_gb(memory.value)}, up to {memory.high / 1e9:.1f}"


def _gb(size_bytes: float) -> str:
    return f"{size_bytes / 1e9:.1f} GB"
