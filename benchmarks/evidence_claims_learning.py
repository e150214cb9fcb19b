"""What is claimed of learning from logs, of drift, of day zero and of the laboratory."""

from __future__ import annotations

from functools import partial

import evidence_aims as aims
import evidence_aims_learning as learning
import evidence_laboratory as laboratory
import evidence_tables as tables
import offpolicy
from day_zero import RANK_AIM
from evidence_page import Claim
from scale import MEMORY_LIMIT_GIB

import retrain

DAY_ZERO = "make bench-day_zero"

LEARNING = (
    Claim(
        "Learning from partial logs",
        "Predictors trained on a log that reveals one candidate's score for each prompt come within "
        f"{offpolicy.CLOSE} of apgr of full information with as many scores, and beat naive training on the same log.",
        ("offpolicy_training", "offpolicy"),
        "make bench-offpolicy",
        partial(tables.of_offpolicy, "apgr of predictors"),
        learning.training,
    ),
    Claim(
        "Off-policy intervals",
        "The estimators' 95 % intervals cover the truth that full tables know in 90 to 99 % of logs.",
        ("offpolicy_trials", "offpolicy"),
        "make bench-offpolicy",
        partial(tables.of_offpolicy, "95 % intervals"),
        learning.coverage,
    ),
    Claim(
        "The promotion gate",
        "At 5,000 logged decisions the gate promotes a worse challenger in at most 5 % of trials, and one that is 3 points "
        "better in at least 80 %.",
        ("offpolicy_trials", "offpolicy"),
        "make bench-offpolicy",
        partial(tables.of_offpolicy, "Promotions"),
        learning.gate,
    ),
    Claim(
        "Retraining as the history grows",
        f"From 10,000 to 1,000,000 logged decisions retraining stays within {MEMORY_LIMIT_GIB:g} GiB, and its time grows no "
        "faster than the history.",
        ("retrain",),
        "make bench-retrain",
        retrain.table,
        learning.growing,
    ),
    Claim(
        "Drift: false alarms",
        "Where nothing changes, at most 5 % of streams raise an alarm.",
        ("drift",),
        "make bench-drift",
        tables.of_drift,
        aims.false_alarms,
    ),
    Claim(
        "Drift: lost points are found",
        "A candidate that lost 20 points is named within 300 of its requests in 95 % of trials.",
        ("drift",),
        "make bench-drift",
        tables.of_drops,
        aims.drops_found,
    ),
    Claim(
        "Day zero: language models nobody logged",
        "What the base predictor says of a language model that it never saw is better than the mean of all and the mean of its "
        f"size, and ranks them with a correlation of at least {RANK_AIM}.",
        ("day_zero_models", "day_zero"),
        DAY_ZERO,
        tables.of_models,
        learning.left_out,
    ),
    Claim(
        "Day zero: pools without a label",
        "Before the first label, with the pool's whole table left out, routing is better than random on average.",
        ("day_zero_pools", "day_zero"),
        DAY_ZERO,
        tables.of_pools,
        learning.no_label,
    ),
    Claim(
        "Day zero: as own labels come in",
        "With 50 to 200 own labels, base predictor and own labels together beat either alone.",
        ("day_zero_pools", "day_zero"),
        DAY_ZERO,
        tables.of_curve,
        learning.few_labels,
    ),
)

LABORATORY = (
    Claim(
        "The laboratory, live",
        "Between small language models that really run, routing takes at most half the seconds of always asking the strong "
        "one, at a loss of at most one point of measured quality, close to what the oracle's share allows.",
        ("lab",),
        "make bench-lab",
        laboratory.live,
        laboratory.routing_aims,
    ),
    Claim(
        "The laboratory: is the answer right?",
        "The confidence in an answer, on log-probabilities of language models that really run, tells right answers from "
        "wrong ones, and escalation by it recovers most of the fast one's wrong answers.",
        ("lab",),
        "make bench-lab",
        partial(laboratory.table, "What escalation"),
        laboratory.trust_aims,
    ),
    Claim(
        "The laboratory's story",
        "From no history, routing learns, retrains, promotes, notices a language model that was swapped for a worse one, and "
        "rolls back, against always fast, always strong, random and the oracle.",
        ("lab_story",),
        "make lab-story",
        laboratory.story,
        laboratory.story_aims,
    ),
)
