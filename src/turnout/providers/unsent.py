"""Why there is no answer to a request, as every transport tells it: nothing of one has come yet."""

from __future__ import annotations


class NoConnectionError(Exception):
    """The connection was refused, or its host or certificate is not good; the cause says what."""


class SlowConnectionError(Exception):
    """The connection was not there in its time."""


class DroppedError(Exception):
    """The connection was there and broke before the answer's head came; the cause says how."""
