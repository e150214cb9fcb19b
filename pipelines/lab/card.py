"""The card of the laboratory's language models: what they are, how they were trained, what they can and cannot do.

    python -m turnout_pipelines.lab.card

Writes models/lab/README.md beside the files, with the score of each by family and difficulty on 2,000 held-out prompts,
reckoned from the files' own weights. How they were trained is what their checkpoints say.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

import pandas as pd
from turnout_pipelines.lab import checkpoint
from turnout_pipelines.lab.export import agreement
from turnout_pipelines.lab.scores import right
from turnout_pipelines.lab.sizes import SIZES

from turnout.config.paths import models_folder
from turnout.errors import TurnoutError
from turnout.files import write_aside
from turnout.lab import FAMILIES, generate

_TASKS: Final = 2000
_SEED: Final = 3_000_017

_TEXT: Final = """# The laboratory's language models

Three llamas so small that they ship, trained for this project on its own task world (`src/turnout/lab`) and on nothing
else: {families} families of short tasks in plain words whose answers a program checks. They read and write bytes, know
one turn of a conversation and no system prompt, and exist so that routing can be tried with real answers, real failures
and real seconds on any computer. Written by `python -m turnout_pipelines.lab.card`, never by hand.

{models}

Shape, first weights and the tasks of each training step are in `pipelines/lab`; how many steps fit into the minutes
depends on the computer, so training again gives other files of the same kind. The small one is trained first; the others
begin as the next smaller one, grown (`lab/growth.py`), so their minutes come on top of its. Each file says how long it was
trained, so going on from it is one command, in a fresh clone too:

```console
$ pip install -e '.[train,lab-train]'
$ python -m turnout_pipelines.lab.training --model large --minutes 120 --resume     # in all
$ python -m turnout_pipelines.lab.export && python -m turnout_pipelines.lab.card && python -m turnout_pipelines.lab.outcomes
```

What they were trained on is never what they are asked: a fifth of all (family, arguments) is held out by a hash.
Muon and AdamW, bfloat16, the loss on answers only, half a cosine; families whose answers are wrong more often are drawn
more often. Most is learned while the rate comes down: half way through the score is lower than before. Curves are in
MLflow (runs `lab small`, …). The engine (llama.cpp) was compared with PyTorch on 50 prompts for each file before it was
written.

## Score

Share of {tasks:,} held-out prompts (seed {seed}) answered right, greedy, decided by the one right answer.

By difficulty:

{by_difficulty}

By family:

{by_family}

By family and difficulty ({order}):

{by_cell}

## Limits

They know nothing but these families in these phrasings; anything else is answered with noise, and longer arguments than
difficulty 5 with mistakes. The context is 160 tokens, which are bytes. Nothing they say is of use outside the laboratory.

Licence: that of the project, Apache-2.0.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the job; returns the exit status, 1 if a file is missing."""
    argparse.ArgumentParser(prog="lab.card", description="Judge the laboratory's models.").parse_args(arguments)
    try:
        card = write(scores())
    except TurnoutError as error:
        print(f"lab.card: {error}", file=sys.stderr)
        return 1
    print(card)
    return 0


def scores() -> pd.DataFrame:
    """One row for each held-out task: its family and difficulty, and a column for each model with 1 or 0."""
    tasks = generate(_TASKS, _SEED)
    table = pd.DataFrame({"family": [task.family for task in tasks], "difficulty": [task.difficulty for task in tasks]})
    for name in SIZES:
        size, weights = checkpoint.load(checkpoint.shipped(name))
        table[name] = right(weights, size, tasks)
    return table


def write(table: pd.DataFrame) -> str:
    """Write the card; returns it."""
    names = list(SIZES)
    by_family = table.groupby("family")[names].mean().reindex(FAMILIES)
    cells = table.groupby(["family", "difficulty"])[names].mean()
    joined = cells.apply(lambda row: " / ".join(f"{value:.0%}" for value in row), axis=1).unstack("difficulty")
    by_difficulty = table.groupby("difficulty")[names].mean()
    by_difficulty.loc["all"] = table[names].mean()
    checkpoints = [_trained(name) for name in names]
    card = _TEXT.format(
        families=len(FAMILIES),
        models=_markdown(pd.DataFrame(checkpoints).set_index("model")),
        tasks=len(table),
        seed=_SEED,
        by_difficulty=_markdown(by_difficulty.map("{:.1%}".format)),
        by_family=_markdown(by_family.map("{:.1%}".format)),
        order=" / ".join(names),
        by_cell=_markdown(joined.reindex(FAMILIES)),
    )
    write_aside(models_folder() / "lab" / "README.md", card.encode())
    return card


def _trained(name: str) -> dict[str, str]:
    """A row of the card's first table."""
    size, path, state = SIZES[name], checkpoint.shipped(name), checkpoint.read(name)
    agreed = agreement(path)
    return {
        "model": name,
        "parameters": f"{size.parameters:,}",
        "shape": f"{size.layers} layers, {size.width} channels, {size.heads} heads",
        "MB": f"{path.stat().st_size / 1e6:.1f}",
        "seed": str(state.seed),
        "minutes": f"{state.seconds / 60:.1f}",
        "steps": f"{state.steps:,}",
        "tokens read": f"{state.tokens / 1e6:.1f} M",
        "engine = PyTorch": f"{agreed.equal} of {agreed.prompts}, {agreed.ties} ties, within {agreed.gap:.3f} nats",
    }


def _markdown(table: pd.DataFrame) -> str:
    """The table with its index as first column."""
    head = [table.index.name or "", *map(str, table.columns)]
    lines = [head, ["---", *["---:"] * len(table.columns)]]
    lines += [[str(index), *map(str, row)] for index, row in zip(table.index, table.to_numpy(), strict=True)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    raise SystemExit(main())
