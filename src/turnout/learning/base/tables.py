"""Many outcome tables side by side: all prompts in one row order, scores in blocks of prompts that the same models answered."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from turnout.descriptors import Descriptor, describe
from turnout.errors import DataError
from turnout.learning.outcomes import factorize, read_outcomes
from turnout.predictor.prior import DOMAINS

LEAST_COVERED: Final = 0.5
"""A language model belongs to a dataset's block if it answered at least half of the prompts."""


@dataclass(frozen=True, slots=True)
class Block:
    """Prompts that the same language models answered.

    rows : int (n,), positions among all prompts. scores : float64 (n, n_models) in [0, 1], NaN where unknown.
    """

    name: str
    domain: int
    rows: NDArray[np.int64]
    models: tuple[str, ...]
    descriptors: tuple[Descriptor, ...]
    scores: NDArray[np.float64]

    def keep(self, models: Callable[[Descriptor], bool]) -> Block | None:
        """With the language models for which it holds only, and of those with an outcome; None where none is left."""
        answered = np.asarray((~np.isnan(self.scores)).any(0))
        kept = [number for number, one in enumerate(self.descriptors) if answered[number] and models(one)]
        if not kept:
            return None
        scores = self.scores[:, kept]
        rows = ~np.isnan(scores).all(1)
        return replace(
            self,
            rows=self.rows[rows],
            models=tuple(self.models[number] for number in kept),
            descriptors=tuple(self.descriptors[number] for number in kept),
            scores=scores[rows],
        )


@dataclass(frozen=True, slots=True)
class Tables:
    """All of them. prompts, table : one for each row. group : int (n,), the same task wherever it stands."""

    prompts: tuple[str, ...]
    table: NDArray[np.object_]
    dataset: NDArray[np.object_]
    prompt_id: NDArray[np.object_]
    group: NDArray[np.int64]
    domain: NDArray[np.int64]
    blocks: tuple[Block, ...]

    def without_models(self, unseen: Callable[[Descriptor], bool]) -> Tables:
        """Blocks without the language models for which it holds; the rows stay as they are."""
        blocks = (block.keep(lambda descriptor: not unseen(descriptor)) for block in self.blocks)
        return replace(self, blocks=tuple(block for block in blocks if block is not None))

    def without_rows(self, left_out: NDArray[np.bool_]) -> Tables:
        """Blocks without the prompts where `left_out` (n,) holds, or of a group with one of those."""
        gone = np.isin(self.group, self.group[left_out]) | left_out
        blocks = []
        for block in self.blocks:
            stays = ~gone[block.rows]
            blocks.append(replace(block, rows=block.rows[stays], scores=block.scores[stays]).keep(lambda _: True))
        return replace(self, blocks=tuple(block for block in blocks if block is not None))


def read_tables(sources: Sequence[tuple[str, Path]], leave_out: Sequence[str] = ()) -> Tables:
    """Read outcome tables with the domain of each.

    Args:
        sources: (domain, file).
        leave_out: language models, as a table names them, whose rows are known to be broken.

    Raises:
        DataError: a domain is unknown, or a table breaks its contract.
    """
    prompts: list[str] = []
    table: list[object] = []
    dataset: list[object] = []
    ids: list[object] = []
    groups: list[object] = []
    domains: list[int] = []
    blocks: list[Block] = []
    for domain, path in sources:
        if domain not in DOMAINS:
            raise DataError(f"{path}: domain {domain!r} is unknown; there is: {', '.join(DOMAINS)}")
        read = read_outcomes([path])
        scores = read.scores.drop(columns=list(leave_out), errors="ignore")
        start, number = len(prompts), DOMAINS.index(domain)
        prompts += read.prompts["prompt"].tolist()
        ids += read.prompts.index.tolist()
        groups += read.prompts["group"].tolist()
        names = read.prompts["dataset"].to_numpy(object)
        dataset += names.tolist()
        table += [path.stem] * len(names)
        domains += [number] * len(names)
        for models, members in _alike(names, ~np.isnan(scores.to_numpy())).items():
            chosen = [scores.columns[column] for column in models]
            inside = np.flatnonzero(np.isin(names, members) & scores[chosen].notna().any(axis=1).to_numpy())
            blocks.append(
                Block(
                    f"{path.stem}:{members[0]}" if len(members) == 1 else path.stem,
                    number,
                    start + inside,
                    tuple(chosen),
                    tuple(describe(name) for name in chosen),
                    scores[chosen].to_numpy(np.float64)[inside],
                )
            )
    if not blocks:
        raise DataError("no language model answered half of the prompts of a dataset; abilities cannot be compared")
    return Tables(
        prompts=tuple(prompts),
        table=np.array(table, object),
        dataset=np.array(dataset, object),
        prompt_id=np.array(ids, object),
        group=factorize(pd.Series(groups)),
        domain=np.array(domains, np.int64),
        blocks=tuple(blocks),
    )


def _alike(datasets: NDArray[np.object_], known: NDArray[np.bool_]) -> dict[tuple[int, ...], list[str]]:
    """Datasets that the same language models answered, by the columns of these."""
    found: dict[tuple[int, ...], list[str]] = {}
    for name in sorted(set(datasets)):
        covered = known[datasets == name].mean(0) >= LEAST_COVERED
        found.setdefault(tuple(np.flatnonzero(covered).tolist()), []).append(name)
    found.pop((), None)
    return found
