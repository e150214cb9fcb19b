"""Which language model is behind a candidate's name: what its provider says of it, as a digest.

Names stay while language models change: another quantization is pulled, a server is started with other weights. What is
known of the old one says nothing of the new one.

An identity has one part for each property, eight hexadecimal digits of its SHA-256 or `-` where the provider does not say.
Providers say less while a language model is being loaded or looked into, so two identities agree where no part that both
know differs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import Final

from turnout.types import LanguageModel

PROPERTIES: Final = ("size_bytes", "quantization", "parameters", "family", "context_length")
"""Their order in an identity. What changes with loading (memory, the window in use) is not among them."""

UNKNOWN: Final = "-"


def identity_of(model: LanguageModel) -> str:
    """The identity of a language model; empty where its provider says nothing of it."""
    told = [getattr(model, name) for name in PROPERTIES]
    if all(value is None for value in told):
        return ""
    return ".".join(UNKNOWN if value is None else hashlib.sha256(str(value).encode()).hexdigest()[:8] for value in told)


def agree(one: str, other: str) -> bool:
    """Whether two identities may be of the same language model."""
    ours, theirs = one.split("."), other.split(".")
    return len(ours) == len(theirs) and all(a == b or UNKNOWN in (a, b) for a, b in zip(ours, theirs, strict=True))


def merged(one: str, other: str) -> str:
    """All that two identities know which agree."""
    parts = zip(one.split("."), other.split("."), strict=True)
    return ".".join(ours if ours != UNKNOWN else theirs for ours, theirs in parts)


def changed_at(seen: Iterable[tuple[str, str, float]]) -> dict[str, float]:
    """When each candidate's present language model took the place of another one.

    Candidates whose language model never changed are left out: nothing says that their earliest outcomes, which may be
    older than the first look at it, are another's.

    Args:
        seen: candidate, identity and moment, oldest first. An identity that comes again, after a restart or in another
            process, tells nothing new; one that comes back after another is a change.
    """
    present: dict[str, str] = {}
    changed: dict[str, float] = {}
    for candidate, identity, at in seen:
        before = present.get(candidate)
        if before is None:
            present[candidate] = identity
        elif agree(before, identity):
            present[candidate] = merged(before, identity)
        else:
            present[candidate] = identity
            changed[candidate] = at
    return changed
