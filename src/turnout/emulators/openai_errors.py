"""The words in which OpenAI's own API, llama.cpp's server and vLLM refuse and fail."""

from __future__ import annotations

from typing import Any, Final

from turnout.emulators.api_error import ApiError
from turnout.emulators.faults import FaultName
from turnout.emulators.openai_checks import invalid

_RETRY: Final = (
    "You can retry your request, or contact us through our help center at help.openai.com if the error persists."
)
_PHYSICAL_BATCH: Final = 512


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


class LlamaCppErrors(OpenAIErrors):
    """llama.cpp's server: the code is the status again, and the types are its own."""

    def error(self, error: ApiError) -> Any:
        status = int(error.code) if error.code else error.status
        counts = getattr(error, "counts", {})
        return {"error": {"code": status, "message": error.message, "type": error.type, **counts}}

    def fault(self, fault: FaultName, model: str | None) -> ApiError:
        match fault:
            case FaultName.BUSY_429:  # never its own; of a proxy in front of it
                return ApiError(429, "Too many requests", type="unavailable_error", code="429")
            case FaultName.BUSY_503:
                return ApiError(503, "Loading model", type="unavailable_error", code="503")
            case FaultName.UNAUTHORIZED:
                return self.refused_key("")
            case FaultName.NOT_FOUND:
                return ApiError(400, f"model '{model}' not found", type="invalid_request_error", code="400")
            case FaultName.LOAD_FAILED:
                return ApiError(500, f"model name={model} failed to load", type="server_error", code="500")
            case _:
                return ApiError(500, "Compute error.", type="server_error", code="500")

    def refused_key(self, given: str) -> ApiError:
        del given
        return ApiError(401, "Invalid API Key", type="authentication_error")

    def bad_body(self, why: str | None) -> ApiError:
        told = f"parse error at line 1, column 1: syntax error while parsing value - {why or 'not an object'}"
        return ApiError(400, f"[json.exception.parse_error.101] {told}", type="invalid_request_error")

    def unmatched(self, method: str, path: str, status: int) -> ApiError:
        del method, path, status  # a wrong method is not found either
        return ApiError(404, "File Not Found", type="not_found_error")

    def not_embedding(self) -> ApiError:
        message = "This server does not support embeddings. Start it with `--embeddings`"
        return ApiError(501, message, type="not_supported_error")

    def bad_input(self) -> ApiError:
        return ApiError(400, '"input" or "content" must be provided', type="invalid_request_error")

    def input_too_long(self, tokens: int, context: int) -> ApiError:
        message = (
            f"input ({tokens} tokens) is too large to process. "
            f"increase the physical batch size (current batch size: {context})"
        )
        return ApiError(500, message, type="server_error")

    def input_limit(self, context: int) -> int:
        return min(context, _PHYSICAL_BATCH)


class VllmErrors(OpenAIErrors):
    """vLLM: types are names of Python's exceptions, the code is the status again."""

    def error(self, error: ApiError) -> Any:
        if error.status == 401:  # from a layer in front of the API
            return {"error": "Unauthorized"}
        status = int(error.code) if error.code else error.status
        fields = {"message": error.message, "type": error.type, "param": error.param, "code": status}
        return {"error": fields}

    def stream_error(self, message: str) -> Any:
        return self.error(ApiError(500, message, type="InternalServerError"))

    def fault(self, fault: FaultName, model: str | None) -> ApiError:
        match fault:
            case FaultName.BUSY_429:
                return ApiError(429, "Too Many Requests", type="Too Many Requests", code="429")
            case FaultName.BUSY_503:
                return ApiError(503, "Service Unavailable", type="Service Unavailable", code="503")
            case FaultName.UNAUTHORIZED:
                return self.refused_key("")
            case FaultName.NOT_FOUND:
                return self.no_model(model or "")
            case FaultName.LOAD_FAILED:
                return ApiError(500, f"Failed to load model '{model}'", type="InternalServerError", code="500")
            case _:
                return ApiError(500, "Internal server error", type="InternalServerError", code="500")

    def refused_key(self, given: str) -> ApiError:
        del given
        return ApiError(401, "Unauthorized")

    def no_model(self, name: str) -> ApiError:
        return ApiError(404, f"The model `{name}` does not exist.", type="NotFoundError", param="model")

    def bad_body(self, why: str | None) -> ApiError:
        kind = "json_invalid" if why else "model_attributes_type"
        told = f"JSON decode error: {why}" if why else "Input should be a valid dictionary"
        return ApiError(400, f"[{{'type': '{kind}', 'loc': ('body',), 'msg': '{told}'}}]", type="Bad Request")

    def unmatched(self, method: str, path: str, status: int) -> ApiError:
        del method, path
        told = {404: "Not Found", 405: "Method Not Allowed"}.get(status, "Bad Request")
        return ApiError(status, told, type=told)

    def not_embedding(self) -> ApiError:
        return ApiError(400, "The model does not support Embeddings API", type="BadRequestError")

    def bad_input(self) -> ApiError:
        told = "[{'type': 'missing', 'loc': ('body', 'input'), 'msg': 'Field required'}]"
        return ApiError(400, told, type="Bad Request")

    def input_too_long(self, tokens: int, context: int) -> ApiError:
        message = (
            f"This model's maximum context length is {context} tokens. However, you requested 0 output tokens and your "
            f"prompt contains at least {tokens} input tokens, for a total of at least {tokens} tokens. Please reduce "
            f"the length of the input prompt or the number of requested output tokens. "
            f"(parameter=input_tokens, value={tokens})"
        )
        return ApiError(400, message, type="BadRequestError", param="input_tokens")
