"""The tree of errors; catch broad or narrow.

TurnoutError
├── RequestError            what the caller asked cannot be routed
│   ├── NoCandidateError        no candidate can serve it; `excluded` holds each one's reason
│   └── NotYoursError           it is about an answer that was given to another caller
├── NoAnswerError           every attempt failed, or the deadline passed; `failures` tells each
├── BrokenAnswerError       an answer failed after its first content was handed out
├── ConfigurationError      a configuration file, profile or variable is wrong
├── DataError               an outcome table breaks its contract
│   └── TooFewRowsError     a valid table, but not enough of it for what was asked
├── ArtifactError           a predictor on disk cannot be trusted
│   ├── ArtifactMissingError
│   ├── ArtifactCorruptError
│   └── ArtifactMismatchError
├── MissingExtraError       the operation needs an optional dependency that is not installed
├── HistoryError            the history cannot be opened, read or changed as asked
├── TrainingBusyError       another training of the same predictors is under way
└── ProviderError           one attempt failed; carries provider, model, retryable, retry_after_s, partial_text
    ├── UnreachableError        nothing answers at the address, or the connection broke before an answer began
    ├── AuthenticationError     the provider refuses the key, or the account behind it
    ├── NotFoundError           the provider has no such language model or endpoint
    ├── NotLoadedError          the language model is not in memory, or is still being loaded
    │   └── WrongModelError         another language model answered than the one asked for
    ├── LoadFailedError         the language model could not be brought into memory
    ├── ContextOverflowError    prompt and answer do not fit the context window, or the provider cut the prompt
    ├── BadRequestError         the provider cannot do what was asked
    ├── BusyError               no slot or no quota now
    │   ├── QueueFullError          refused here: too many requests wait already, or the deadline passed in the queue
    │   └── CircuitOpenError        refused here: the breaker is open
    ├── ProviderTimeoutError    a time limit passed; `phase` says which
    ├── IncompleteError         the answer has no proven end
    └── InternalError           the provider failed inside

Messages say what is wrong, where, and what to do about it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar


class TurnoutError(Exception):
    """Base of every error that Turnout raises on purpose."""


class RequestError(TurnoutError):
    """The request itself is unusable: no message, a wrong type, an unknown preference."""


_NOBODY = "none is known: name language models in the configuration, or let the providers be asked (--live)"


class NoCandidateError(RequestError):
    """No candidate can serve the request; `excluded` maps each candidate to its reason."""

    def __init__(self, excluded: Mapping[str, str]) -> None:
        self.excluded = dict(excluded)
        told = "; ".join(f"{name}: {reason}" for name, reason in self.excluded.items())
        super().__init__(f"no candidate can serve this ({told or _NOBODY})")


class NotYoursError(RequestError):
    """Somebody speaks of an answer that was given to another caller."""


class NoAnswerError(TurnoutError):
    """Every attempt failed, or the deadline passed before one succeeded.

    `failures` holds candidate, code and message of each attempt in order; `deadline_passed` says that time ran out.
    `decision` is the id under which the request is in the history.
    """

    code: ClassVar[str] = "no_answer"

    def __init__(
        self, failures: Sequence[tuple[str, str, str]], *, deadline_passed: bool = False, decision: str = ""
    ) -> None:
        self.failures = tuple(failures)
        self.deadline_passed = deadline_passed
        self.decision = decision
        told = "; ".join(f"{candidate}: {message} ({code})" for candidate, code, message in self.failures)
        why = "the deadline passed" if deadline_passed else "every attempt failed"
        super().__init__(f"no answer: {why} ({told or 'nobody was asked'})")


class BrokenAnswerError(TurnoutError):
    """An answer failed after its first content was handed out, where no other candidate can take over.

    `partial_text` is what was handed out; `cause` the error of the attempt.
    """

    code: ClassVar[str] = "broken_answer"

    def __init__(self, cause: ProviderError, *, partial_text: str, decision: str = "") -> None:
        self.cause = cause
        self.partial_text = partial_text
        self.decision = decision
        super().__init__(f"the answer broke off after {len(partial_text)} characters: {cause}")


class ConfigurationError(TurnoutError, ValueError):
    """A configuration value is missing, unknown, of the wrong type or out of range."""


class DataError(TurnoutError):
    """An outcome table breaks its contract; the message names file, column and row."""


class TooFewRowsError(DataError):
    """The table is valid but has fewer prompts, groups or candidates than the operation needs."""


class ArtifactError(TurnoutError):
    """A predictor folder cannot be served; the message names the file and the reason."""


class ArtifactMissingError(ArtifactError):
    """The folder or one of its files does not exist."""


class ArtifactCorruptError(ArtifactError):
    """A file is truncated, altered or not in the expected form."""


class ArtifactMismatchError(ArtifactError):
    """The artifact was made for other features or by an unknown format version."""


class MissingExtraError(TurnoutError):
    """An optional dependency is needed; the message names the extra to install."""

    def __init__(self, extra: str, purpose: str) -> None:
        self.extra = extra
        super().__init__(f"{purpose} needs the extra '{extra}': pip install 'turnout[{extra}]'")


class HistoryError(TurnoutError):
    """The history cannot be opened, read or changed as asked; recording never raises it."""


class TrainingBusyError(TurnoutError):
    """Another training writes into the same folder of predictors."""


class ProviderError(TurnoutError):
    """One attempt failed.

    `code` is stable and loggable. `retryable` says whether the same call to the same candidate may succeed soon;
    `retry_after_s` is when, if anybody knows. `partial_text` is what had arrived before the failure.
    """

    code: ClassVar[str] = "provider_error"
    retryable: bool = False

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        model: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        partial_text: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.model = model
        self.status = status
        self.retry_after_s = retry_after_s
        self.partial_text = partial_text

    @property
    def candidate(self) -> str:
        """The candidate that was asked, `provider/model`."""
        return f"{self.provider}/{self.model}" if self.model else self.provider

    def __str__(self) -> str:
        return f"{self.candidate}: {self.message}" if self.provider else self.message


class UnreachableError(ProviderError):
    """Nothing answers at the address, or the connection broke before an answer began."""

    code = "unreachable"
    retryable = True


class AuthenticationError(ProviderError):
    """The provider refuses the key, or the account behind it."""

    code = "authentication"


class NotFoundError(ProviderError):
    """The provider has no such language model or endpoint."""

    code = "not_found"


class NotLoadedError(ProviderError):
    """The language model is not in memory, or is still being loaded."""

    code = "not_loaded"
    retryable = True


class WrongModelError(NotLoadedError):
    """Another language model answered than the one asked for; its text is in `partial_text`."""

    code = "wrong_model"

    def __init__(self, answered: str, *, provider: str, model: str, partial_text: str = "") -> None:
        self.answered = answered
        super().__init__(
            f"{answered} answered instead; is {model} loaded and its name spelled as the provider lists it?",
            provider=provider,
            model=model,
            partial_text=partial_text,
        )


class LoadFailedError(ProviderError):
    """The language model could not be brought into memory."""

    code = "load_failed"
    retryable = True


class ContextOverflowError(ProviderError):
    """Prompt and answer do not fit the context window, or the provider cut the prompt in silence."""

    code = "context_overflow"


class BadRequestError(ProviderError):
    """The provider cannot do what was asked: a parameter, a capability, a picture's format."""

    code = "bad_request"


class BusyError(ProviderError):
    """No slot or no quota now."""

    code = "busy"
    retryable = True


class QueueFullError(BusyError):
    """Refused here: too many requests wait already, or the deadline passed in the queue."""

    code = "queue_full"
    retryable = False


class CircuitOpenError(BusyError):
    """Refused here: the breaker is open until `retry_after_s` from now."""

    code = "circuit_open"
    retryable = False


class ProviderTimeoutError(ProviderError):
    """A time limit passed. `phase`: load, first_token, chunk, begin (the caller's patience), total,
    or provider (it gave up itself)."""

    code = "timeout"

    def __init__(
        self, message: str, *, phase: str, provider: str = "", model: str = "", partial_text: str = ""
    ) -> None:
        self.phase = phase
        super().__init__(message, provider=provider, model=model, partial_text=partial_text)


class IncompleteError(ProviderError):
    """The answer has no proven end: the stream broke, its last frame is missing, or it cannot be read."""

    code = "incomplete"


class InternalError(ProviderError):
    """The provider failed inside."""

    code = "internal"
