"""What every test file may use: a small predictor fitted on the bundled history, its folder, prompts to route.

The predictor is real in every part and fitted once for each test process; it is small so that this takes seconds, and
says nothing about quality.
"""

from __future__ import annotations

import os

# Trees this small are grown faster by one thread, and test processes side by side do not fight for cores.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import json
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from tests.learning.base.world import World

    from turnout import Router
    from turnout.learning.outcomes import OutcomeTable
    from turnout.predictor.fit import Fitted

# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would everything that they start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).parents[1]
SMALL_PROMPTS = 400
SMALL_CANDIDATES = ("lmstudio/qwen2.5-coder-1.5b", "lmstudio/qwen2.5-coder-7b", "ollama/llama-3.3-70b")

# The same examples on every run: a failure belongs to the change under test, not to the day.
settings.register_profile(
    "turnout",
    deadline=None,
    derandomize=True,
    database=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.load_profile("turnout")


@pytest.fixture(scope="session", autouse=True)
def without_base() -> Iterator[None]:
    """No base predictor, in this process and in those it starts; a test that is about one says where it lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TURNOUT_BASE", "off")
        yield


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    """Three small outcome tables of language models whose names tell their size, and a base predictor fitted on them."""
    from tests.learning.base.world import World, write_tables

    folder = tmp_path_factory.mktemp("world")
    return World(folder, write_tables(folder))


@pytest.fixture(scope="session")
def base_at(world: World) -> Path:
    """The folder of the world's base predictor. Read it; copy it before changing it."""
    from turnout.predictor.base_artifact import save_base

    save_base(world.base, world.folder / "base")
    return world.folder / "base"


@pytest.fixture(scope="session")
def history() -> Path:
    """The outcome table that ships."""
    return ROOT / "data" / "history.parquet"


@pytest.fixture(scope="session")
def heldout() -> list[dict[str, Any]]:
    """The 600 labelled developer prompts that no fit sees: many types, both tiers, several languages."""
    lines = (ROOT / "data" / "prompts.jsonl").read_text(encoding="utf-8").splitlines()
    return [row for row in map(json.loads, lines) if row["part"] == "heldout"]


@pytest.fixture(scope="session")
def prompts(heldout: list[dict[str, Any]]) -> tuple[str, ...]:
    """The texts of the held-out prompts."""
    return tuple(row["prompt"] for row in heldout)


@pytest.fixture(scope="session")
def small_table(history: Path) -> OutcomeTable:
    """400 prompts of the shipped history, spread over all of it, with all five models."""
    import numpy as np

    from turnout.learning.outcomes import OutcomeTable, read_outcomes

    table = read_outcomes([history])
    rows = np.linspace(0, len(table.prompts) - 1, SMALL_PROMPTS).astype(int)
    frames = (table.prompts, table.scores, table.seconds, table.cost_usd, table.answer_tokens)
    return OutcomeTable(*(frame.iloc[rows] for frame in frames), fingerprint="small")


@pytest.fixture(scope="session")
def small_fitted(small_table: OutcomeTable) -> Fitted:
    """A predictor of three candidates fitted on the small table, with its out-of-fold predictions."""
    from turnout.learning.dataset import extract_all, training_data
    from turnout.predictor.fit import fit

    features = extract_all(small_table.prompts["prompt"].tolist(), quiet=True)
    data = training_data(small_table, SMALL_CANDIDATES, features)
    return fit(data, {"created": "2025-01-01T00:00:00+00:00"})


@pytest.fixture(scope="session")
def champion(small_fitted: Fitted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small predictor saved as `champion` in a models folder. Read it; copy it before changing it."""
    from turnout.predictor import save

    folder = tmp_path_factory.mktemp("models") / "champion"
    save(small_fitted.predictor, folder)
    return folder


@pytest.fixture(scope="session")
def router(champion: Path) -> Router:
    """A router that serves the small predictor."""
    from turnout import Router

    return Router.load(champion)


@pytest.fixture(scope="session")
def hostile_prompts() -> dict[str, str]:
    """Strings that a router must take without a blink, by what is odd about them."""
    return {
        "lone surrogate": "rename \ud800 to \udfff",
        "nul and control characters": "sort\x00 these \x01\x02\x1b[31m lines\x7f",
        "right to left": "\u202eلماذا يتعطل القفل الموزع؟ \u200fלמה זה נתקע",
        "emoji with joiners": "👩‍👩‍👧‍👦 fix the 🐛 please 🏳️‍🌈" * 20,
        "combining marks": "e" + "\u0301" * 3000,
        "binary junk": bytes(range(256)).decode("latin-1") * 40,
        "zero width": "\u200b\u200b\u2060",
        "one letter": "x",
        "one very long word": "x" * 100_000,
        "ten megabytes": "why does this fail? " * 500_000,
        "a number of ten thousand digits": "is " + "9" * 10_000 + " odd",
        "half a code fence": "```python\ndef f(:\n" * 50,
        "unicode line ends": "a\u2028b\u2029c\x85d\re\x0bf",
        "letters that change length in lower case": "İİİ ẞ ŉ ǰ",
    }


@pytest.fixture
def damaged(champion: Path, tmp_path: Path) -> Callable[[str], Path]:
    """A copy of the champion's folder, damaged in a named way."""
    import shutil

    def damage(how: str) -> Path:
        folder = tmp_path / how.replace(" ", "-")
        shutil.copytree(champion, folder)
        manifest, arrays = folder / "manifest.json", next(folder.glob("arrays-*.npz"))
        content = arrays.read_bytes()
        match how:
            case "manifest gone":
                manifest.unlink()
            case "manifest cut":
                manifest.write_bytes(manifest.read_bytes()[:-40])
            case "manifest altered":
                manifest.write_text(manifest.read_text(encoding="utf-8").replace("7b", "9b"), encoding="utf-8")
            case "arrays gone":
                arrays.unlink()
            case "arrays cut":
                arrays.write_bytes(content[: len(content) // 2])
            case "one bit flipped":
                arrays.write_bytes(content[:1000] + bytes([content[1000] ^ 1]) + content[1001:])
            case "folder gone":
                shutil.rmtree(folder)
            case _:
                raise ValueError(how)
        return folder

    return damage
