"""How often the semantic cache answers a prompt with another one's answer, rightly and wrongly.

    python benchmarks/semantic.py [--limit 40]

Hand-written pairs of prompts: half mean the same, half ask for something else by a word or two. A pair hits when its
cosine similarity reaches the threshold and, with guards, when the two agree (`turnout.execution.cache.agreement`). The
threshold is chosen on part `fit` and judged on part `test`. The guards were revised three times with the test part's hit
rate in sight (1.1 to 6.6 %; false hits were none each time), so read that rate as optimistic. Intervals are Wilson's, 95 %.

The yardstick of the guards is the same encoder without them, at the lowest threshold that keeps its own false hits on
`fit` to the same share.
"""

from __future__ import annotations

import json
import math
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from common import ROOT, Table, parser, report, say

from turnout.execution.cache import BuiltinEncoder
from turnout.execution.cache.agreement import agree
from turnout.execution.cache.gist import gist

PAIRS = ROOT / "data" / "semantic_pairs.jsonl"
MOST_FALSE = 0.01
"""Share of the near-misses on `fit` that may hit."""

THRESHOLDS = (0.0, 0.5, 0.6, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95, 0.97, 0.98, 0.99, 0.995)
REPETITIONS = 200


@dataclass(frozen=True)
class Pair:
    """Two prompts, whether they mean the same, how they differ, and what the cache makes of them."""

    same: bool
    kind: str
    part: str
    similarity: float
    agreed: bool


Hits = Callable[[Pair, float], bool]


def without_guards(pair: Pair, threshold: float) -> bool:
    """Similarity alone."""
    return pair.similarity >= threshold


def with_guards(pair: Pair, threshold: float) -> bool:
    """What the cache does."""
    return pair.agreed and pair.similarity >= threshold


WAYS: dict[str, Hits] = {"without guards": without_guards, "with guards": with_guards}


def main() -> None:
    options = parser(__doc__ or "")
    options.add_argument("--limit", type=int, help="only so many pairs")
    chosen = options.parse_args()
    lines = PAIRS.read_text(encoding="utf-8").splitlines()[: chosen.limit]
    encoder = BuiltinEncoder()
    pairs = measured([json.loads(line) for line in lines], encoder)
    thresholds = {way: threshold_of([pair for pair in pairs if pair.part == "fit"], hits) for way, hits in WAYS.items()}
    test = [pair for pair in pairs if pair.part == "test"]
    figures = {
        "thresholds": thresholds,
        "test": {
            way: {"threshold": thresholds[way], **rates(test, hits, thresholds[way])} for way, hits in WAYS.items()
        },
        "by_threshold": {
            part: {
                way: {
                    str(threshold): rates([p for p in pairs if p.part == part], hits, threshold)
                    for threshold in THRESHOLDS
                }
                for way, hits in WAYS.items()
            }
            for part in ("fit", "test")
        },
        "by_kind": by_kind(test, thresholds["with guards"]),
        "microseconds": timings(encoder, lines),
    }
    report("semantic", chosen, tables(figures, len(pairs)), figures, whole=chosen.limit is None)


def measured(rows: Sequence[dict[str, Any]], encoder: BuiltinEncoder) -> list[Pair]:
    """The pairs with their similarity and agreement."""
    pairs = []
    for number, row in enumerate(rows):
        one, other = encoder.encode([row["a"], row["b"]])
        mine, theirs = gist(row["a"]), gist(row["b"])
        agreed = mine is not None and theirs is not None and agree(mine, theirs)
        pairs.append(Pair(row["same"], row["kind"], row["part"], float(one @ other), agreed))
        if number % 100 == 99:
            say(f"{number + 1} of {len(rows)} pairs")
    return pairs


def threshold_of(pairs: Sequence[Pair], hits: Hits) -> float:
    """The lowest threshold, in hundredths, with no more than `MOST_FALSE` false hits; 1.01 where there is none.

    Where lower ones bring no further hit, the highest of those that bring as many: similarity then costs nothing.
    """
    allowed = [at / 100 for at in range(50, 102) if rate(pairs, hits, at / 100, same=False)[0] <= MOST_FALSE]
    most = max(rate(pairs, hits, at, same=True)[0] for at in allowed)
    return max(at for at in allowed if rate(pairs, hits, at, same=True)[0] == most)


def rates(pairs: Sequence[Pair], hits: Hits, threshold: float) -> dict[str, list[float]]:
    """False hits among the near-misses, hits among the paraphrases; share, lower and upper end."""
    return {name: rate(pairs, hits, threshold, same=same) for name, same in (("false_hits", False), ("hits", True))}


def rate(pairs: Sequence[Pair], hits: Hits, threshold: float, *, same: bool) -> list[float]:
    """The share of pairs that hit, with its interval."""
    found = [hits(pair, threshold) for pair in pairs if pair.same == same]
    return wilson(sum(found), len(found))


def wilson(count: int, of: int, z: float = 1.96) -> list[float]:
    """A share with its 95 % interval: Wilson, "Probable inference", 1927."""
    if not of:
        return [0.0, 0.0, 1.0]
    share = count / of
    middle = (share + z * z / (2 * of)) / (1 + z * z / of)
    half = z * math.sqrt(share * (1 - share) / of + z * z / (4 * of * of)) / (1 + z * z / of)
    return [round(value, 4) for value in (share, max(0.0, middle - half), min(1.0, middle + half))]


def by_kind(pairs: Sequence[Pair], threshold: float) -> dict[str, dict[str, Any]]:
    """For each kind of difference: how many pairs, how similar, how many hit with guards and without."""
    kinds = sorted({(pair.same, pair.kind) for pair in pairs})
    return {
        kind: {
            "same": same,
            "pairs": len(own := [pair for pair in pairs if pair.kind == kind and pair.same == same]),
            "median_similarity": round(statistics.median(pair.similarity for pair in own), 3),
            **{way: rate(own, hits, threshold, same=same) for way, hits in WAYS.items()},
        }
        for same, kind in kinds
    }


def timings(encoder: BuiltinEncoder, lines: Sequence[str]) -> dict[str, float]:
    """Median microseconds of the steps of one look, over prompts of the pairs."""
    prompts = [json.loads(line)["a"] for line in lines][:REPETITIONS]
    gists = [found for prompt in prompts if (found := gist(prompt)) is not None]
    return {
        "encode": median_us([lambda prompt=prompt: encoder.encode([prompt]) for prompt in prompts[:50]]),
        "gist": median_us([lambda prompt=prompt: gist(prompt) for prompt in prompts]),
        "agree": median_us([lambda found=found: agree(found, found) for found in gists]),
    }


def median_us(calls: Sequence[Callable[[], object]]) -> float:
    """Median of one call each, after one to warm up."""
    calls[0]()
    spent = []
    for call in calls:
        begun = time.perf_counter()
        call()
        spent.append(time.perf_counter() - begun)
    return round(statistics.median(spent) * 1e6, 1)


def tables(figures: dict[str, Any], count: int) -> list[Table]:
    """What is printed."""
    rows = [
        [f"{threshold:g}"]
        + [
            shown(figures["by_threshold"][part][way][str(threshold)][name])
            for way in WAYS
            for name in ("false_hits", "hits")
        ]
        for part in ("test",)
        for threshold in THRESHOLDS
    ]
    kinds = [
        [
            "same" if told["same"] else "near-miss",
            kind,
            told["pairs"],
            told["median_similarity"],
            *(f"{told[way][0]:.0%}" for way in WAYS),
        ]
        for kind, told in figures["by_kind"].items()
    ]
    guarded = figures["thresholds"]["with guards"]
    chosen = [
        [way, told["threshold"], shown(told["false_hits"]), shown(told["hits"])]
        for way, told in figures["test"].items()
    ]
    spent = figures["microseconds"]
    return [
        Table(
            f"{count} pairs, part test, by threshold",
            ("threshold", "false hits, no guards", "hits, no guards", "false hits, guards", "hits, guards"),
            rows,
        ),
        Table(
            f"Part test by kind, at {guarded:g}",
            ("", "kind", "pairs", "similarity", "hits, no guards", "guards"),
            kinds,
        ),
        Table(
            "Threshold chosen on part fit, judged on part test",
            ("", "threshold", "false hits", "hits"),
            chosen,
            f"One look: encoder {spent['encode']:,.0f} µs, what matters {spent['gist']:.0f} µs, "
            f"agreement {spent['agree']:.0f} µs with each similar prompt.",
        ),
    ]


def shown(figure: Sequence[float]) -> str:
    """A share with its interval, in per cent."""
    return f"{figure[0]:.1%} [{figure[1]:.1%}, {figure[2]:.1%}]"


if __name__ == "__main__":
    main()
