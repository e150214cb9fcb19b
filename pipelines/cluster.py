"""A Dask cluster under joblib: within the block, what is parallel runs on its workers.

Folds, trials and chunks of prompts go there; results come back in order, so that nothing depends on who worked on what.
Workers are on machines of the same kind as this one: equal versions of Turnout and of what fits.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Any

from joblib import parallel_config
from turnout_pipelines.sources import say
from turnout_pipelines.versions import versions

from turnout.errors import MissingExtraError, TurnoutError
from turnout.features import schema_hash

PATIENCE_S = 10.0
"""A scheduler or a first worker that has not answered by then is not there."""

MUST_AGREE = ("turnout", "features")
"""With other features every prediction would be of another prompt; other differences are told, not refused."""


class ClusterError(TurnoutError):
    """The cluster cannot be reached, has no workers, or its workers cannot do the work."""


@contextmanager
def cluster(address: str) -> Iterator[None]:
    """Run joblib's parallel parts on the cluster at an address, `tcp://HOST:PORT`; an empty one changes nothing.

    Raises:
        MissingExtraError: distributed is not installed.
        ClusterError: nobody answers, no worker is there, Turnout there is another one, or a worker died again and again.
    """
    if not address:
        yield
        return
    try:
        from distributed import KilledWorker
    except ModuleNotFoundError as error:
        raise MissingExtraError("dask", f"--dask {address}") from error
    client = _client(address)
    try:
        workers = _checked(client, address)
        say(f"cluster at {address}: {workers} workers, {sum(client.ncores().values())} cores")
        with parallel_config(backend="dask", client=client):
            yield
    except KilledWorker as error:
        raise ClusterError(
            f"a worker of {address} died while it computed, for want of memory perhaps: {error}"
        ) from error
    finally:
        client.close(timeout=PATIENCE_S)


def _client(address: str) -> Any:
    import distributed

    connect: Any = distributed.Client  # which has no types
    try:
        asyncio.run(_knock(address))
        return connect(address, timeout=PATIENCE_S, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # no route, nobody listens, another protocol, no address
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise ClusterError(
            f"no Dask scheduler answers at {address!r} within {PATIENCE_S:g} s ({reason}); "
            "expected tcp://HOST:PORT of a running 'dask scheduler'"
        ) from error


async def _knock(address: str) -> None:
    """Shake hands once: a client waits without end for whoever accepts the connection and says nothing."""
    from distributed.comm.core import connect as untyped

    connect: Any = untyped
    there = await asyncio.wait_for(connect(address, timeout=PATIENCE_S), PATIENCE_S)
    await there.close()


def _checked(client: Any, address: str) -> int:
    """How many workers there are, each of which has what it needs."""
    try:
        client.wait_for_workers(1, timeout=PATIENCE_S)
    except TimeoutError as error:
        raise ClusterError(
            f"the scheduler at {address} has no workers; start some with 'dask worker {address}'"
        ) from error
    try:
        theirs: Mapping[str, Mapping[str, str]] = client.run(_versions)
    except (ImportError, AttributeError) as error:
        raise ClusterError(f"workers of {address} lack what trains: {error}; install 'turnout[train,dask]'") from error
    ours = _versions()
    for worker, found in theirs.items():
        differing = {name: (found.get(name), own) for name, own in ours.items() if found.get(name) != own}
        told = ", ".join(f"{name} {there} there, {here} here" for name, (there, here) in differing.items())
        if any(name in differing for name in MUST_AGREE):
            raise ClusterError(f"worker {worker} has another Turnout: {told}; install the same there")
        if differing:
            say(f"worker {worker}: {told}; results may differ in the last digits")
    return len(theirs)


def _versions() -> dict[str, str]:
    return {**versions(), "joblib": version("joblib"), "distributed": version("distributed"), "features": schema_hash()}
