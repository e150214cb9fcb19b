"""The compiled inner loops of features and predictor, where this machine could build them.

The Python and NumPy code of the rooms above is the definition and the fallback; `native` gives the same, sooner. It is
not used where it was not built or is left over from another version, nor if `TURNOUT_PURE_PYTHON=1` is set when Turnout
is imported.
"""

from __future__ import annotations

import os
from typing import Final

import numpy as np
from numpy.typing import DTypeLike

REVISION: Final = 2
"""What `native.REVISION` must be: a library built from other source would compute something else."""

try:
    from turnout.kernel import _native as native
except ImportError:
    native = None  # type: ignore[assignment]

COMPILED: bool = getattr(native, "REVISION", None) == REVISION and os.environ.get("TURNOUT_PURE_PYTHON", "") != "1"
"""Whether the functions of `native` are to be called."""


def lay_out(owner: object, *names: str, dtype: DTypeLike = np.float32) -> None:
    """Give arrays of a frozen dataclass the type and the order that `native` needs; those that have them stay."""
    for name in names:
        object.__setattr__(owner, name, np.ascontiguousarray(getattr(owner, name), dtype))
