"""The words in which OpenAI's own API refuses and fails; servers that only speak it have their own."""

from __future__ import annotations

from typing import Any, Final

from turnout.emulators.api_error import ApiError
from turnout.emulators.faults import FaultName
from turnout.emulators.openai_checks import invalid

_RETRY: Final = (
    "You can retry your request, or contact us through our help center at help.openai.com if the error persists."
)


class OpenAIErrors:
    """Every error that is not about one field of a request."""

    def error(self, error: ApiError) -> Any:
        """The body of an error."""
        fields = {"message": error.message, "type": error.type, "param": error.param, "code": error.code}
        return {"error": fields}

    def stream_error(self, message: str) -> Any:
        """What a stream says when it fails after it has begun."""
        return self.error(ApiError(500, message, type="server_error"))

    def fault(self, fault: FaultName, model: str | None) -> ApiError:
        """An error that was switched on."""
        match fault:
            case FaultName.BUSY_429:
                message = (
                    f"Rate limit reached for {model} in organization org-emulated on tokens per min (TPM): Limit 30000, "
                    "Used 29874, Requested 1200. Please try again in {wait}s. "
                    "Visit https://platform.openai.com/account/rate-limits to learn more."
                )
                return ApiError(429, message, type="tokens", code="rate_limit_exceeded")
            case FaultName.BUSY_503:
                message = f"The server is currently overloaded with other requests. Sorry about that! {_RETRY}"
                return ApiError(503, message, type="service_unavailable_error", code="server_is_overloaded")
            case FaultName.UNAUTHORIZED:
                return self.refused_key("sk-emulated")
            case FaultName.NOT_FOUND:
                return self.no_model(model or "")
            case FaultName.LOAD_FAILED:
                return ApiError(500, f"Failed to load model '{model}'", type="server_error")
            case _:
                message = f"The server had an error while processing your request. Sorry about that! {_RETRY}"
                return ApiError(500, message, type="server_error")

    def refused_key(self, given: str) -> ApiError:
        """A key that is missing (empty) or wrong."""
        if not given:
            message = (
                "You didn't provide an API key. You need to provide your API key in an Authorization header using "
                "Bearer auth (i.e. Authorization: Bearer YOUR_KEY)."
            )
            return ApiError(401, message, type="invalid_request_error")
        where = "You can find your API key at https://platform.openai.com/account/api-keys."
        message = f"Incorrect API key provided: {given[:8]}***. {where}"
        return ApiError(401, message, type="invalid_request_error", code="invalid_api_key")

    def no_model(self, name: str) -> ApiError:
        """A model that is not served."""
        message = f"The model `{name}` does not exist or you do not have access to it."
        return ApiError(404, message, type="invalid_request_error", code="model_not_found")

    def bad_body(self, why: str | None) -> ApiError:
        """A body that is no JSON, or (None) no JSON object."""
        del why
        return invalid("We could not parse the JSON body of your request. The OpenAI API expects a JSON payload.")

    def model_missing(self) -> ApiError:
        """A body that names no model."""
        return invalid("you must provide a model parameter")

    def unmatched(self, method: str, path: str, status: int) -> ApiError:
        """An unknown path or a wrong method."""
        if status == 405:
            hint = "(HINT: Perhaps you meant to use a different HTTP method?)"
            return ApiError(405, f"Not allowed to {method} on {path}. {hint}", type="invalid_request_error")
        return ApiError(status, f"Invalid URL ({method} {path})", type="invalid_request_error")

    def not_embedding(self) -> ApiError:
        """A chat model that was asked for vectors."""
        return ApiError(403, "You are not allowed to generate embeddings from this model", type="invalid_request_error")

    def bad_input(self) -> ApiError:
        """Nothing to embed, or something that is no text."""
        return invalid(
            "'$.input' is invalid. Please check the API reference: https://platform.openai.com/docs/api-reference."
        )

    def input_too_long(self, tokens: int, context: int) -> ApiError:
        """A text that is too long to embed."""
        told = f"however you requested {tokens} tokens ({tokens} in your prompt; 0 for the completion)."
        limit = f"This model's maximum context length is {context} tokens"
        return invalid(f"{limit}, {told} Please reduce your prompt; or completion length.")

    def input_limit(self, context: int) -> int:
        """The most tokens of one text to embed."""
        return context
