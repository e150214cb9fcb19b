"""The yardstick of `route.py`: what one prompt costs with scikit-learn's own predictors, in a process of its own.

    python benchmarks/route_sklearn.py HISTORY PROMPTS.json --outputs N --trees N

As many trees of the same depth as Turnout's predictor has, fitted on the same history; TF-IDF and ridge for the n-gram
part. Prints nanoseconds by prompt, for the trees alone and for all of it. The dense features are given, for nothing.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from time import perf_counter_ns

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import Ridge

from turnout.features import extract
from turnout.learning.dataset import extract_all
from turnout.learning.outcomes import read_outcomes
from turnout.predictor.trees import DEPTH, LEAVES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("history", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("--outputs", type=int, required=True)
    parser.add_argument("--trees", type=int, required=True, help="for each output")
    options = parser.parse_args()
    table = read_outcomes([options.history])
    texts, scores = table.prompts["prompt"].tolist(), table.scores.to_numpy()
    dense = extract_all(texts, quiet=True).dense
    vectorizer = TfidfVectorizer(ngram_range=(1, 2), max_features=40_000, sublinear_tf=True)
    ridge = Ridge(alpha=3.0).fit(vectorizer.fit_transform(texts), scores)
    forests = [
        HistGradientBoostingRegressor(
            max_iter=options.trees, max_depth=DEPTH, max_leaf_nodes=LEAVES, early_stopping=False, random_state=output
        ).fit(dense, scores[:, output % scores.shape[1]])
        for output in range(options.outputs)
    ]
    asked = json.loads(options.prompts.read_bytes())
    spent: dict[str, list[int]] = {"trees": [], "whole": []}
    warm_up = asked["warm_up"][:20]
    for prompt in warm_up + asked["prompts"]:
        row = extract(prompt).vector[None]
        started = perf_counter_ns()
        outputs = [forest.predict(row) for forest in forests]
        trees = perf_counter_ns()
        np.concatenate([*outputs, ridge.predict(vectorizer.transform([prompt]))[0]])
        whole = perf_counter_ns()
        spent["trees"].append(trees - started)
        spent["whole"].append(whole - started)
    print(json.dumps({name: times[len(warm_up) :] for name, times in spent.items()}))


if __name__ == "__main__":
    main()
