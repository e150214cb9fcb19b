"""Files of the older system are understood, with a note for every key that has another name today."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from turnout.config.loader import Loaded
from turnout.config.problems import Problem
from turnout.config.schema import provider_settings

OLD = """
hybrid:
  enabled: true
  defaultProvider: auto
  escalationThreshold: 0.7
  confidenceScoring: true
  learningEnabled: false
lmStudio:
  endpoint: http://localhost:1234
  models: [google/gemma-3-12b]
  taskTypes: [template, boilerplate, quick-fixes, unheard-of]
  streamingEnabled: false
  maxConcurrent: 3
  timeout: 180000
  performance: {gpuLayers: -1, maxLoadedModels: 2, streamTimeout: 30000}
ollama:
  endpoint: http://localhost:11434
  enabled: true
  maxConcurrent: 1
  environment: {OLLAMA_NUM_GPU: "0"}
routing:
  escalationThreshold: 0.95
  rules:
    - condition: taskType == 'template'
      target: lmstudio
      confidence: 0.9
      description: Templates are fast
    - {condition: context.length > 5, provider: lmStudio, priority: 5}
    - {condition: "taskType == 'planning' || taskType === 'security-review'", use: ollama}
performance: {metricsCollection: true, healthChecking: true, healthCheckInterval: 300000, autoOptimization: true,
  cacheEnabled: false, cacheDuration: 60000}
resources:
  memory: {maxUsagePercent: 80, gcThreshold: 75}
  vram: {enabled: true, reservedMB: 2048, swappingStrategy: intelligent}
  cpu: {maxUsagePercent: 70, threadPoolSize: 4}
fallback:
  autoFallback: true
  retryAttempts: 3
  retryDelay: 10000
  circuitBreaker: {enabled: true, failureThreshold: 30, recoveryTimeout: 300000}
development: {detailedLogging: false, logRoutingDecisions: true, debugMode: true, saveMetrics: true, metricsFile: x}
"""


def test_a_whole_file_of_the_older_system_means_what_it_meant(read: Callable[..., Loaded]) -> None:
    configuration = read(OLD).configuration
    lmstudio, ollama = provider_settings(configuration)
    assert (lmstudio.name, lmstudio.base_url, list(lmstudio.models)) == (
        "lmstudio",
        "http://localhost:1234",
        ["google/gemma-3-12b"],
    )
    assert (lmstudio.queue.max_concurrent, lmstudio.queue.max_resident) == (3, 2)
    assert (lmstudio.timeouts.total_s, lmstudio.timeouts.chunk_s) == (180, 30)
    assert ollama.queue.max_concurrent == 1
    assert configuration.hybrid.learning is False
    escalation = configuration.routing.escalation
    assert (escalation.threshold, escalation.max_threshold, escalation.min_threshold) == (0.95, 0.95, 0.5)
    assert configuration.performance.health.interval_s == 300
    assert (configuration.performance.cache.exact.enabled, configuration.performance.cache.exact.ttl_s) == (False, 60)
    resources = configuration.resources
    assert (resources.memory.max_percent, resources.vram.reserve_mb, resources.cpu.max_percent) == (80, 2048, 70)
    fallback = configuration.fallback
    assert (fallback.retry.retries, fallback.retry.base_s, fallback.retry.max_wait_s) == (3, 10, 10)
    assert (fallback.breaker.minimum_calls, fallback.breaker.window, fallback.breaker.open_s) == (30, 30, 300)
    assert (configuration.development.log_decisions, configuration.development.debug) == (True, True)


def test_rules_keep_their_conditions_and_go_by_priority(read: Callable[..., Loaded]) -> None:
    rules = read(OLD).configuration.routing.rules
    assert [(rule.when, rule.then.prefer.target if rule.then.prefer else ()) for rule in rules] == [
        ("files > 5", ("lmstudio",)),
        ("taskType == 'template'", ("lmstudio",)),
        ("taskType == 'planning' || 'security' in keywords", ("ollama",)),
        ("task_type == 'template' || task_type == 'edit'", ("lmstudio",)),
    ]
    template = rules[1]
    assert template.then.prefer is not None
    assert (template.name, template.description, template.then.prefer.confidence) == (
        "rule 1",
        "Templates are fast",
        0.9,
    )


def test_every_old_key_gets_a_note_with_its_line_and_the_new_name(read: Callable[..., Loaded]) -> None:
    notes = read(OLD).notes
    for words in (
        "f.yaml:8: lmStudio is now providers.lmstudio",
        "f.yaml:13: providers.lmstudio.maxConcurrent is now providers.lmstudio.queue.max_concurrent",
        "f.yaml:22: routing.escalationThreshold is now routing.escalation.threshold",
        "f.yaml:24: routing.rules[0].condition is now when",
        "f.yaml:28: routing.rules[1].condition is now when: files > 5",
        "f.yaml:5: hybrid.escalationThreshold is not needed: routing.escalationThreshold stands beside it",
        "f.yaml:6: hybrid.confidenceScoring is not needed: every answer is judged",
    ):
        assert words in notes, notes
    for line, text in enumerate(OLD.splitlines(), 1):
        if any(character.isupper() for character in text.partition(":")[0]):
            assert any(note.startswith(f"f.yaml:{line}:") for note in notes), text


def test_sections_under_hybrid_are_understood_too(read: Callable[..., Loaded]) -> None:
    configuration = read(
        "hybrid:\n  escalationThreshold: 0.6\n  lmStudio: {maxConcurrent: 2}\n"
        "  routing: {rules: [{if: \"complexity == 'complex'\", use: lmstudio}]}\n"
    ).configuration
    assert list(configuration.providers) == ["lmstudio"]
    assert configuration.routing.escalation.threshold == 0.6
    assert configuration.routing.rules[0].when == "complexity == 'complex'"


@pytest.mark.parametrize(
    ("text", "line", "path", "words"),
    [
        ("ollama:\n  maxConcurrent: many\n", 2, "providers.ollama.queue.max_concurrent", "expected a whole number"),
        ("ollama:\n  timeout: soon\n", 2, "providers.ollama.timeouts.total_s", "expected a number"),
        ("ollama:\n  maxConcurent: 1\n", 2, "providers.ollama.maxConcurent", "unknown key"),
        ("routing:\n  escalationThreshold: 1.4\n", 2, "routing.escalation.threshold", "at most 1"),
        ("routing:\n  rules:\n    - condition: files > 1\n      target: olama\n", 4, "routing.rules[0].then", "olama"),
        ("routing:\n  rules:\n    - condition: files > 1\n", 3, "routing.rules[0]", "needs the key then"),
        ("routing:\n  rules:\n    - target: ollama\n", 3, "routing.rules[0]", "needs the key when"),
        (
            "ollama:\n  maxConcurrent: 1\n  queue: {max_concurrent: 2}\n",
            2,
            "providers.ollama.queue.max_concurrent",
            "under its old name providers.ollama.maxConcurrent",
        ),
        ("providers: {ollama: }\nollama: {maxConcurrent: 1}\n", 2, "providers.ollama", "under its old name"),
    ],
)
def test_mistakes_in_old_keys_are_told_at_their_line(
    refused: Callable[..., tuple[Problem, ...]], text: str, line: int, path: str, words: str
) -> None:
    problems = refused(text)
    assert any(
        problem.origin.line == line and problem.path.startswith(path) and words in str(problem) for problem in problems
    ), problems


def test_old_values_widen_bounds_only_where_an_old_key_brought_them(refused: Callable[..., Any]) -> None:
    (problem,) = refused("development: {debugMode: true}\nrouting: {escalation: {threshold: .95}}\n")
    assert problem.path == "routing.escalation.threshold"
