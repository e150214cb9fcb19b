"""The client as commands use it: opened for a while, its log kept to one line each, and a hint where nobody listens."""

from __future__ import annotations

import argparse
import difflib
import logging
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Final

from turnout.cli.terminal import note
from turnout.errors import ConfigurationError, HistoryError, NoAnswerError, NoCandidateError, RequestError

if TYPE_CHECKING:
    from turnout.config.schema import Configuration
    from turnout.execution.status import Status
    from turnout.execution.sync import SyncHybridClient

_START: Final = {
    "lmstudio": "start the server of LM Studio (in its Developer tab, or 'lms server start')",
    "ollama": "start Ollama ('ollama serve')",
}


@contextmanager
def opened(options: argparse.Namespace, *, live: bool = False) -> Iterator[SyncHybridClient]:
    """A client of the configuration that the options name, open while the block runs; `live` follows the file.

    Raises:
        ConfigurationError: the configuration is not valid, with every problem and its line; or the history cannot be
            opened where it says.
    """
    from turnout.execution.sync import SyncHybridClient  # network libraries, for commands that talk to providers only

    _log_briefly()
    with ExitStack() as stack:
        made = SyncHybridClient.from_config(options.config, profile=options.profile, live=live)
        try:
            client = stack.enter_context(made)
        except HistoryError as error:
            ways = (
                "TURNOUT_STATE names another folder for it, 'history: {enabled: false}' in the configuration keeps none"
            )
            raise ConfigurationError(f"{error}; {ways}") from error
        try:
            yield client
        except (NoCandidateError, NoAnswerError):
            hint(client)
            raise


def hint(client: SyncHybridClient) -> None:
    """Say how to start a provider, where none listens."""
    told = starting(client.configuration, client.status())
    if told:
        note(told)


def starting(configuration: Configuration, status: Status) -> str:
    """What to do where no provider is available; empty where one is."""
    if any(provider.available for provider in status.providers.values()):
        return ""
    enabled = {name: entry for name, entry in configuration.providers.items() if entry.enabled}
    if not enabled:
        return "no provider is enabled: 'turnout config init' writes an example to begin with"
    places = ", ".join(f"{entry.base_url} ({name})" for name, entry in enabled.items())
    ways = dict.fromkeys(_START[entry.kind] for entry in enabled.values() if entry.kind in _START)
    told = "; ".join([*ways, "or pretend with 'turnout emulate ollama'"])
    return f"no provider answers at {places}: {told}"


def check_candidate(status: Status, name: str) -> None:
    """Refuse a candidate that nobody has, with those that were probably meant.

    Raises:
        RequestError: it is unknown, while others are known.
    """
    if name and status.candidates and name not in status.candidates:
        raise RequestError(f"no candidate is named {name!r}; {_meant(name, status.candidates)}")


def check_named(kind: str, name: str, known: Iterable[str]) -> None:
    """Refuse a voice or an ensemble that the configuration does not have.

    Raises:
        RequestError: it is unknown.
    """
    names = list(known)
    if name and name not in names:
        told = _meant(name, names) if names else "the configuration has none"
        raise RequestError(f"no {kind} is named {name!r}; {told}")


def _meant(name: str, known: Iterable[str]) -> str:
    """The names that were probably meant, or all there are."""
    names = list(known)
    lower = name.lower()
    close = [entry for entry in names if lower in entry.lower()]
    close += difflib.get_close_matches(name, names, 3, 0.5)
    if close:
        return f"did you mean {' or '.join(dict.fromkeys(close[:3]))}?"
    return f"there are {', '.join(names)}"


class _Brief(logging.Handler):
    """Tells a warning as a line for a person: the message, never a traceback."""

    def emit(self, record: logging.LogRecord) -> None:
        note(f"turnout: {record.getMessage()}")


def _log_briefly() -> None:
    """Warnings of the client go to standard error, a line each."""
    logger = logging.getLogger("turnout")
    if not logger.handlers:
        logger.addHandler(_Brief(logging.WARNING))
        logger.propagate = False
