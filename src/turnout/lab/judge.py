"""The judge of the laboratory: right or wrong, decided by the one answer that a task has."""

from __future__ import annotations

from turnout.lab.world import Task


def judge(task: Task, text: str) -> float:
    """1 for the task's answer, 0 for anything else. Spaces around and between, and a last full stop, do not count."""
    return float(_plain(text) == _plain(task.answer))


def _plain(text: str) -> str:
    return " ".join(" ".join(text.split()).removesuffix(".").split())
