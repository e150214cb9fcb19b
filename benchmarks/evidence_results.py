"""Results of benchmarks as the evidence page reads them: figures, and where they come from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from turnout.errors import DataError

Figures = dict[str, Any]
NOT_RECORDED = "not recorded"


@dataclass(frozen=True)
class Result:
    """One file that `common.report` wrote; what it does not hold is empty."""

    path: Path
    content: Mapping[str, Any]

    @property
    def figures(self) -> Figures:
        """What was measured."""
        figures: Figures = self.content["figures"]
        return figures

    @property
    def provenance(self) -> str:
        """When, by which command, at which commit, on which machine, with which versions."""
        content = self.content
        date = str(content.get("date") or NOT_RECORDED).replace("T", " ").replace("+00:00", " UTC")
        command = f"`{content['command']}`" if content.get("command") else NOT_RECORDED
        if content.get("whole") is False:
            command += " (a run in parts)"
        versions = ", ".join(f"{name} {number}" for name, number in (content.get("versions") or {}).items())
        told = {
            "Measured": date,
            "command": command,
            "commit": _commit(content.get("commit") or {}),
            "machine": _machine(content.get("machine") or {}),
            "versions": versions or NOT_RECORDED,
        }
        return "; ".join(f"{name}: {value}" for name, value in told.items()) + "."


def _commit(commit: Mapping[str, Any]) -> str:
    if not commit.get("id"):
        return NOT_RECORDED
    return f"`{commit['id'][:12]}`" + (" with changes that were not committed" if commit.get("modified") else "")


def _machine(machine: Mapping[str, Any]) -> str:
    parts = [
        str(machine.get("cpu") or ""),
        f"{machine['cores']} cores" if "cores" in machine else "",
        f"{machine['memory_gib']} GiB" if "memory_gib" in machine else "",
        str(machine.get("os") or ""),
        f"load average at the end {machine['load_average'][0]:g}" if machine.get("load_average") else "",
    ]
    return ", ".join(part for part in parts if part) or NOT_RECORDED


def read(folder: Path, names: Sequence[str]) -> Result | None:
    """The latest of the results of these names; None where there is none.

    Raises:
        DataError: a file is no result of a benchmark.
    """
    found = [_read(path) for name in names if (path := folder / f"{name}.json").exists()]
    return max(found, key=lambda one: str(one.content.get("date") or ""), default=None)


def _read(path: Path) -> Result:
    try:
        content = json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise DataError(f"{path} cannot be read as JSON: {error}; run its benchmark again") from error
    if not isinstance(content, dict) or not isinstance(content.get("figures"), dict):
        raise DataError(f"{path} is no result of a benchmark: it has no object `figures`; run its benchmark again")
    return Result(path, content)
