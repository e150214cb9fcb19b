"""Who has to know that the process was forked: threads are gone in the child, and handles are the parent's."""

from __future__ import annotations

import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """Something that does not survive a fork as it is."""

    def after_fork(self) -> None:
        """Called in the child."""
        ...


def watch_forks(target: Forked) -> None:
    """Tell it of every fork, for as long as it lives."""
    reference = weakref.ref(target)

    def forked() -> None:
        held = reference()
        if held is not None:
            held.after_fork()

    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=forked)
