"""GET /metrics: everything that is counted, as Prometheus reads it. Nothing is counted twice: what the client counts
anyway is put into words when somebody asks, so that requests pay nothing.

Names of candidates are labels; their number is bounded where they are counted.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Final

from aiohttp import web

from turnout.errors import MissingExtraError
from turnout.execution.drift_note import ALARM_KINDS
from turnout.execution.histogram import Histogram
from turnout.execution.status import Status
from turnout.execution.tallies import Tally
from turnout.gateway.together import TOGETHER, Whole

if TYPE_CHECKING:
    from prometheus_client.core import Metric

FIRST_OCTAVE: Final = 6
LAST_OCTAVE: Final = 23
"""Buckets are doublings of the shortest duration that is told apart, from 6.4 ms to 14 minutes."""

_BREAKERS: Final = ("closed", "half_open", "open")


async def metrics(http: web.Request) -> web.StreamResponse:
    """GET /metrics, as text or as OpenMetrics, whichever is asked for.

    Raises:
        MissingExtraError: prometheus_client is not installed.
    """
    try:
        from prometheus_client.exposition import choose_encoder
    except ImportError:
        raise MissingExtraError("gateway", "/metrics") from None
    encode, content_type = choose_encoder(http.headers.get("Accept", ""))
    whole = await http.app[TOGETHER].whole()
    body = await asyncio.to_thread(encode, Told(whole))  # tens of milliseconds where there are many candidates
    return web.Response(body=body, headers={"Content-Type": content_type})


class Told:
    """A collector of everything at one moment.

    Args:
        whole: what all workers say together.
    """

    def __init__(self, whole: Whole) -> None:
        self._whole = whole

    def collect(self) -> Iterator[Metric]:
        """Every family, each with all its samples."""
        tally, status = self._whole.tally, self._whole.status
        yield from _requests(tally)
        yield from _candidates(tally)
        yield from _states(status)
        yield from _learned(status)
        yield from _parts(status, self._whole.workers)


ROUTES = [web.get("/metrics", metrics)]


def _requests(tally: Tally) -> Iterator[Metric]:
    """What came of requests."""
    outcomes = [(("answered",), tally.answered), (("cancelled",), tally.cancelled)]
    outcomes += (((code,), count) for code, count in sorted(tally.failures.items()))
    yield _counter(
        "requests", "Requests that ended, by outcome: answered, cancelled, or the error.", ("outcome",), outcomes
    )
    yield _histogram("response_seconds", "Time to the whole answer of a request.", (), [((), tally.response)])
    yield _histogram("first_token_seconds", "Time to the first piece of a stream.", (), [((), tally.first_token)])
    for name, help_text, count in (
        ("escalations", "Answers that were not trusted, so that another candidate was asked.", tally.escalated),
        ("escalations_helped", "Escalations whose answer was handed out.", tally.helped),
        ("fallbacks", "Requests whose candidate failed, so that another was asked.", tally.fell_back),
        ("fallbacks_rescued", "Fallbacks that ended in an answer.", tally.rescued),
        ("races_won", "Races that the later candidate won.", tally.races_won),
    ):
        yield _counter(name, help_text, (), [((), count)])
    cached = {"exact": 0, "semantic": 0} | dict(tally.cached)
    yield _counter("cache_hits", "Requests that a cache answered.", ("cache",), _by_name(cached))
    yield _counter("feedback", "What users said of answers.", ("kind",), _by_name(tally.feedback))
    yield _counter("confidence", "Sum of the confidence in all answers handed out.", (), [((), tally.confidence_sum)])


def _candidates(tally: Tally) -> Iterator[Metric]:
    """What each candidate did."""
    every = sorted(tally.candidates.items())
    for name, help_text, field in (
        ("candidate_asked", "Requests that asked a candidate.", "asked"),
        ("candidate_calls", "Calls of a candidate, retries included.", "calls"),
        ("candidate_answers", "Answers of a candidate.", "answers"),
        ("candidate_chosen", "Answers of a candidate that were handed out.", "chosen"),
        ("candidate_cancelled", "Calls of a candidate that nobody waited for any more.", "cancelled"),
        ("explored", "Requests that were explored, by the candidate they went to.", "explored"),
        ("canary_requests", "Requests that the challenger decided, by the candidate it chose.", "canary"),
        ("challenger_compared", "Requests that the challenger would have given a candidate.", "compared"),
        ("challenger_agreed", "Those of them in which the champion chose the same.", "agreed"),
    ):
        yield _counter(name, help_text, ("candidate",), [((one,), getattr(count, field)) for one, count in every])
    failures = [((one, code), n) for one, count in every for code, n in sorted(count.failures.items())]
    yield _counter("candidate_failures", "Failures of a candidate, by error.", ("candidate", "error"), failures)
    tokens = [((one, "prompt"), count.prompt_tokens) for one, count in every]
    tokens += [((one, "completion"), count.completion_tokens) for one, count in every]
    yield _counter("tokens", "Tokens as providers count them.", ("candidate", "kind"), tokens)
    for name, help_text, field in (
        ("candidate_response_seconds", "Time to the answer of a candidate, retries and waiting included.", "response"),
        ("candidate_first_token_seconds", "Time to the first token of a call.", "first_token"),
    ):
        yield _histogram(name, help_text, ("candidate",), [((one,), getattr(count, field)) for one, count in every])


def _states(status: Status) -> Iterator[Metric]:
    """What is known of candidates and providers now."""
    every = sorted(status.candidates.items())
    for name, help_text, values in (
        ("candidate_up", "Whether a candidate can be asked now.", [((one,), not now.problem) for one, now in every]),
        ("running", "Calls of a candidate that are under way.", [((one,), now.running) for one, now in every]),
        ("waiting", "Calls of a candidate that wait for a place.", [((one,), now.waiting) for one, now in every]),
    ):
        yield _gauge(name, help_text, ("candidate",), values)
    states = [((one, state), now.breaker == state) for one, now in every for state in _BREAKERS]
    yield _gauge("breaker_state", "The state that a breaker is in has 1.", ("candidate", "state"), states)
    looked = [((one,), now.available) for one, now in sorted(status.providers.items())]
    yield _gauge("provider_up", "Whether a provider answered the last look.", ("provider",), looked)


def _learned(status: Status) -> Iterator[Metric]:
    """Champion and challenger, and what is no longer as they learned it."""
    if (champion := status.predictor) is not None:
        labels = (champion.version, champion.trained_at)
        yield _gauge("predictor_info", "The predictor that serves.", ("version", "trained_at"), [(labels, 1)])
        yield _gauge("predictor_problem", "Whether a newer one cannot be served.", (), [((), bool(champion.problem))])
    if (challenger := status.challenger) is not None:
        named = (challenger.version, challenger.trained_at, challenger.mode)
        names = ("version", "trained_at", "mode")
        yield _gauge("challenger_info", "The predictor that wants to serve.", names, [(named, 1)])
        if challenger.agreement_share is not None:
            share = [((), challenger.agreement_share)]
            yield _gauge(
                "challenger_agreement_ratio", "Share of the last hour in which both chose the same.", (), share
            )
    if (drift := status.drift) is not None:
        counts = Counter(alarm.kind for alarm in drift.alarms)
        by_kind = [((kind,), counts[kind]) for kind in ALARM_KINDS]
        yield _gauge("drift_alarms", "What is no longer as it was learned, by kind.", ("kind",), by_kind)
        checked = [((), drift.checked_at)]
        yield _gauge("drift_checked_timestamp_seconds", "When that was looked for (Unix time).", (), checked)


def _parts(status: Status, workers: int) -> Iterator[Metric]:
    """The machine, the history, the configuration, and Turnout itself."""
    if (machine := status.resources) is not None:
        for name, help_text, value in (
            ("ram_total_bytes", "Memory of the machine.", machine.ram_total_bytes),
            ("ram_free_bytes", "Memory that is free.", machine.ram_free_bytes),
            ("cpu_busy_ratio", "Share of all cores that is busy.", machine.cpu_share),
            ("vram_total_bytes", "Memory of the graphics cards.", machine.vram_total_bytes),
            ("vram_free_bytes", "Memory of the graphics cards that is free.", machine.vram_free_bytes),
        ):
            if value is not None:
                yield _gauge(name, help_text, (), [((), value)])
    if kept := status.history:
        for name, help_text in (
            ("recorded", "Records that were taken in."),
            ("committed", "Records that were brought into the database."),
            ("dropped", "Records that were lost."),
            ("skipped", "Records that could not be read back, or that the database refused."),
        ):
            yield _counter(f"history_{name}", help_text, (), [((), kept[name])])
        yield _gauge("history_waiting", "Records that are not in the database yet.", (), [((), kept["waiting"])])
        yield _gauge("history_journal_bytes", "Size of the journals.", (), [((), kept["journal_bytes"])])
        yield _gauge("history_problem", "Whether something is wrong with it.", (), [((), bool(kept["problem"]))])
    configured = status.configuration
    yield _gauge(
        "configuration_info", "The configuration that serves.", ("fingerprint",), [((configured.fingerprint,), 1)]
    )
    yield _counter("configuration_reloads", "Changes of the file that were taken.", (), [((), configured.reloads)])
    problem = [((), bool(configured.problem))]
    yield _gauge("configuration_problem", "Whether the newest content of the file is not what serves.", (), problem)
    if status.threshold is not None:
        yield _gauge("threshold", "Answers less sure than this are not trusted.", (), [((), status.threshold)])
    yield _gauge("workers", "Processes that these figures are of.", (), [((), workers)])
    yield _gauge("uptime_seconds", "Seconds since the process that answers began.", (), [((), status.uptime_s)])
    yield _gauge("build_info", "The version of Turnout.", ("version",), [((status.version,), 1)])


_Samples = Iterable[tuple[tuple[str, ...], float]]


def _filled(family: Any, samples: _Samples) -> Any:
    for labels, value in samples:
        family.add_metric(labels, float(value))
    return family


def _counter(name: str, help_text: str, labels: Sequence[str], samples: _Samples) -> Metric:
    from prometheus_client.core import CounterMetricFamily

    return _filled(CounterMetricFamily(f"turnout_{name}", help_text, labels=labels), samples)  # type: ignore[no-any-return]


def _gauge(name: str, help_text: str, labels: Sequence[str], samples: _Samples) -> Metric:
    from prometheus_client.core import GaugeMetricFamily

    return _filled(GaugeMetricFamily(f"turnout_{name}", help_text, labels=labels), samples)  # type: ignore[no-any-return]


def _histogram(
    name: str, help_text: str, labels: Sequence[str], samples: Iterable[tuple[tuple[str, ...], Histogram]]
) -> Metric:
    from prometheus_client.core import HistogramMetricFamily

    family = HistogramMetricFamily(f"turnout_{name}", help_text, labels=labels)
    for values, histogram in samples:
        below = [(f"{limit:.4g}", float(count)) for limit, count in histogram.octaves(FIRST_OCTAVE, LAST_OCTAVE)]
        family.add_metric(values, [*below, ("+Inf", float(histogram.count))], histogram.sum_s)
    return family


def _by_name(counts: dict[str, int]) -> list[tuple[tuple[str, ...], float]]:
    return [((name,), count) for name, count in sorted(counts.items())]
