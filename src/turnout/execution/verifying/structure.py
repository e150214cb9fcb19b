"""What an answer's own form tells without a program: whether the JSON, the call or the code that was asked for parses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

PASSED_WEIGHT: Final = 0.2
"""What parses may still be wrong, and most answers parse: as a verdict it would teach that everything succeeds."""

BROKEN_WEIGHT: Final = 1.0
"""Whoever asked for JSON or a call cannot use what does not parse."""

BROKEN_CODE_WEIGHT: Final = 0.5
"""Shortened examples do not parse either, and what counts as code in plain text is a guess."""


class Verdict(NamedTuple):
    """What was verified, a score of 0 or 1, and how much it counts."""

    check: str
    score: float
    weight: float


def structure_verdicts(signals: Mapping[str, float | bool | None]) -> Iterator[Verdict]:
    """Verdicts out of the signals of one answer (`judging.signals`), for what its request asked for."""
    for check in ("format", "calls"):
        broken = signals.get(f"{check}_broken")
        if broken is not None:
            yield _verdict(check, broken=bool(broken), weight=BROKEN_WEIGHT)
    missing = signals.get("code_missing")
    if missing is not None:
        yield _verdict("code", broken=bool(missing or signals.get("code_broken")), weight=BROKEN_CODE_WEIGHT)


def _verdict(check: str, *, broken: bool, weight: float) -> Verdict:
    return Verdict(check, 0.0, weight) if broken else Verdict(check, 1.0, PASSED_WEIGHT)
