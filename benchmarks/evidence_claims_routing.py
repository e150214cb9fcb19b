"""What is claimed of routing quality and of the time that a decision takes."""

from __future__ import annotations

from functools import partial

import decision
import evidence_aims as aims
import evidence_aims_quality as quality
import evidence_tables as tables
import quality_tables
import route
from evidence_page import Claim
from evidence_verdicts import no_aims
from peers import ROUNDS as PEERS_ROUNDS

QUALITY = (
    Claim(
        "Routing quality on eight pools",
        "On eight pools of real outcomes, routing by predictions on prompts never seen recovers on average at least "
        f"{quality_tables.MEAN_TARGET} of the gap between the cheapest and the best single language model. Beside it, on the same "
        "folds: word statistics (TF-IDF with ridge), the mean of the prompt's dataset (lookup, which no router knows), and the "
        "oracle; random gives .5. *apgr* is that share averaged over all shares of calls; *offload* the share of calls that "
        "stays on the cheapest one at a loss of at most one point.",
        ("quality",),
        "make bench-quality",
        partial(tables.of_quality, "In domain"),
        quality.pools,
    ),
    Claim(
        "Against RouteLLM's published figures",
        f"On RouteLLM's own table, counted its way and learning from 1,500 prompts, routing reaches at least "
        f"{quality_tables.ROUTELLM_TARGET}, above {quality_tables.ROUTELLM_BEST} of RouteLLM's best published router.",
        ("quality",),
        "make bench-quality",
        partial(tables.of_quality, "RouteLLM's MMLU"),
        quality.routellm,
    ),
    Claim(
        "Routing on datasets never seen",
        "With whole datasets held out, routing recovers more than chance and than word statistics on every pool; on "
        f"{quality.UNSEEN_POOL} at least {quality_tables.UNSEEN_TARGET}.",
        ("quality",),
        "make bench-quality",
        partial(tables.of_quality, "Datasets never seen"),
        quality.unseen,
    ),
)

TIMES = (
    Claim(
        "Decision time",
        f"A decision among five candidates takes at most {route.P50_TARGET_US} µs at the median and {route.P99_TARGET_US} µs at "
        "p99, on one thread and for prompts met for the first time.",
        ("route",),
        "make bench-route",
        partial(tables.of_route, "route()"),
        aims.route_times,
    ),
    Claim(
        "Decision time by step",
        "Where the time of a decision without a configuration goes.",
        ("route",),
        "make bench-route",
        partial(tables.of_route, "Its steps"),
        no_aims,
    ),
    Claim(
        "Decision time with 30 rules",
        f"With eight candidates, 30 rules and the scan for secrets it takes at most {decision.P50_TARGET_US} µs at the median and "
        f"{decision.P99_TARGET_US} µs at p99.",
        ("decision",),
        "make bench-decision",
        partial(tables.of_decision, "A decision"),
        aims.decision_times,
    ),
    Claim(
        "Decision time with 30 rules by step",
        "Where the time of a decision under rules goes.",
        ("decision",),
        "make bench-decision",
        partial(tables.of_decision, "Its steps"),
        no_aims,
    ),
    Claim(
        "Decision time beside semantic-router and LiteLLM",
        "A decision takes no longer than in semantic-router with a local encoder and in LiteLLM's own complexity router, on the "
        f"same prompts in one run of {PEERS_ROUNDS} rounds, one thread each; and it agrees with the prompts' labels more often.",
        ("peers",),
        "make bench-peers",
        tables.of_peers,
        aims.peers,
    ),
)
