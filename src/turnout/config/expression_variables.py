"""What a condition can ask about: the variables with type and meaning, older spellings, and samples to try conditions on."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import Any, Final, Literal

from turnout.types import COMPLEXITIES, PREFERENCES, TASK_TYPES, TIERS

MAX_ENTRIES: Final = 64
"""A list or map that callers fill has at most this many entries; facts leave the rest away."""

MAX_TEXT: Final = 256
"""Text that callers give has at most this many characters; facts leave the rest away."""

KEYWORDS: Final[Mapping[str, str]] = {
    "algorithm": "algorithm algorithms",
    "api": "api apis endpoint endpoints",
    "architecture": "architecture architectural architectures",
    "authentication": "authentication authenticate auth login oauth oidc sso",
    "authorization": "authorization authorisation permission permissions rbac acl",
    "bug": "bug bugs buggy",
    "cache": "cache caches cached caching",
    "comment": "comment comments commented",
    "commit": "commit commits committed",
    "compliance": "compliance gdpr hipaa pci soc2",
    "concurrency": "concurrency concurrent concurrently threadsafe mutex",
    "crash": "crash crashes crashed crashing segfault panic",
    "database": "database databases db postgres postgresql mysql sqlite mongodb",
    "deadlock": "deadlock deadlocks deadlocked",
    "debug": "debug debugs debugging debugged",
    "deploy": "deploy deploys deployed deploying deployment deployments",
    "design": "design designs designed designing",
    "docker": "docker dockerfile container containers compose",
    "documentation": "documentation document documents docs docstring docstrings readme",
    "encryption": "encryption encrypt encrypts encrypted decrypt decryption tls ssl",
    "error": "error errors exception exceptions traceback stacktrace",
    "explain": "explain explains explained explanation",
    "format": "format formats formatted formatting reformat prettier",
    "kubernetes": "kubernetes k8s helm kubectl",
    "leak": "leak leaks leaked leaking",
    "license": "license licenses licence licences",
    "lint": "lint linter linting eslint ruff pylint",
    "migration": "migration migrations migrate migrates migrated migrating",
    "optimize": "optimize optimizes optimized optimise optimised optimization optimisation",
    "performance": "performance latency throughput slow slower bottleneck profiling",
    "plan": "plan plans planned planning roadmap",
    "production": "production prod outage incident",
    "prove": "prove proves proof theorem",
    "race": "race races racy",
    "refactor": "refactor refactors refactored refactoring",
    "regex": "regex regexp regexes",
    "rename": "rename renames renamed renaming",
    "review": "review reviews reviewed reviewing",
    "security": "security secure insecure vulnerability vulnerabilities vulnerable exploit xss csrf sqli injection cve",
    "summarize": "summarize summarise summary summaries",
    "test": "test tests tested testing unittest unittests pytest jest",
    "translate": "translate translates translated translation",
    "typo": "typo typos spelling misspelled",
}
"""Keyword, and the forms in which it is found."""

LANGUAGES: Final[Mapping[str, str]] = {
    "c": "",
    "cpp": "c++ cpp cxx hpp",
    "csharp": "c# csharp cs dotnet",
    "css": "css scss sass",
    "dart": "dart flutter",
    "elixir": "elixir exs",
    "go": "golang",
    "haskell": "haskell",
    "html": "html",
    "java": "java",
    "javascript": "javascript js jsx mjs",
    "json": "json",
    "kotlin": "kotlin kt",
    "lua": "lua",
    "php": "php",
    "python": "python python3 py pyi",
    "r": "rstats",
    "ruby": "ruby rb",
    "rust": "rust rs",
    "scala": "scala",
    "shell": "bash sh zsh shell powershell",
    "sql": "sql",
    "swift": "swift",
    "typescript": "typescript ts tsx",
    "yaml": "yaml yml",
}
"""Language, and the words that name it; its own name counts behind a code fence too (```go)."""


@dataclass(frozen=True, slots=True)
class Variable:
    """One variable. `values` are all that a text, or an entry of a list, can be; `fields` those of a map.

    A `named` map has entries of their own names, and the fields are those of each entry.
    """

    type: Literal["text", "number", "list", "map"]
    meaning: str
    values: tuple[str, ...] = ()
    fields: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    named: bool = False


VARIABLES: Final[Mapping[str, Variable]] = {
    "task_type": Variable("text", "what kind of work it is", TASK_TYPES),
    "complexity": Variable("text", "how hard it is", COMPLEXITIES),
    "complexity_score": Variable("number", "how hard it is, 0 to 10"),
    "tier": Variable("text", "the tier that it needs", TIERS),
    "tier_score": Variable("number", "probability that it needs the strong tier, 0 to 1"),
    "files": Variable("number", "files that the request is about"),
    "tools": Variable("number", "tools that the language model may call"),
    "images": Variable("number", "pictures in all messages"),
    "turns": Variable("number", "messages of the user"),
    "prompt_tokens": Variable("number", "likely tokens of the whole request"),
    "prompt_chars": Variable("number", "characters of the last message of the user"),
    "languages": Variable("list", "programming languages named in the prompt", tuple(LANGUAGES)),
    "keywords": Variable("list", "what the prompt talks about", tuple(KEYWORDS)),
    "preference": Variable("text", "fast, balanced, quality, or the number that the caller gave", PREFERENCES),
    "conversation": Variable(
        "map",
        "the conversation that the request goes on with",
        fields={
            "present": "whether the caller named one",
            "turns": "turns of it that were answered here",
            "candidate": "who answered the last one; empty for nobody",
        },
    ),
    "header": Variable("map", "hints of the caller: names in lower case with underscores, texts", named=True),
    "hour": Variable("number", "hour of the day here, 0 to 23"),
    "secrets": Variable("list", "kinds of secrets and own patterns found in the request"),
    "provider": Variable(
        "map",
        "each provider by name",
        fields={
            "available": "whether it answers",
            "healthy": "whether it answers and one of its candidates can be asked now",
            "loaded": "names of its language models that are in memory",
            "running": "requests that run there",
            "waiting": "requests that wait for it",
        },
        named=True,
    ),
    "candidate": Variable(
        "map",
        "each candidate by name, provider/model",
        fields={
            "available": "whether it can be asked now",
            "loaded": "whether it is in memory",
            "remote": "whether prompts leave the machine",
            "breaker": "closed, open or half_open",
            "running": "requests that it works on",
            "waiting": "requests that wait for it",
        },
        named=True,
    ),
    "resources": Variable(
        "map",
        "what this machine has free; a field that cannot be told is absent",
        fields={
            "ram_free_mb": "MiB of main memory",
            "vram_free_mb": "MiB of graphics memory",
            "cpu_percent": "busy share of all cores, 0 to 100",
        },
    ),
    "confidence": Variable("number", "probability of success of the predictor's choice; such rules serve after it"),
    "margin": Variable("number", "how far its choice is ahead, in utility; such rules serve after it"),
}

ALIASES: Final[Mapping[str, str]] = {
    "taskType": "task_type",
    "taskComplexity": "complexity",
    "complexityScore": "complexity_score",
    "tierScore": "tier_score",
    "fileCount": "files",
    "filesCount": "files",
    "toolCount": "tools",
    "imageCount": "images",
    "turnCount": "turns",
    "promptTokens": "prompt_tokens",
    "tokenCount": "prompt_tokens",
    "promptChars": "prompt_chars",
    "promptLength": "prompt_chars",
    "headers": "header",
    "providers": "provider",
    "candidates": "candidate",
}
"""Spellings of the older system and slips of the pen, and what they mean."""

AFTER_PREDICTION: Final = frozenset({"confidence", "margin"})
"""Variables that are known only when the predictor has spoken."""


def samples(
    variables: Collection[str],
    entries: Mapping[str, Collection[str]],
    literals: Mapping[str, Collection[str]],
    known: Mapping[str, Collection[str]],
) -> Iterator[dict[str, Any]]:
    """Values of the named variables as requests may have them; the first are as large as they get.

    Args:
        variables: which ones.
        entries: names that the condition asks its maps for.
        literals: what the condition compares each variable with; a sample for each, so that everything is reached.
        known: providers and candidates.
    """
    for size, number in ((MAX_ENTRIES, 10_000), (2, 1), (0, 0)):
        sample = {name: _sample(name, size, number, entries, literals, known) for name in variables}
        yield sample
    for values in zip_longest(*literals.values()):
        chosen = dict(zip(literals, values, strict=True))
        single = {name: value for name, value in chosen.items() if value is not None and VARIABLES[name].type == "text"}
        if single:
            yield {name: _sample(name, 2, 1, entries, literals, known) for name in variables} | single


def _sample(
    name: str,
    size: int,
    number: int,
    entries: Mapping[str, Collection[str]],
    literals: Mapping[str, Collection[str]],
    known: Mapping[str, Collection[str]],
) -> Any:
    about = VARIABLES[name]
    if about.type == "number":
        return number / 2 if name.endswith("_score") or name in AFTER_PREDICTION else number
    if about.type == "text":
        return 0.15 if name == "preference" and size == 2 else about.values[-1 if size else 0]
    if about.type == "list":
        found = [*about.values, *(literals.get(name, ()) if not about.values else ())]
        return (found + [f"{name}_{index}" for index in range(size)])[:size]
    if not about.named:
        return {key: _field(name, key, number) for key in about.fields}
    asked = [*entries.get(name, ()), *known.get(name, ())]
    names = dict.fromkeys([*asked, *(f"{name}_{index}" for index in range(size - len(asked)))])
    if not about.fields:
        return dict.fromkeys(names, {MAX_ENTRIES: "x" * MAX_TEXT, 2: "1"}.get(size, ""))
    return {entry: {key: _field(name, key, number) for key in about.fields} for entry in names}


def _field(owner: str, key: str, number: int) -> Any:
    if key == "loaded" and owner == "provider":
        return ["a language model"] * min(number, 4)
    if key in ("available", "healthy", "loaded", "present", "remote"):
        return number > 0
    return {"breaker": "closed", "candidate": ""}.get(key, number)
