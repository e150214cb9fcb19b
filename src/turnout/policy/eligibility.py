"""Which candidates can serve a request at all; who cannot keeps the reason. What nobody knows excludes nobody."""

from __future__ import annotations

from turnout.policy.candidates import Candidate, Needs
from turnout.types import CandidateState

_TOLD = {"tools": "cannot call tools", "vision": "cannot see pictures", "json_schema": "cannot follow a JSON schema"}
_CHAT_ONLY = frozenset({"chat"})


def obstacle(
    candidate: Candidate,
    state: CandidateState | None,
    needs: Needs,
    *,
    require_local: bool = False,
) -> str:
    """Why a candidate cannot serve, in words; empty where it can.

    Args:
        candidate: as configured.
        state: as last seen; None where nothing watches it.
        needs: of the request.
        require_local: whether the prompt must stay on this machine.
    """
    model = state.model if state is not None else None
    if require_local and (not candidate.local or (model is not None and model.remote)):
        return "the prompt has to stay on this machine"
    if state is not None and state.problem:
        return state.problem
    known = candidate.capabilities
    # A provider that says no more than "chat" has not said what else it can do; a configuration has.
    if known is None and model is not None and model.capabilities not in (_CHAT_ONLY, frozenset()):
        known = model.capabilities
    if needs.capabilities and known is not None:
        for capability in sorted(needs.capabilities - known):
            return _TOLD[capability]
    window = candidate.context_length
    if window is None and model is not None:
        window = model.loaded_context_length or model.context_length
    if window is not None and needs.least_prompt_tokens >= window:
        return f"its window of {window} tokens is too small for a prompt of at least {needs.least_prompt_tokens}"
    if window is not None and needs.prompt_tokens + min(needs.allowed_tokens, window // 4) > window:
        return f"prompt and answer of about {needs.prompt_tokens + needs.allowed_tokens} tokens do not fit {window}"
    return ""
