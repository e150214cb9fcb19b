"""What the gate saw, as pictures. Each function returns a Matplotlib figure and shows nothing."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from turnout.learning.challenge import Challenge
from turnout.learning.metrics import CALIBRATION_BINS
from turnout.learning.offpolicy import Estimate

_OWN, _BEFORE, _OTHER = "#0b6e99", "#b26a00", "#777777"
_COLOURS = {"challenger": _OWN, "champion": _BEFORE}


def plot_estimates(estimates: Mapping[str, Estimate]) -> Figure:
    """The doubly robust mean score of each policy with its 95 % interval."""
    figure = Figure(figsize=(7.5, 0.6 + 0.42 * len(estimates)), layout="constrained")
    axes = figure.subplots()
    names = list(estimates)[::-1]
    for place, name in enumerate(names):
        one = estimates[name]
        colour = _COLOURS.get(name, _OTHER)
        axes.plot([one.dr.low, one.dr.high], [place, place], color=colour, linewidth=2)
        axes.plot(one.dr.value, place, "o", color=colour)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("mean score, doubly robust, 95 % interval")
    axes.grid(axis="x", alpha=0.3)
    return figure


def plot_shares(challenge: Challenge) -> Figure:
    """Who would get how much of the decisions."""
    names = challenge.judged.candidates
    figure = Figure(figsize=(7.5, 0.8 + 0.5 * len(names)), layout="constrained")
    axes = figure.subplots()
    for offset, contender in zip((0.2, -0.2), challenge.contenders, strict=True):
        share = contender.target.mean(0)
        axes.barh(np.arange(len(names)) - offset, share, 0.36, color=_COLOURS[contender.name], label=contender.name)
    axes.set_yticks(range(len(names)), names)
    axes.set_xlim(0, 1)
    axes.set_xlabel("share of decisions")
    axes.legend(loc="lower right")
    return figure


def plot_calibration(challenge: Challenge) -> Figure:
    """What was promised against what came, on the candidates whose results are known."""
    logged = challenge.judged
    rows = np.flatnonzero(logged.scored)
    score, chosen = logged.score[rows], logged.chosen[rows]
    figure = Figure(figsize=(5, 5), layout="constrained")
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=_OTHER, linestyle=":", label="perfect")
    for contender in challenge.contenders:
        chance = contender.chance[rows, chosen]
        which = np.minimum((chance * CALIBRATION_BINS).astype(int), CALIBRATION_BINS - 1)
        size = np.bincount(which, minlength=CALIBRATION_BINS)
        used = size >= 10
        promised = np.bincount(which, chance, minlength=CALIBRATION_BINS)[used] / size[used]
        came = np.bincount(which, score, minlength=CALIBRATION_BINS)[used] / size[used]
        axes.plot(promised, came, "o-", color=_COLOURS[contender.name], label=contender.name)
    axes.set_xlabel("predicted chance of success")
    axes.set_ylabel("mean score")
    axes.set_xlim(0, 1)
    axes.set_ylim(0, 1)
    axes.legend(loc="upper left")
    return figure
