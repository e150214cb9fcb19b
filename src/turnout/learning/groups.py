"""Rows that must not be split: those that share a prompt, a conversation, or both with a third."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import sparse
from scipy.sparse.csgraph import connected_components

MOST_JOINED: Final = 10
"""A prompt that stands in more conversations than this ("go on", "thanks") joins none of them: through a handful of such
prompts nearly all conversations would be one group, and no fold could be cut."""


def group_rows(conversations: NDArray[np.uint64], prompts: NDArray[np.uint64]) -> NDArray[np.int64]:
    """A number for each group: int64 (n,), from 0.

    Rows are of one group where they have a key in common, directly or through other rows.

    Args:
        conversations: uint64 (n,), a key for each row; 0 is none.
        prompts: uint64 (n, j), j keys of the prompt of each row; 0 is none.
    """
    columns = [conversations, *(_without_common(prompts[:, at], conversations) for at in range(prompts.shape[1]))]
    n = len(conversations)
    rows, keys, count = [], [], n
    for column in columns:
        having = np.flatnonzero(column)
        distinct, which = np.unique(column[having], return_inverse=True)
        rows.append(having)
        keys.append(which + count)
        count += len(distinct)
    ends = (np.concatenate(rows), np.concatenate(keys))
    edges = sparse.coo_matrix((np.ones(len(ends[0]), np.int8), ends), shape=(count, count))
    _, found = connected_components(edges, directed=False)
    _, groups = np.unique(found[:n], return_inverse=True)
    return groups.astype(np.int64)


def _without_common(prompts: NDArray[np.uint64], conversations: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """The keys of prompts, but 0 in conversations for those that stand in too many of them."""
    inside = (conversations != 0) & (prompts != 0)
    pairs = np.unique(np.stack([prompts[inside], conversations[inside]], axis=1), axis=0)
    distinct, times = np.unique(pairs[:, 0], return_counts=True)
    return np.where(inside & np.isin(prompts, distinct[times > MOST_JOINED]), np.uint64(0), prompts)
