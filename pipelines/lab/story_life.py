"""A life from beginning to end: the laboratory is opened, the phases are played, and what they left is looked through."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from turnout_pipelines.lab.story_jobs import Operator
from turnout_pipelines.lab.story_log import Event, Row
from turnout_pipelines.lab.story_plan import Phase
from turnout_pipelines.lab.story_stage import Stage, at_home
from turnout_pipelines.lab.story_traffic import Player
from turnout_pipelines.lab.story_unseen import noticed_by_outcomes

from turnout.lab import Task
from turnout.lab.laboratory import laboratory
from turnout.lab.world import stream


@dataclass(frozen=True, slots=True)
class Lived:
    """What a life left behind; `candidates` fast and strong. `unseen`: by the place of a swap for a worse file, after how
    many requests outcomes alone would have shown it, None where they would not."""

    candidates: tuple[str, str]
    rows: Sequence[Row]
    events: Sequence[Event]
    unseen: dict[int, int | None]


def lived(
    folder: Path,
    files: tuple[Path, Path],
    preference: str,
    phases: Sequence[Phase],
    seed: int,
    tell: Callable[[Row | Event], None],
) -> Lived:
    """Live it, in an empty folder.

    Args:
        files: the fast and the strong language model.
        tell: hears of each row and each event.

    Raises:
        MissingExtraError: the engine is not installed.
        LoadFailedError: it does not come up.
    """
    stage = Stage.build(folder, *files, preference)
    with at_home(folder):
        candidates, player = asyncio.run(_played(stage, phases, seed, tell))
        worse = [event.at for event in player.events if event.kind == "swapped" and event.details["served"] == "worse"]
        unseen = {at: noticed_by_outcomes(stage.history, player.rows, at, candidates[1]) for at in worse}
    return Lived(candidates, player.rows, player.events, unseen)


async def _played(
    stage: Stage, phases: Sequence[Phase], seed: int, tell: Callable[[Row | Event], None]
) -> tuple[tuple[str, str], Player]:
    async with laboratory(stage.state, models=stage.files) as lab:
        player = Player(lab, stage, Operator(stage.history, lab.config_path, seed), distinct(stream(seed)), tell)
        await player.play(phases)
        return (lab.fast, lab.strong), player


def distinct(tasks: Iterable[Task]) -> Iterator[Task]:
    """The tasks without those whose prompt came before: nobody's quality is a matter of memory."""
    seen: set[str] = set()
    for task in tasks:
        if task.prompt not in seen:
            seen.add(task.prompt)
            yield task
