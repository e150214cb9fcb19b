"""The laboratory with a gateway in front of it: everything that `turnout lab up` starts, until it is stopped."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from turnout.config.gateway import Gateway
from turnout.gateway.server import run, serve
from turnout.lab.laboratory import Laboratory, laboratory


def run_all(
    folder: Path,
    *,
    models: Path,
    port: int | None,
    exploration: float,
    on_ready: Callable[[Laboratory, Gateway], None],
) -> None:
    """Serve until a signal comes.

    Args:
        folder: for configuration and history, see `laboratory`.
        models: where the language models lie.
        port: of the gateway; None for its usual one, 0 for any that is free.
        exploration: share of requests that try another candidate.
        on_ready: called once, when requests are answered.

    Raises:
        MissingExtraError: the engine is not installed.
        ConfigurationError: no language model is there.
        LoadFailedError: an engine does not start.
        ListeningError: the gateway's port is taken.
    """
    settings = () if port is None else (f"gateway.port={port}",)

    async def served() -> None:
        async with laboratory(folder, exploration=exploration, settings=settings, models=models) as lab:
            await serve(lab.config_path, settings=lab.settings, on_ready=lambda gateway: on_ready(lab, gateway))

    run(served())
