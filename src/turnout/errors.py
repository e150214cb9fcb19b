"""The tree of errors; catch broad or narrow.

TurnoutError
├── RequestError            what the caller asked cannot be routed
├── ConfigurationError      a configuration file, profile or variable is wrong
├── DataError               an outcome table breaks its contract
│   └── TooFewRowsError     a valid table, but not enough of it for what was asked
├── ArtifactError           a predictor on disk cannot be trusted
│   ├── ArtifactMissingError
│   ├── ArtifactCorruptError
│   └── ArtifactMismatchError
└── MissingExtraError       the operation needs an optional dependency that is not installed

Messages say what is wrong, where, and what to do about it.
"""

from __future__ import annotations


class TurnoutError(Exception):
    """Base of every error that Turnout raises on purpose."""


class RequestError(TurnoutError):
    """The request itself is unusable: no message, a wrong type, an unknown preference."""


class ConfigurationError(TurnoutError):
    """A configuration value is missing, unknown, of the wrong type or out of range."""


class DataError(TurnoutError):
    """An outcome table breaks its contract; the message names file, column and row."""


class TooFewRowsError(DataError):
    """The table is valid but has fewer prompts, groups or candidates than the operation needs."""


class ArtifactError(TurnoutError):
    """A predictor folder cannot be served; the message names the file and the reason."""


class ArtifactMissingError(ArtifactError):
    """The folder or one of its files does not exist."""


class ArtifactCorruptError(ArtifactError):
    """A file is truncated, altered or not in the expected form."""


class ArtifactMismatchError(ArtifactError):
    """The artifact was made for other features or by an unknown format version."""


class MissingExtraError(TurnoutError):
    """An optional dependency is needed; the message names the extra to install."""

    def __init__(self, extra: str, purpose: str) -> None:
        self.extra = extra
        super().__init__(f"{purpose} needs the extra '{extra}': pip install 'turnout[{extra}]'")
