"""What is claimed of the gateway, of orchestration, and of what happens when things break."""

from __future__ import annotations

from functools import partial

import evidence_aims as aims
import evidence_tables as tables
import gateway_soak
import hybrid_world
import kills
from evidence_page import Claim
from evidence_verdicts import stored

import gateway
import history

OLDER = ", ".join(f"{kind} {s:g} s → {hybrid_world.CLAIMED[kind]:g} s" for kind, s in hybrid_world.CLASSES.items())
"""Seconds of an older system, before and after."""

SERVING = (
    Claim(
        "The gateway beside LiteLLM's proxy",
        f"One process serves at least {gateway.TIMES:g} times the requests of LiteLLM's proxy and at least "
        f"{gateway.LEAST_PER_S:,g} a second, and adds at most {gateway.P50_US:,g} µs (p50) to a request alone, with "
        "routing and history on.",
        ("gateway",),
        "make bench-gateway",
        tables.of_gateway,
        stored,
    ),
    Claim(
        "The gateway under load for long",
        f"{gateway_soak.MINUTES:g} minutes at 80 % of that load: no error, flat memory, no descriptor that stays open.",
        ("gateway_soak",),
        "make bench-gateway_soak",
        tables.of_soak,
        stored,
    ),
    Claim(
        "What orchestration adds",
        "The hybrid client (decision, cache, judging, history) adds at most a millisecond at the median to calling the "
        "provider's adapter.",
        ("orchestration",),
        "make bench-orchestration",
        tables.of_orchestration,
        stored,
    ),
    Claim(
        "An emulated day of developer tasks",
        "Against the strong language model alone, routing saves as much of the time as an older system claimed "
        f"({OLDER}) at a loss of at most one point of quality. This is emulation: it says nothing of any real "
        "language model.",
        ("hybrid",),
        "make bench-hybrid",
        tables.of_hybrid,
        aims.hybrid_day,
    ),
    Claim(
        "Chaos",
        "While two of four candidates fail in every way of the fault table, every request is answered or told, none twice, and "
        "the history holds exactly what happened.",
        ("chaos",),
        "make bench-chaos",
        tables.of_chaos,
        stored,
    ),
    Claim(
        "A provider killed and started again",
        "When one of two providers is killed under load, no request fails that could go elsewhere, and traffic returns within "
        "the breaker's time.",
        ("restart",),
        "make bench-restart",
        tables.of_restart,
        stored,
    ),
    Claim(
        "The history's writer",
        f"The history takes at least {aims.HISTORY_PER_S:,} decisions a second on SQLite, off the request's path.",
        ("history",),
        "make bench-history",
        partial(tables.of_history, history.ROUNDS),
        aims.history,
    ),
    Claim(
        "Killed at any moment",
        "SIGKILL at random moments of logging and of promoting loses nothing that was acknowledged and leaves no torn champion.",
        ("kills",),
        "make bench-kills",
        kills.table,
        aims.killed,
    ),
)
