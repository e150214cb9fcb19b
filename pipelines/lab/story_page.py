"""A life told in words: what happened when and why, and what each phase was worth beside its yardsticks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from turnout_pipelines.lab.story_curves import SERVED, YARDSTICKS
from turnout_pipelines.lab.story_log import Event, EventKind

PICTURE: Final = "story.png"
_SAID: Final[Mapping[EventKind, str]] = {"alarm": "drift noticed: ", "rolled back": "rolled back: "}
_WAYS: Final = (SERVED, *YARDSTICKS, "same share")


def page(story: Mapping[str, Any], events: Sequence[Event]) -> str:
    """The Markdown page.

    Args:
        story: what `story.run` returns.
    """
    return "\n".join(
        [
            "# A whole life in the laboratory",
            "",
            f"{story['requests']:,} live requests, one at a time, no prompt twice; `{story['candidates'][0]}` "
            f"is the fast candidate, `{story['candidates'][1]}` the strong one, preference {story['preference']}. "
            "Language models, engine, client, history, retraining, gate, drift and rollback are the real ones; right and "
            "wrong are decided by the one answer of each task. There was no history, no champion and no base predictor "
            f"at the beginning. Made on {story['date']} in {story['took_s']:.0f} s, seed {story['seed']}.",
            "",
            f"![the curves]({PICTURE})",
            "",
            "## What happened",
            "",
            *_happened(events),
            *_unseen(story),
            "",
            "## What it was worth",
            "",
            *_worth(story),
            "",
            "## How to read it",
            "",
            "The strong one is whatever file answers under its name. Served answers include those of exploration. "
            "Seconds are from the call to the whole answer, through the client, of this computer on this day; both "
            "candidates' come from the same minutes. *random* takes the fast one as often as Turnout did in the same "
            "phase, in expectation; *oracle* takes the strong one where only that is right; *same share* is the best "
            "that as many calls to the fast one could have made. Jobs ran while the traffic waited. Gain is against "
            "always strong, with its 95 % bootstrap interval.",
            "",
        ]
    )


def told(event: Event) -> str:
    """One event in a line."""
    took = f" ({event.took_s:.1f} s)" if event.took_s else ""
    name = f"**{event.details['name']}**: " if event.kind == "phase" else _SAID.get(event.kind, "")
    return f"after {event.at:,} requests, {name}{event.told}{took}"


def _happened(events: Sequence[Event]) -> list[str]:
    return [f"{'- ' if event.kind == 'phase' else '  - '}{told(event)}" for event in events]


def _unseen(story: Mapping[str, Any]) -> list[str]:
    lines = []
    for swap in story["swaps"]:
        noticed, outcomes = swap["noticed_after"], swap["noticed_by_outcomes_after"]
        text = "was not noticed" if noticed is None else f"was noticed after {noticed} requests"
        lines.append(f"The swap at {swap['at']:,} {text}.")
        if outcomes is not None:
            lines.append(
                f"Had the provider told nothing, outcomes alone would have shown it after {outcomes} requests; they are "
                "watched once 200 of the candidate's lie in the first third of the champion's decisions."
            )
        elif swap["served"] == "worse":
            lines.append("Outcomes alone would not have shown it before the next champion served.")
    return ["", " ".join(lines)] if lines else []


def _worth(story: Mapping[str, Any]) -> list[str]:
    head = ["phase", "requests", "explored", *(f"{way}: right" for way in _WAYS), "gain", "ms", "ms strong", "on fast"]
    lines = [f"| {' | '.join(head)} |", f"|---|{'---:|' * (len(head) - 1)}"]
    for phase in story["phases"]:
        ways = phase["ways"]
        value, low, high = phase["gain"]
        cells = [
            phase["name"],
            f"{phase['requests']:,}",
            f"{phase['explored']:.0%}",
            *(f"{ways[way]['quality']:.3f}" for way in _WAYS),
            f"{value:+.3f} [{low:+.3f}, {high:+.3f}]",
            f"{1000 * ways[SERVED]['mean_s']:.1f}",
            f"{1000 * ways['always strong']['mean_s']:.1f}",
            f"{ways[SERVED]['share_on_fast']:.0%}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines
