"""Independent calls: one after the other in this process, or side by side on the backend that joblib was given.

Each fit already uses every core of this machine, so that nothing is won by running several here. On a cluster
(`joblib.parallel_config(backend="dask")`) calls go to its workers, each with one core to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from typing import Any, TypeVar

from joblib import Parallel, delayed, effective_n_jobs, parallel_config
from tqdm import tqdm

Result = TypeVar("Result")


def spread(
    work: Callable[..., Result], calls: Sequence[tuple[Any, ...]], what: str, *, quiet: bool = False
) -> Generator[Result]:
    """What `work` returns for each call's arguments, in their order and as soon as it is known, with a progress bar.

    Closing the iterator early leaves out the calls that have not begun.
    """
    if effective_n_jobs(None) > 1:
        results = Parallel(return_as="generator")(delayed(_with_one_core)(work, *call) for call in calls)
    else:
        results = (work(*call) for call in calls)
    yield from tqdm(results, total=len(calls), desc=what, unit=what.removesuffix("s"), delay=2, disable=quiet)


def _with_one_core(work: Callable[..., Result], *arguments: Any) -> Result:
    """On a worker: the parallel parts of the work stay in its thread, because the cluster's cores are shared out already."""
    with parallel_config(backend="sequential"):
        return work(*arguments)
