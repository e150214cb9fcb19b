"""Tables and aims of the laboratory, as its benchmark stores them and as a life's story tells its phases."""

from __future__ import annotations

from typing import Any

from common import Table
from evidence_verdicts import Aim, stored

OF_TRUST = ("AUC", "recovered")
"""What is in the names of aims that are about trusting an answer, not about routing."""

_WAYS = "Every way on the same prompts"

Figures = dict[str, Any]


def routing_aims(figures: Figures) -> list[Aim]:
    """Every stored aim but those of trust."""
    return [aim for aim in stored(figures) if not _of_trust(aim)]


def trust_aims(figures: Figures) -> list[Aim]:
    """The aims of the answer's confidence and of what escalation recovers."""
    return [aim for aim in stored(figures) if _of_trust(aim)]


def _of_trust(aim: Aim) -> bool:
    return any(word in aim.what for word in OF_TRUST)


def table(title: str, figures: Figures) -> Table:
    """The stored table whose title begins so.

    Raises:
        LookupError: none does.
    """
    for told in figures["tables"]:
        if told["title"].startswith(title):
            return Table(told["title"], told["columns"], told["rows"], told.get("note", ""))
    raise LookupError(f"no table {title!r} among {', '.join(repr(told['title']) for told in figures['tables'])}")


def live(figures: Figures) -> Table:
    """Every way beside its yardsticks, from every start that was measured."""
    told = {
        one["title"].removeprefix(f"{_WAYS}, "): one
        for one in figures["tables"]
        if one["title"].startswith(f"{_WAYS}, ")
    }
    columns = next(iter(told.values()))["columns"]
    rows = [[start, *row] for start, one in told.items() for row in one["rows"]]
    note = " ".join(f"{start.capitalize()}: {one['note']}" for start, one in told.items())
    return Table(_WAYS, ["start", *columns], rows, note)


def story(figures: Figures) -> Table:
    """One row a phase: what was served beside every yardstick on the same requests."""
    ways = list(figures["phases"][0]["ways"])
    rows = []
    for phase in figures["phases"]:
        served, strong = (phase["ways"][way] for way in (ways[0], "always strong"))
        gain, low, high = phase["gain"]
        rows.append(
            [phase["name"], phase["requests"]]
            + [phase["ways"][way]["quality"] for way in ways]
            + [f"{gain:+.3f} [{low:+.3f}, {high:+.3f}]"]
            + [f"{1000 * one['mean_s']:.1f}" for one in (served, strong)]
            + [f"{served['share_on_fast']:.0%}"]
        )
    swaps = "; ".join(
        f"at {swap['at']:,} ({swap['served']}): "
        + ("not noticed" if swap["noticed_after"] is None else f"noticed after {swap['noticed_after']} requests")
        for swap in figures["swaps"]
    )
    columns = ["phase", "requests", *(f"{way}: right" for way in ways), "gain over strong [95 %]", "ms", "ms, strong"]
    note = f"Swaps of the language model: {swaps}." if swaps else ""
    return Table("Share of right answers by phase", [*columns, "on fast"], rows, note)


def story_aims(figures: Figures) -> list[Aim]:
    """Every swap for a worse language model is noticed; and what the story stores itself."""
    found = [
        Aim(f"requests until the swap at {swap['at']:,} was noticed", swap["noticed_after"], "noticed", noticed)
        for swap in figures["swaps"]
        if swap["served"] == "worse"
        for noticed in [swap["noticed_after"] is not None]
    ]
    return [*found, *stored(figures)]
