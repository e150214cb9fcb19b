"""Everything at one moment, as GET /turnout/status tells it."""

from __future__ import annotations

from typing import Any, Final, get_args

from turnout.execution.drift_note import ALARM_KINDS
from turnout.gateway.openapi.pieces import (
    COUNT,
    FLAG,
    NAMES,
    NUMBER,
    TEXT,
    Schema,
    between,
    by_name,
    described,
    listed,
    maybe,
    record,
    ref,
    words,
)
from turnout.types import BreakerState

_SHARE: Final = between(0, 1)
_WHEN: Final = described(NUMBER, "Unix time.")
_PROBLEM: Final = described(TEXT, "Empty while all is well.")
_COUNTS: Final = by_name(COUNT)

_CONFIGURATION: Final = record(
    {
        "fingerprint": TEXT,
        "path": described(TEXT, "Empty where it was not read from a file."),
        "profile": TEXT,
        "loaded_at": maybe(NUMBER, "Unix time; null where the file is not followed."),
        "reloads": described(COUNT, "Changes taken over since the start."),
        "problem": described(TEXT, "Why the newest content of the file does not serve; empty where it does."),
    }
)
_LEARNED: Final[dict[str, Schema]] = {
    "version": TEXT,
    "trained_at": described(TEXT, "ISO 8601; empty where nobody knows."),
    "candidates": described(NAMES, "Whom it knows."),
    "problem": described(TEXT, "Why the newest content of its folder does not serve; empty where it does."),
}
_PREDICTOR: Final = record(
    {**_LEARNED, "since": maybe(NUMBER, "When it began to serve here, Unix time.")},
    description="The champion: the predictor that serves.",
)
_CHALLENGER: Final = record(
    {
        **_LEARNED,
        "since": described(NUMBER, "When it became the challenger here, Unix time."),
        "mode": described(
            words("shadow", "canary", "off"),
            "It is compared with the champion, or decides a share of requests; off for the moment before it is gone.",
        ),
        "compared": described(COUNT, "Requests of the last hour that champion and challenger were compared on."),
        "agreement_share": maybe(_SHARE, "Of those, where both would have chosen the same."),
        "canary_requests": described(COUNT, "Requests that it decided since the start."),
    },
    description="The predictor that wants to serve.",
)
_ALARM: Final = record(
    {
        "kind": described(words(*ALARM_KINDS), "What is no longer as it was learned."),
        "candidate": described(TEXT, "Empty where it is of all."),
        "since": _WHEN,
        "text": described(TEXT, "A sentence for people."),
    }
)
_DRIFT: Final = record(
    {
        "checked_at": _WHEN,
        "alarms": described(listed(ref("DriftAlarm")), "Empty while all is as it was learned."),
        "decisions": described(COUNT, "How many were watched."),
    },
    description="What the last check for drift found.",
)
_PROVIDER: Final = record(
    {
        "available": FLAG,
        "version": maybe(TEXT),
        "problem": _PROBLEM,
        "looked_ago_s": maybe(NUMBER, "Null where nobody has looked yet."),
    }
)
_SPEEDS: Final = record(
    {
        "first_token_s": maybe(NUMBER, "Of a short prompt, the language model loaded."),
        "first_token_p95_s": maybe(NUMBER, "95 % stay under it."),
        "prefill_tokens_per_s": maybe(NUMBER),
        "decode_tokens_per_s": maybe(NUMBER),
        "load_s": maybe(NUMBER),
        "service_s": maybe(NUMBER, "From its slot to the end of an answer."),
        "answer_tokens": maybe(NUMBER),
        "measurements": COUNT,
        "prefill_count": described(COUNT, "How often that rate was measured."),
        "decode_count": described(COUNT, "How often that rate was measured."),
        "load_count": described(COUNT, "How often loading was measured."),
    },
    description="Running estimates, measured here; null before the first measurement.",
)
_CANDIDATE: Final = record(
    {
        "provider": TEXT,
        "loaded": maybe(FLAG),
        "loading": FLAG,
        "is_cold": described(FLAG, "It has to be brought into memory before it can answer."),
        "breaker": words(*get_args(BreakerState)),
        "running": COUNT,
        "waiting": COUNT,
        "problem": described(TEXT, "Why it cannot be asked now; empty where it can."),
        "speeds": _SPEEDS,
        "parameters": maybe(TEXT),
        "quantization": maybe(TEXT),
        "family": maybe(TEXT),
        "size_bytes": maybe(COUNT, "Of its file."),
        "memory_bytes": maybe(COUNT, "What it takes while loaded."),
        "context_length": maybe(COUNT, "The longest that it can have."),
        "loaded_context_length": maybe(COUNT, "What it has now."),
        "capabilities": NAMES,
        "remote": described(FLAG, "Prompts leave the machine."),
    },
    description="One candidate; null where nobody knows.",
)
_RESOURCES: Final = record(
    {
        "ram_total_bytes": COUNT,
        "ram_free_bytes": COUNT,
        "cpu_share": described(_SHARE, "The busy share of all cores."),
        "vram_total_bytes": maybe(COUNT),
        "vram_free_bytes": maybe(COUNT),
        "card": maybe(TEXT, "The first card, as its driver calls it."),
        "ram_bytes_per_s": maybe(NUMBER, "What copying in main memory reached."),
    },
    description="What the machine has free; null where it cannot be told.",
)
_DURATIONS: Final = record(
    {"count": COUNT, "mean_s": maybe(NUMBER), "p50_s": maybe(NUMBER), "p95_s": maybe(NUMBER), "p99_s": maybe(NUMBER)},
    description="How long things took; null where there were none.",
)
_COMMON_FIGURES: Final[dict[str, Schema]] = {
    "cancelled": COUNT,
    "failures": described(_COUNTS, "By what went wrong."),
    "response": ref("Durations"),
    "first_token": ref("Durations"),
    "confidence_mean": maybe(_SHARE),
    "explored": described(COUNT, "Requests that went to another candidate than the usual first."),
    "canary": described(COUNT, "Requests that the challenger decided."),
    "compared": described(COUNT, "Requests that champion and challenger were compared on."),
}
_CANDIDATE_FIGURES: Final = record(
    {
        "asked": described(COUNT, "Once for a request, however many calls that took."),
        "calls": COUNT,
        "answers": COUNT,
        "chosen": described(COUNT, "Answers that were handed out."),
        "success_share": maybe(_SHARE, "Answers of all that were asked for and not cancelled."),
        "prompt_tokens": COUNT,
        "completion_tokens": COUNT,
        "tokens_per_s": maybe(NUMBER),
        "good": COUNT,
        "bad": COUNT,
        "agreed": described(COUNT, "Of those compared, where the champion chose it, too."),
        **_COMMON_FIGURES,
    },
    description="Figures of one candidate, or of all candidates of one provider; null where nothing was measured.",
)
_FIGURES: Final = record(
    {
        "seconds": described(NUMBER, "How long the period is."),
        "requests": COUNT,
        "answered": COUNT,
        "escalated": COUNT,
        "escalated_share": maybe(_SHARE, "Of those answered."),
        "helped": described(COUNT, "Escalations whose answer was handed out."),
        "helped_share": maybe(_SHARE, "Of those escalated."),
        "fell_back": COUNT,
        "rescued": described(COUNT, "Of those that fell back, the answered ones."),
        "races_won": described(COUNT, "The candidate that started later was faster."),
        "cached": described(_COUNTS, "Answers by the cache that had them."),
        "cached_share": maybe(_SHARE, "Of answered requests."),
        "fast_share": maybe(_SHARE, "Of answers, those from the cheaper half of all candidates."),
        "feedback": described(_COUNTS, "By kind."),
        "score_mean": maybe(_SHARE, "Of feedback with a value."),
        "agreed_share": maybe(_SHARE, "Of those compared, where champion and challenger chose the same."),
        "candidates": by_name(ref("CandidateFigures")),
        "providers": by_name(ref("CandidateFigures")),
        **_COMMON_FIGURES,
    },
    description="Figures of the requests that ended in a period; null where nothing was measured.",
)
_METRICS: Final = record(
    {"minute": ref("Figures"), "hour": ref("Figures"), "total": ref("Figures")},
    description="Figures of the last minute, of the last hour and since the start.",
)
_HISTORY: Final = record(
    {},
    {
        "recorded": COUNT,
        "waiting": described(COUNT, "Not in the database yet."),
        "buffered": described(COUNT, "Of those that wait, in memory only."),
        "committed": described(COUNT, "Brought into the database."),
        "dropped": described(COUNT, "Lost for lack of room, or because they could not be written down."),
        "skipped": described(COUNT, "Could not be read back, or the database refused them."),
        "journal_bytes": COUNT,
        "problem": _PROBLEM,
    },
    description="Where the records are; empty where none are kept.",
)
_STORE: Final = record(
    {
        "hits": COUNT,
        "misses": COUNT,
        "evicted": maybe(COUNT, "Pushed out for lack of room."),
        "entries": maybe(COUNT),
        "size_bytes": maybe(COUNT),
    },
    description="What one cache holds and did; null where it cannot tell.",
)
_CACHES: Final = record(
    {"in_flight": described(COUNT, "Runs that an identical request would share.")},
    {"exact": ref("CacheFigures"), "semantic": ref("CacheFigures")},
    description="Those that are switched on.",
)

SCHEMAS: Final[dict[str, Any]] = {
    "Status": record(
        {
            "version": TEXT,
            "taken_at": _WHEN,
            "uptime_s": NUMBER,
            "configuration": _CONFIGURATION,
            "predictor": maybe(ref("PredictorStatus"), "Null before anything was learned."),
            "challenger": maybe(ref("ChallengerStatus"), "Null where there is none, or it may do nothing."),
            "drift": maybe(ref("DriftReport"), "Null before anybody looked for it."),
            "providers": by_name(_PROVIDER),
            "candidates": by_name(ref("CandidateStatus")),
            "resources": maybe(_RESOURCES),
            "threshold": maybe(_SHARE, "The confidence under which an answer is escalated now."),
            "metrics": maybe(_METRICS),
            "history": _HISTORY,
            "caches": _CACHES,
            "workers": described(COUNT, "How many processes told of themselves; figures are of all of them."),
        }
    ),
    "PredictorStatus": _PREDICTOR,
    "ChallengerStatus": _CHALLENGER,
    "DriftReport": _DRIFT,
    "DriftAlarm": _ALARM,
    "CandidateStatus": _CANDIDATE,
    "Figures": _FIGURES,
    "CandidateFigures": _CANDIDATE_FIGURES,
    "Durations": _DURATIONS,
    "CacheFigures": _STORE,
}
