"""What to keep loaded, which couple to use, and how much its fast half can take: all that is known, put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from turnout.advice.beliefs import Interval, beliefs
from turnout.advice.couples import Couple, couples
from turnout.advice.offload import LOSS
from turnout.advice.profiles import Profile, profile, room_bytes
from turnout.advice.worth import Scale
from turnout.config.resources import Resources as Limits
from turnout.policy.candidates import Candidate
from turnout.predictor import Predictor
from turnout.predictor.base import BasePredictor
from turnout.types import Resources, Snapshot


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What is advised.

    profiles : all candidates, the best first. quality : mean chance of success on typical prompts, of those that anything is
    known of. learned : those that the champion knows. couples : the best first. alone : who should answer if only one may.
    keep : what to have loaded of those that run here. room : bytes for language models, None where nobody looked.
    """

    machine: Resources | None
    room: int | None
    prompts: int
    profiles: tuple[Profile, ...]
    quality: dict[str, Interval]
    learned: frozenset[str]
    couples: tuple[Couple, ...]
    alone: str | None
    keep: tuple[str, ...]

    @property
    def unknown(self) -> tuple[Profile, ...]:
        """Candidates of which neither a name nor a provider nor an outcome tells anything."""
        return tuple(each for each in self.profiles if each.name not in self.quality)

    def to_json(self) -> dict[str, Any]:
        """Plain values; intervals are [median, 5 %, 95 %]."""
        machine = self.machine
        return {
            "machine": None
            if machine is None
            else {
                "ram_total_bytes": machine.ram_total_bytes,
                "ram_free_bytes": machine.ram_free_bytes,
                "ram_bytes_per_s": machine.ram_bytes_per_s,
                "card": machine.card,
                "vram_total_bytes": machine.vram_total_bytes,
                "vram_free_bytes": machine.vram_free_bytes,
                "room_bytes": self.room,
            },
            "prompts": self.prompts,
            "loss": LOSS,
            "candidates": {
                each.name: each.to_json()
                | {
                    "quality": self.quality[each.name].to_json() if each.name in self.quality else None,
                    "known_from": self._known_from(each.name),
                }
                for each in self.profiles
            },
            "keep": list(self.keep),
            "alone": self.alone,
            "couples": [each.to_json() for each in self.couples],
            "unknown": [each.name for each in self.unknown],
        }

    def _known_from(self, name: str) -> str | None:
        if name in self.learned:
            return "outcomes"
        return "name" if name in self.quality else None


def advise(
    candidates: Sequence[Candidate],
    snapshot: Snapshot,
    limits: Limits,
    prompts: Sequence[str],
    *,
    champion: Predictor | None,
    base: BasePredictor | None,
) -> Advice:
    """Advice for these candidates on this machine.

    Args:
        snapshot: what their providers and the machine say now.
        prompts: typical ones.
        base: None only where the champion knows every candidate.
    """
    profiles = [profile(candidate, snapshot) for candidate in candidates]
    room = room_bytes(profiles, snapshot, limits)
    learned = frozenset() if champion is None else frozenset(champion.candidates)
    told = [each for each in profiles if each.name in learned or not each.nameless]
    quality: dict[str, Interval] = {}
    pairs: tuple[Couple, ...] = ()
    alone: str | None = None
    kept: tuple[str, ...] = ()
    if told:
        named = [(each.name, each.descriptor) for each in told]
        believed = beliefs(named, prompts, champion=champion, base=base)
        quality = {each.name: believed.quality(each.name) for each in told}
        scale = Scale(told, believed, room)
        pairs = couples(told, believed, room, scale)
        alone, _ = scale.alone() or (None, 0.0)
        kept = _keep(told, pairs, scale)
    ranked = sorted(profiles, key=lambda each: -quality[each.name].median if each.name in quality else 1.0)
    return Advice(
        machine=snapshot.resources,
        room=room,
        prompts=len(prompts),
        profiles=tuple(ranked),
        quality=quality,
        learned=learned & quality.keys(),
        couples=pairs,
        alone=alone,
        keep=kept,
    )


def _keep(profiles: Sequence[Profile], pairs: Sequence[Couple], scale: Scale) -> tuple[str, ...]:
    """Of those that run here both of the best couple where that is good and fits together, else who is best alone."""
    best = next((pair for pair in pairs if pair.good and pair.fit == "together"), None)
    here = {each.name for each in profiles if each.here}
    if best is not None and here & {best.fast, best.strong}:
        return tuple(name for name in (best.fast, best.strong) if name in here)
    alone = scale.alone(here=True)
    return () if alone is None else (alone[0],)
