"""Errors that a provider answers with, before a dialect words them."""

from __future__ import annotations

from collections.abc import Mapping

from turnout.emulators.faults import FaultName


class ApiError(Exception):
    """An error of the provider, to be worded in its dialect. Raise it before a stream has begun."""

    def __init__(
        self,
        status: int,
        message: str,
        *,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.type = type
        self.code = code
        self.param = param
        self.headers = dict(headers or {})


def openai_fault_error(fault: FaultName, model: str | None) -> ApiError:
    """An error that was switched on, in the words that OpenAI has for it."""
    match fault:
        case FaultName.BUSY_429:
            return ApiError(429, "Rate limit reached, please try again later", type="rate_limit_error")
        case FaultName.BUSY_503:
            return ApiError(503, "The server is overloaded, please try again later", type="server_error")
        case FaultName.UNAUTHORIZED:
            return ApiError(401, "Incorrect API key provided", type="invalid_request_error", code="invalid_api_key")
        case FaultName.NOT_FOUND:
            message = f"The model '{model}' does not exist"
            return ApiError(404, message, type="invalid_request_error", code="model_not_found")
        case FaultName.LOAD_FAILED:
            return ApiError(500, f"Failed to load model '{model}'", type="server_error")
        case _:
            return ApiError(500, "The server had an error while processing the request", type="server_error")
