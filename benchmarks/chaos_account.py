"""The accounts of `chaos.py`: callers, observers, the history and the emulators, each beside the others."""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from statistics import median, quantiles
from typing import Any

from chaos_requests import ANSWERED, BROKEN, LEFT, Crowd
from chaos_world import CHAT_PATHS, ENGINE

Figures = dict[str, Any]


def callers(crowd: Crowd, ledgers: Mapping[str, Any]) -> Figures:
    """How requests ended, those of the warm-up left out of times and outcomes, not of problems."""
    outcomes: Counter[str] = Counter()
    candidates: Counter[str] = Counter()
    problems: Counter[str] = Counter()
    messages: list[str] = []
    seconds, shares, empty, cached, roles = [], [], 0, 0, Counter[str]()
    for one in crowd.callers():
        problems.update(one["problems"])
        if one["outcome"] == ANSWERED and not _was_said(one, ledgers):
            problems["a text that nobody said"] += 1
            messages.append(f"{one['number']}: {one['candidate']} said something else")
        if one["number"] < 200_000:
            continue
        outcomes[one["outcome"]] += 1
        if one["outcome"] not in (ANSWERED, BROKEN, LEFT):
            messages.append(f"{one['number']}: {one['outcome']} after {one['seconds']:.2f} s, {one['message']}")
        if one["outcome"] == ANSWERED:
            candidates[one["candidate"]] += 1
            roles.update(set(one["roles"]))
            cached += bool(one["cached"])
            empty += not one["characters"]
            seconds.append(one["seconds"])
        if one["outcome"] != LEFT:
            shares.append(one["seconds"] / one["deadline_s"])
    return {
        "outcomes": dict(outcomes.most_common()),
        "answered_by": dict(candidates.most_common()),
        "roles": dict(roles),
        "cached": cached,
        "empty": empty,
        "problems": dict(problems),
        "told": messages[:40],
        "answer_s": {"p50": median(seconds), "p99": quantiles(seconds, n=100)[98], "max": max(seconds)},
        "share_of_deadline": {"p99": quantiles(shares, n=100)[98], "max": max(shares)},
        "late": sum(share > 1 for share in shares),
    }


def _was_said(one: Figures, ledgers: Mapping[str, Any]) -> bool:
    """Whether whoever is named as the one that answered had this to say; of the real engine nobody knows."""
    provider = one["candidate"].partition("/")[0]
    if provider == ENGINE:
        return bool(one["characters"])
    tag = f"{900_000 + one['number'] % 10 if one['shared'] else one['number']:06d}"
    return one["digest"] in ledgers[provider]["said"].get(tag, [])


def compare(database: Path, crowd: Crowd) -> Figures:
    """The history beside what observers and callers were told, both ways."""
    with sqlite3.connect(database) as connection:
        decisions = [row[0] for row in connection.execute("SELECT id FROM decisions")]
        kept: dict[str, list[tuple[int, bool]]] = {}
        for ident, number, chosen in connection.execute("SELECT decision_id, number, chosen FROM attempts"):
            kept.setdefault(ident, []).append((number, bool(chosen)))
    connection.close()
    observed = list(crowd.observed())
    numbers = Counter(one["number"] for one in observed)
    told = {one["id"]: one for one in observed if one["decided"]}
    answers = [one for one in crowd.callers() if one["outcome"] == ANSWERED]
    handed = {one["id"] for one in answers if not one["cached"]}
    asked = [one["number"] for one in crowd.callers()]
    wrong = [
        ident
        for ident, one in told.items()
        if sorted(number for number, _ in kept.get(ident, [])) != list(range(1, one["attempts"] + 1))
    ]
    chosen = {ident for ident, rows in kept.items() if sum(chosen for _, chosen in rows) == 1}
    twice = [ident for ident, rows in kept.items() if sum(chosen for _, chosen in rows) > 1]
    return {
        "requests_asked": len(asked),
        "requests_observed": len(observed),
        "never_observed": len(set(asked) - numbers.keys()),
        "observed_more_than_once": sum(count > 1 for count in numbers.values()),
        "decisions_told": len(told),
        "decisions_kept": len(decisions),
        "decisions_kept_twice": len(decisions) - len(set(decisions)),
        "decisions_lost": len(told.keys() - set(decisions)),
        "decisions_nobody_made": len(set(decisions) - told.keys()),
        "attempts_of_the_fleet": crowd.attempts.total(),
        "attempts_told": sum(one["attempts"] for one in told.values()),
        "attempts_kept": sum(map(len, kept.values())),
        "decisions_with_other_attempts": len(wrong),
        "attempts_without_a_decision": len(kept.keys() - set(decisions)),
        "answers_lost": len(handed - set(decisions)),
        "answers_without_a_chosen_attempt": len(handed - chosen),
        "more_than_one_chosen": len(twice),
        "asked_again_after_an_answer": sum(
            sum(answered and role != "escalation" for _, role, answered, _ in one["asked"]) > 1 for one in observed
        ),
        "cached_answers_kept": sum(one["id"] in set(decisions) for one in answers if one["cached"]),
    }


def upstream(crowd: Crowd, ledgers: Mapping[str, Any], states: Mapping[str, Any]) -> Figures:
    """What reached the emulators beside what was asked of them."""
    attempts: Counter[tuple[str, str]] = Counter()
    for one in crowd.observed():
        for candidate, _, _, count in one["asked"]:
            attempts[candidate.partition("/")[0], f"{one['number']:06d}"] += count
    arrived, whole = (
        Counter({(name, tag): count for name, ledger in ledgers.items() for tag, count in ledger[kind].items()})
        for kind in ("arrived", "whole")
    )
    own = [key for key in arrived if not key[1].startswith("9")]  # who shares words is not told apart
    paths = {**CHAT_PATHS, "healthy": "/v1/chat"}
    return {
        "counted_by_the_emulators": {
            name: sum(count for path, count in state["requests"].items() if path.startswith(paths[name]))
            for name, state in states.items()
        },
        "arrived": arrived.total(),
        "sent_again_on_a_fresh_connection": sum(max(0, arrived[key] - attempts[key]) for key in own),
        "whole_answers": whole.total(),
        "whole_answers_beyond_attempts": sum(max(0, whole[key] - attempts[key]) for key in own),
    }
