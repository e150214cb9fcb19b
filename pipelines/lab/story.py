"""A whole life on the laboratory's language models: from no history to a champion, through a swap, and back.

    python -m turnout_pipelines.lab.story            # make lab-story; under ten minutes on two cores

Live traffic goes through the hybrid client to real engines. The operator of the life explores, retrains until the gate
promotes, watches for drift, meets a worse file under the strong candidate's name, retrains, gets the right file back and
rolls back (`lab.story_plan` has the phases). The folder gets story.png, story.md, story.json and requests.csv; a run of
the experiment is tracked in MLflow. All that is learned stays in the folder: no champion of the user's is touched.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import fields
from datetime import UTC, datetime
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final

import mlflow
from tqdm import tqdm
from turnout_pipelines import tracking
from turnout_pipelines.lab.story_account import account
from turnout_pipelines.lab.story_log import Event, Life, Row
from turnout_pipelines.lab.story_page import PICTURE, page, told
from turnout_pipelines.lab.story_plan import PHASES, Phase, most_requests, scaled
from turnout_pipelines.lab.story_plot import plot
from turnout_pipelines.versions import versions

from turnout.config.paths import models_folder
from turnout.errors import ArtifactMissingError, ConfigurationError, MissingExtraError, TurnoutError
from turnout.files import write_aside

WINDOW: Final = 150
"""Requests that each point of the curves is a mean of."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if something that it needs is missing."""
    parser = argparse.ArgumentParser(prog="lab.story", description="Play a whole life on the laboratory's models.")
    parser.add_argument("--folder", type=Path, default=Path("models/lab-story"), help="is written anew")
    parser.add_argument("--fast", default="small", help="the fast language model of models/lab")
    parser.add_argument("--strong", default="large", help="the strong one")
    parser.add_argument("--preference", default="balanced", help="fast, balanced, quality, or a number")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--scale", type=float, default=1.0, help="share of the requests; below 1 the gate may not decide"
    )
    options = parser.parse_args(arguments)
    try:
        story = run(
            options.folder,
            fast=options.fast,
            strong=options.strong,
            preference=options.preference,
            seed=options.seed,
            phases=scaled(PHASES, options.scale),
        )
    except TurnoutError as error:
        print(f"lab.story: {error}", file=sys.stderr)
        return 1
    print((options.folder / "story.md").read_text(encoding="utf-8"))
    print(f"{story['folder']}: story.md, {PICTURE}, story.json, requests.csv; tracked in {story['tracking_uri']}")
    return 0


def run(
    folder: Path,
    *,
    fast: str = "small",
    strong: str = "large",
    preference: str = "balanced",
    seed: int = 0,
    phases: Sequence[Phase] = PHASES,
) -> dict[str, Any]:
    """Play a life and write it down; returns what story.json holds.

    Args:
        folder: what an earlier life left there is replaced.
        fast, strong: names of files in models/lab.
        seed: of the tasks and the retrainings. Exploration is drawn anew each time.

    Raises:
        MissingExtraError: a library that it needs is not installed.
        ArtifactMissingError: a language model is not there.
        ConfigurationError: the folder holds something else.
        LoadFailedError: an engine does not come up.
    """
    files = (models_folder() / "lab" / f"{fast}.gguf", models_folder() / "lab" / f"{strong}.gguf")
    _check(files)
    # Needs what `_check` looked for.
    from turnout_pipelines.lab.story_life import lived

    began = time.perf_counter()
    _clear(folder)
    with tqdm(total=most_requests(phases), desc="life", unit="request", disable=None) as bar:
        life = lived(folder, files, preference, phases, seed, lambda news: _tell(bar, news))
        bar.total = bar.n
    story = account(life.rows, life.events, phases, life.unseen) | {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "took_s": round(time.perf_counter() - began, 1),
        "folder": str(folder),
        "candidates": list(life.candidates),
        "preference": preference,
        "seed": seed,
        "versions": versions() | {"xllamacpp": version("xllamacpp")},
    }
    return _kept(story, life.rows, life.events, folder)


def _check(files: Sequence[Path]) -> None:
    if find_spec("gguf") is None:
        raise MissingExtraError("lab-train", "writing the worse language model")
    if absent := [str(path) for path in files if not path.exists()]:
        raise ArtifactMissingError(f"no such language model: {', '.join(absent)}; --fast and --strong name others")


def _clear(folder: Path) -> None:
    """Make room, but only in a folder that is empty or holds an earlier life."""
    if folder.exists() and any(folder.iterdir()):
        if not (folder / "files").exists():
            raise ConfigurationError(f"{folder} holds something else than a life; give another --folder")
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)


def _tell(bar: Any, news: Row | Event) -> None:
    if isinstance(news, Event):
        bar.write(told(news), file=sys.stderr)
    else:
        bar.update()


def _kept(story: dict[str, Any], rows: Sequence[Row], events: Sequence[Event], folder: Path) -> dict[str, Any]:
    """Write and track it all."""
    figure = plot(Life.of(rows), events, WINDOW)
    picture = io.BytesIO()
    figure.savefig(picture, format="png", dpi=110)
    write_aside(folder / PICTURE, picture.getvalue())
    write_aside(folder / "requests.csv", _csv(rows))
    write_aside(folder / "story.md", page(story, events).encode())
    tracking.start()
    parameters = {name: story[name] for name in ("candidates", "preference", "seed", "requests")}
    with tracking.run("lab story", parameters):
        for phase in story["phases"]:
            for way, means in phase["ways"].items():
                name = f"{phase['name']}_{way.replace(' ', '_')}"
                mlflow.log_metrics({f"{name}_{measure}": value for measure, value in means.items()})
        for name in (PICTURE, "story.md", "requests.csv"):
            mlflow.log_artifact(str(folder / name))
        mlflow.log_dict(story, "story.json")
    story["tracking_uri"] = mlflow.get_tracking_uri()
    write_aside(folder / "story.json", (json.dumps(story, indent=1) + "\n").encode())
    return story


def _csv(rows: Sequence[Row]) -> bytes:
    names = [field.name for field in fields(Row) if field.name not in ("scores", "seconds")]
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow([*names, "score_fast", "score_strong", "seconds_fast", "seconds_strong"])
    for row in rows:
        seconds = (round(value, 6) for value in row.seconds)
        writer.writerow([*(getattr(row, name) for name in names), *row.scores, *seconds])
    return text.getvalue().encode()


if __name__ == "__main__":
    raise SystemExit(main())
