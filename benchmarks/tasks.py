"""Tier, task type and complexity on prompts of hands that no weight was fitted on, beside what guessing gives.

    python benchmarks/tasks.py [--leave-one-out]

The shipped weights judge the held-out part of data/prompts.jsonl (hands g and h). With --leave-one-out they are also
fitted again without each training hand in turn and judged on that hand; that takes about ten minutes.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from common import PROMPTS, Table, interval, parser, report, say
from task_measures import Figures, Guesses, hand, hands, majority, mean, measure, slices, wilson

from turnout.features.surface import surface_vector
from turnout.features.task import TaskModel, load_task_model
from turnout.features.text import read_prompt
from turnout.learning.metrics import calibration_error, chance_calibration_error
from turnout.learning.simulation import DeveloperPrompt, read_prompts
from turnout.learning.task_fit import fit_task_weights
from turnout.types import COMPLEXITIES, TASK_TYPES, Request, Task


def judge(model: TaskModel, rows: Sequence[DeveloperPrompt]) -> list[Task]:
    """The task of each prompt, as `route()` would judge it with these weights."""
    tasks = []
    for row in rows:
        text = read_prompt(row.prompt)
        tasks.append(model.judge(text, surface_vector(text, Request.of(row.prompt)))[0])
    return tasks


def held_out(rows: Sequence[DeveloperPrompt], tasks: Sequence[Task], guesses: Guesses) -> Figures:
    """Every part of the held-out prompts, which types are taken for which, and whether the scores can be trusted."""
    parts = {}
    for name, mask in slices(rows).items():
        chosen = np.flatnonzero(mask)
        parts[name] = measure([rows[i] for i in chosen], [tasks[i] for i in chosen], guesses)
    confusion = np.zeros((len(TASK_TYPES), len(TASK_TYPES)), int)
    for row, task in zip(rows, tasks, strict=True):
        confusion[TASK_TYPES.index(row.task_type), TASK_TYPES.index(task.type)] += 1
    p_strong = np.array([task.tier_score for task in tasks])
    strong = np.array([float(row.tier == "strong") for row in rows])
    levels = [COMPLEXITIES[(row.complexity > 3) + (row.complexity > 6)] for row in rows]
    return {
        "parts": parts,
        "type_confusion_rows_true": confusion.tolist(),
        "tier_score_calibration_error": calibration_error(p_strong, strong),
        "tier_score_calibration_error_by_chance": chance_calibration_error(p_strong),
        "tier_score_brier": mean((p_strong - strong) ** 2),
        "tier_score_brier_of_the_mean": mean((strong.mean() - strong) ** 2),
        "complexity_level": wilson([task.complexity == level for task, level in zip(tasks, levels, strict=True)]),
        "complexity_level_by_majority": mean([level == majority(levels) for level in levels]),
    }


def leave_one_out(rows: Sequence[DeveloperPrompt]) -> dict[str, Figures]:
    """Each training hand judged by weights fitted on the others."""
    results = {}
    for name in hands(rows):
        inside, outside = ([row for row in rows if (hand(row) == name) is apart] for apart in (False, True))
        model = TaskModel.of(fit_task_weights(inside))
        results[f"hand {name}"] = measure(outside, judge(model, outside), Guesses.of(inside))
        say(f"without hand {name}: tier {results[f'hand {name}']['tier'][0]:.3f}")
    return results


def accuracy_table(title: str, parts: dict[str, Figures]) -> Table:
    """One row for each part."""
    cells = [
        [
            name,
            part["prompts"],
            interval(part["tier"]),
            part["tier_by_majority"],
            part["tier_by_true_type"],
            part["tier_by_predicted_type"],
            interval(part["type"]),
            part["type_by_majority"],
            part["complexity_error"],
            part["complexity_error_by_median"],
            part["complexity_error_by_predicted_tier"],
        ]
        for name, part in parts.items()
    ]
    columns = "part|prompts|tier [95 %]|majority|by true type|by predicted type|type [95 %]|majority"
    columns += "|complexity error|of the median|of the predicted tier's"
    note = (
        "Accuracies; by type: the tier that most training prompts of the type have, the type told or predicted. "
        "Complexity error: mean absolute, on a scale from 0 to 10."
    )
    return Table(title, columns.split("|"), cells, note)


def tables(figures: Figures) -> list[Table]:
    """What is printed."""
    confusion = zip(TASK_TYPES, figures["type_confusion_rows_true"], strict=True)
    scores = [
        [
            "tier score, calibration error",
            figures["tier_score_calibration_error"],
            figures["tier_score_calibration_error_by_chance"],
            "by chance",
        ],
        ["tier score, Brier", figures["tier_score_brier"], figures["tier_score_brier_of_the_mean"], "of the mean"],
        [
            "complexity in three levels, accuracy",
            interval(figures["complexity_level"]),
            figures["complexity_level_by_majority"],
            "majority",
        ],
    ]
    return [
        accuracy_table("Prompts of hands that no weight was fitted on", figures["parts"]),
        Table("Task types: rows true, columns predicted", ["", *TASK_TYPES], [[name, *row] for name, row in confusion]),
        Table("Scores", ["figure", "Turnout", "yardstick", "which"], scores),
    ]


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--leave-one-out", action="store_true", help="also fit without each training hand in turn")
    options = options.parse_args()
    every = read_prompts(PROMPTS)
    train, rows = ([row for row in every if row.part == part] for part in ("train", "heldout"))
    figures = held_out(rows, judge(load_task_model(), rows), Guesses.of(train))
    printed = tables(figures)
    if options.leave_one_out:
        figures["leave_one_out"] = leave_one_out(train)
        printed.append(accuracy_table("Each training hand, judged by weights of the others", figures["leave_one_out"]))
    report("tasks", options, printed, figures, whole=True)


if __name__ == "__main__":
    main()
