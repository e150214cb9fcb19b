"""Where jobs read their history, and what keeps two of them from training at once."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from turnout.config.loader import load
from turnout.config.paths import state_folder
from turnout.errors import TrainingBusyError
from turnout.files import alone
from turnout.history.address import history_url
from turnout.history.reader import HistoryReader


@dataclass(frozen=True, slots=True)
class Source:
    """A history's address, and how much each source of outcomes counts in it."""

    url: str
    weights: Mapping[str, float]

    @classmethod
    def of(cls, history: str = "", config: Path | None = None) -> Self:
        """The address that is given, else the configuration's.

        Raises:
            ConfigurationError: the configuration is not valid, or its variable is not set.
        """
        configuration = load(config).configuration
        url = history or history_url(configuration.history, state_folder())
        return cls(url, configuration.outcomes.weights)

    def reader(self) -> HistoryReader:
        """To be closed.

        Raises:
            HistoryError: there is no history at that address.
        """
        return HistoryReader(self.url)

    def __str__(self) -> str:
        """The address without its password, which may stand among its options too."""
        scheme, _, rest = self.url.partition("?")[0].partition("://")
        return f"{scheme}://{rest if scheme.startswith('sqlite') else rest.rpartition('@')[2]}"


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Keep other trainings of this folder out.

    Raises:
        TrainingBusyError: another one is under way.
    """
    with ExitStack() as stack:
        try:
            stack.enter_context(alone(folder / "training"))
        except TimeoutError as error:
            raise TrainingBusyError(f"another training is under way in {folder}; wait for it to end") from error
        yield  # outside of the handler: a server that answers too late is another error


def say(text: str) -> None:
    """Progress, to standard error."""
    print(text, file=sys.stderr, flush=True)
