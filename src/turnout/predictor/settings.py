"""What a fit may be told: the hyperparameters of the two parts, their ranges, and the file that holds tuned ones.

The defaults were chosen on development pools (docs/decisions.md). Depth, leaves and bags are no settings: the served
form is laid out for them.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Final, Self

from turnout.errors import ConfigurationError

SETTINGS_FILE: Final = "settings.json"
"""In the folder of models: what a search found to be better than the defaults."""

_MAX_BYTES: Final = 1 << 20

RANGES: Final[Mapping[str, tuple[float, float]]] = {
    "trees_per_bag": (1, 1_000),
    "learning_rate": (1e-4, 1.0),
    "min_samples_leaf": (1, 100_000),
    "leaf_penalty": (0.0, 1e6),
    "feature_share": (1e-3, 1.0),
    "ridge_penalty": (1e-6, 1e6),
}
"""The least and the most of each that a fit can make something of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FitSettings:
    """Hyperparameters of `fit`.

    trees_per_bag : boosted trees of each bag and output. learning_rate : what each tree counts. min_samples_leaf : rows a
    leaf needs. leaf_penalty : L2 penalty on leaf values. feature_share : share of the features each split looks at.
    ridge_penalty : L2 penalty on the weights of n-grams.

    Raises:
        ConfigurationError: a value is of the wrong type or out of `RANGES`.
    """

    trees_per_bag: int = 60
    learning_rate: float = 0.08
    min_samples_leaf: int = 20
    leaf_penalty: float = 5.0
    feature_share: float = 0.2
    ridge_penalty: float = 3.0

    def __post_init__(self) -> None:
        for entry in fields(self):
            _check(entry.name, getattr(self, entry.name), whole=entry.type == "int")

    def to_json(self) -> dict[str, float]:
        """Plain values by name."""
        return asdict(self)

    @classmethod
    def of(cls, values: Mapping[str, Any]) -> Self:
        """From plain values; what is not named keeps its default.

        Raises:
            ConfigurationError: a name is unknown, or a value is wrong.
        """
        if unknown := values.keys() - RANGES.keys():
            raise ConfigurationError(f"unknown setting {sorted(unknown)[0]!r}; there is: {', '.join(RANGES)}")
        return cls(**values)


def _check(name: str, value: object, *, whole: bool) -> None:
    low, high = RANGES[name]
    kind = "a whole number" if whole else "a number"
    fits = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not fits or not low <= value <= high:  # type: ignore[operator]
        raise ConfigurationError(f"setting {name!r} is {value!r:.80}, expected {kind} from {low:g} to {high:g}")


def read_settings(path: Path) -> FitSettings | None:
    """The settings of a file that `settings_content` made; None where there is no such file.

    Raises:
        ConfigurationError: the file cannot be read, or does not hold settings; the message names it.
    """
    try:
        with path.open("rb") as file:
            raw = file.read(_MAX_BYTES + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ConfigurationError(f"{path} cannot be read: {error.strerror}") from error
    try:
        if len(raw) > _MAX_BYTES:
            raise ValueError(f"more than {_MAX_BYTES} bytes")
        content = json.loads(raw)
        if not isinstance(content, dict) or not isinstance(content.get("settings"), dict):
            raise ValueError("it has no object 'settings'")
        return FitSettings.of(content["settings"])
    except (ValueError, RecursionError) as error:
        raise ConfigurationError(
            f"{path} does not hold settings: {error}; remove it, or let 'turnout tune' make it again"
        ) from error


def settings_content(settings: FitSettings, found: Mapping[str, Any]) -> bytes:
    """The content of a settings file; `found` says where they come from and is for people only."""
    return json.dumps({"settings": settings.to_json(), "found": dict(found)}, indent=1).encode()
