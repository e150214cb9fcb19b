"""Any server that speaks OpenAI's chat completions: OpenAI's cloud, llama.cpp or vLLM, each with its own habits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Final

from turnout.emulators.openai_dialect import OpenAIDialect
from turnout.emulators.openai_emulator import OpenAIEmulator, OpenAIOptions
from turnout.emulators.openai_llamacpp import LlamaCppDialect
from turnout.emulators.openai_vllm import VllmDialect
from turnout.emulators.server import EmulatorOptions
from turnout.errors import ConfigurationError

__all__ = ["DIALECTS", "OpenAIEmulator", "OpenAIOptions", "make"]

DIALECTS: Final[Mapping[str, type[OpenAIDialect]]] = {
    dialect.name: dialect for dialect in (OpenAIDialect, LlamaCppDialect, VllmDialect)
}
"""What `server` may be."""


def make(options: EmulatorOptions) -> OpenAIEmulator:
    """A server of the kind that `OpenAIOptions.server` names; OpenAI's cloud without it.

    Raises:
        ConfigurationError: there is no such kind.
    """
    if not isinstance(options, OpenAIOptions):
        options = OpenAIOptions(**{field.name: getattr(options, field.name) for field in fields(options)})
    if options.server not in DIALECTS:
        raise ConfigurationError(f"there is no server {options.server!r}; valid are {', '.join(DIALECTS)}")
    return OpenAIEmulator(options, DIALECTS[options.server]())
