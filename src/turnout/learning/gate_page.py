"""The gate's report as one HTML file: what was decided and why in words, the figures, the pictures. Nothing is loaded."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Any

from matplotlib.figure import Figure

from turnout.learning.challenge import Challenge
from turnout.learning.gate_plots import plot_calibration, plot_estimates, plot_shares

_STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #1c2530; }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem }
.verdict { padding: .8rem 1rem; border-left: .4rem solid #777; background: #f3f5f7 }
.promote { border-color: #2e7d32 } .keep { border-color: #b3261e } .inconclusive { border-color: #b26a00 }
table { border-collapse: collapse } td, th { padding: .25rem .8rem .25rem 0; text-align: left; vertical-align: top }
td.n { text-align: right; font-variant-numeric: tabular-nums } img { max-width: 100%; height: auto; background: #fff }
@media (prefers-color-scheme: dark) { body { background: #14181d; color: #dfe5ec } .verdict { background: #1f262e } }
"""
_TITLES = {"promote": "Promoted", "keep": "Not promoted", "inconclusive": "Not promoted yet"}


def gate_page(challenge: Challenge, *, title: str, facts: Mapping[str, Any]) -> str:
    """The whole page.

    Args:
        title: its heading.
        facts: what was read and when, name and value.
    """
    judgement = challenge.judgement
    return "\n".join(
        [
            "<!doctype html>",
            f'<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>',
            f"<style>{_STYLE}</style></head><body>",
            f"<h1>{escape(title)}</h1>",
            f'<p class="verdict {judgement.verdict}"><strong>{_TITLES[judgement.verdict]}.</strong> '
            f"{escape(judgement.why)}.</p>",
            "<h2>What was checked</h2>",
            _table(("check", "", "what was seen"), [(c.name, _mark(c.passed), c.text) for c in judgement.checks]),
            "<h2>What each policy would have been worth</h2>",
            "<p>Estimated on decisions that the challenger was not trained on, of which only the chosen candidate's "
            "result is known. The doubly robust estimate decides; the others stand beside it as a check.</p>",
            _estimates(challenge),
            _picture(plot_estimates(challenge.estimates), "mean score of each policy with its interval"),
            "<h2>Who would get what</h2>",
            _picture(plot_shares(challenge), "share of decisions by candidate, champion and challenger"),
            "<h2>What is promised, and what comes</h2>",
            _picture(plot_calibration(challenge), "predicted chance against mean score"),
            "<h2>What it was made of</h2>",
            _table(("", ""), [(name, _plain(value)) for name, value in facts.items()]),
            "</body></html>",
        ]
    )


def _estimates(challenge: Challenge) -> str:
    rows = [
        (name, str(one.dr), str(one.snips), str(one.ips), str(one.direct), f"{one.support.effective_rows:,.0f}")
        for name, one in challenge.estimates.items()
    ]
    heads = ("policy", "doubly robust", "self-normalised", "inverse propensity", "direct", "effective decisions")
    problems = [
        f"<p>{escape(name)}: {escape(one.support.problem)}.</p>"
        for name, one in challenge.estimates.items()
        if one.support.problem
    ]
    return "\n".join([_table(heads, rows), *problems])


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    head = "".join(f'<th scope="col">{escape(one)}</th>' for one in heads)
    body = "".join(f"<tr>{''.join(f'<td>{escape(one)}</td>' for one in row)}</tr>" for row in rows)
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


def _mark(passed: bool) -> str:
    return "✓ passed" if passed else "✗ not passed"


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_plain(one)}" for name, one in value.items()) or "none"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)


def _picture(figure: Figure, text: str) -> str:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    content = base64.b64encode(buffer.getvalue()).decode()
    return f'<img alt="{escape(text)}" src="data:image/png;base64,{content}">'
