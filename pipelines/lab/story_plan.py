"""The life that `make lab-story` plays, as data: its phases, and the settings that an operator would choose for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias

Job: TypeAlias = Literal["", "retrain", "drift"]
"""What is run between requests; nothing, `turnout retrain` or `turnout drift`."""

Served: TypeAlias = Literal["right", "worse"]
"""Which file the strong candidate's name stands for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phase:
    """A stretch of traffic and what the operator does meanwhile.

    The job runs after every `every` requests. The phase ends when the job has found what it waits for (`retrain`: a
    promotion, `drift`: an alarm) if it `waits`, and after `most` requests in any case. `served` is what the strong
    candidate's name stands for, `exploration` the share of requests that try another candidate. `rolls_back` ends it
    with the champion before in the champion's place.
    """

    name: str
    told: str
    most: int
    job: Job = ""
    every: int = 1
    waits: bool = False
    served: Served = "right"
    exploration: float = 0.1
    rolls_back: bool = False


PHASES: Final = (
    Phase(
        name="nothing",
        told="no history yet: half of the requests explore, retrained until the gate lets a challenger serve",
        most=1200,
        job="retrain",
        every=400,
        waits=True,
        exploration=0.5,
    ),
    Phase(
        name="growing",
        told="less is explored, retrained as the history grows",
        most=600,
        job="retrain",
        every=300,
        exploration=0.2,
    ),
    Phase(name="serving", told="still less is explored, watched for drift", most=600, job="drift", every=150),
    Phase(
        name="worse",
        told="a worse file takes the strong one's place, watched for drift",
        most=400,
        job="drift",
        every=25,
        waits=True,
        served="worse",
    ),
    Phase(
        name="relearning",
        told="more is explored, retrained until the gate lets a challenger serve",
        most=900,
        job="retrain",
        every=150,
        waits=True,
        served="worse",
        exploration=0.2,
    ),
    Phase(name="answered", told="the worse file goes on answering", most=300, served="worse"),
    Phase(
        name="restored",
        told="the right file comes back, watched for drift",
        most=400,
        job="drift",
        every=25,
        waits=True,
        rolls_back=True,
    ),
    Phase(name="back", told="the right file goes on answering", most=300),
)


def scaled(phases: Sequence[Phase], scale: float) -> tuple[Phase, ...]:
    """The same life with that share of the requests, at least one in each phase and between two jobs."""
    return tuple(
        replace(phase, most=max(1, round(phase.most * scale)), every=max(1, round(phase.every * scale)))
        for phase in phases
    )


def most_requests(phases: Sequence[Phase]) -> int:
    """So many requests at the most."""
    return sum(phase.most for phase in phases)
