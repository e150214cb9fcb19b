"""The breakers of one provider: its own, and one for each of its candidates."""

from __future__ import annotations

import time
from collections.abc import Callable

from turnout.config.providers import BreakerSettings
from turnout.errors import CircuitOpenError, ProviderError, ProviderTimeoutError
from turnout.providers.blame import blame
from turnout.providers.breaker import Breaker, Permit
from turnout.types import BreakerState, ProviderEvent


class Admission:
    """One call that both breakers let pass. It is told once how the call ended; if never, the call says nothing."""

    def __init__(self, whole: Permit, one: Permit) -> None:
        self._whole, self._one = whole, one

    def began(self) -> None:
        """Content came: the provider is well, however long the answer goes on."""
        self._whole.succeeded()

    def succeeded(self, *, slowly: bool = False) -> None:
        """An answer came; a first token far too late speaks against the candidate all the same."""
        self._whole.succeeded()
        if slowly:
            self._one.failed()
        else:
            self._one.succeeded()

    def failed(self, error: ProviderError, *, was_loaded: bool, own_deadline: bool) -> None:
        """The call failed; `blame` says against whom that speaks."""
        guilty = blame(error, was_loaded=was_loaded, own_deadline=own_deadline)
        if guilty == "provider":
            self._whole.failed()
        elif guilty == "candidate":
            self._one.failed()
            # Silence says nothing good of the provider either; any other failure is an answer of its own.
            if not isinstance(error, ProviderTimeoutError):
                self._whole.succeeded()

    def ended(self) -> None:
        """Give back what was not told of: cancelled, or the request's own fault."""
        self._whole.released()
        self._one.released()


class Circuits:
    """All breakers of one provider."""

    def __init__(
        self,
        provider: str,
        settings: BreakerSettings,
        *,
        on_event: Callable[[ProviderEvent], None],
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._provider = provider
        self._settings = settings
        self._on_event = on_event
        self._now = now
        self._whole = self._new("")
        self._each: dict[str, Breaker] = {}

    def state(self, model: str) -> BreakerState:
        """The worse of the provider's and the candidate's own."""
        own = self._each.get(model)
        states = (self._whole.state, own.state if own is not None else "closed")
        return next((state for state in ("open", "half_open") if state in states), "closed")

    def seen(self) -> None:
        """The provider was looked at and is there: its own breaker may try again before its wait is over."""
        self._whole.try_soon()

    def check(self, model: str) -> None:
        """Fail at once where a call would not be let pass now.

        Raises:
            CircuitOpenError: with the seconds until one may be.
        """
        breaker = self._refusing(model)
        if breaker is not None:
            raise self._refused(model, breaker)

    def refuses(self, model: str) -> bool:
        """Whether a call would not be let pass now: left alone, or tried by somebody else at this moment."""
        return self._refusing(model) is not None

    def _refusing(self, model: str) -> Breaker | None:
        for breaker in (self._whole, self._each.get(model)):
            if breaker is not None and breaker.retry_after_s is not None:
                return breaker
        return None

    def admit(self, model: str) -> Admission:
        """Let one call pass.

        Raises:
            CircuitOpenError: with the seconds until one may be.
        """
        whole = self._whole.admit()
        if whole is None:
            raise self._refused(model, self._whole)
        one = self._of(model).admit()
        if one is None:
            whole.released()
            raise self._refused(model, self._of(model))
        return Admission(whole, one)

    def _of(self, model: str) -> Breaker:
        found = self._each.get(model)
        if found is None:
            found = self._each[model] = self._new(model)
        return found

    def _new(self, model: str) -> Breaker:
        def changed(before: BreakerState, after: BreakerState) -> None:
            self._on_event(
                ProviderEvent(kind="breaker", provider=self._provider, model=model, before=before, after=after)
            )

        return Breaker(self._settings, now=self._now, on_change=changed)

    def _refused(self, model: str, breaker: Breaker) -> CircuitOpenError:
        whose = "the provider" if breaker is self._whole else "it"
        after_s = breaker.retry_after_s or 0.0
        return CircuitOpenError(
            f"{whose} kept failing and is left alone for another {after_s:.3g} s",
            provider=self._provider,
            model=model,
            retry_after_s=round(after_s, 3),
        )
