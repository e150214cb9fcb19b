"""Which candidates can serve a request at all; who cannot keeps the reason. What nobody knows excludes nobody."""

from __future__ import annotations

from dataclasses import dataclass

from turnout.policy.candidates import Candidate, Needs
from turnout.types import CandidateState

_TOLD = {"tools": "cannot call tools", "vision": "cannot see pictures", "json_schema": "cannot follow a JSON schema"}
_CHAT_ONLY = frozenset({"chat"})


@dataclass(frozen=True, slots=True)
class Abilities:
    """What one candidate can do now. None where nobody knows.

    `problem` is why it cannot be asked, in words, or empty; `leaves` says that prompts leave this machine; `window` is in
    tokens.
    """

    problem: str
    leaves: bool
    capabilities: frozenset[str] | None
    window: int | None

    @staticmethod
    def of(candidate: Candidate, state: CandidateState | None) -> Abilities:
        """As configured, else as its provider tells; `state` is None where nothing watches it."""
        model = state.model if state is not None else None
        known = candidate.capabilities
        # A provider that says no more than "chat" has not said what else it can do; a configuration has.
        if known is None and model is not None and model.capabilities not in (_CHAT_ONLY, frozenset()):
            known = model.capabilities
        window = candidate.context_length
        if window is None and model is not None:
            window = model.loaded_context_length or model.context_length
        leaves = not candidate.local or (model is not None and model.remote)
        return Abilities(state.problem if state is not None else "", leaves, known, window)

    def obstacle(self, needs: Needs, require_local: bool = False) -> str:
        """Why the candidate cannot serve, in words; empty where it can.

        Args:
            needs: of the request.
            require_local: whether the prompt must stay on this machine.
        """
        if require_local and self.leaves:
            return "the prompt has to stay on this machine"
        if self.problem:
            return self.problem
        if needs.capabilities and self.capabilities is not None:
            for capability in sorted(needs.capabilities - self.capabilities):
                return _TOLD[capability]
        if self.window is None or needs.prompt_tokens + needs.answer_tokens < self.window:
            return ""
        return _too_long(needs, self.window)


def _too_long(needs: Needs, window: int) -> str:
    """Why prompt and answer do not fit a window that is not much larger, in words; empty where they do."""
    if needs.least_prompt_tokens >= window:
        return f"its window of {window} tokens is too small for a prompt of at least {needs.least_prompt_tokens}"
    answer_tokens = round(needs.allowed(needs.answer_tokens))
    if needs.prompt_tokens + min(answer_tokens, window // 4) > window:
        return f"prompt and answer of about {needs.prompt_tokens + answer_tokens} tokens do not fit {window}"
    return ""
