"""Decisions while the configuration changes under them: none fails, none mixes two; `make bench-reloads` at full size."""

from __future__ import annotations

import threading
from pathlib import Path

from turnout import Router
from turnout.config.live import LiveConfiguration
from turnout.policy.policy import Policy
from turnout.types import Decision

RELOADS = 25
THREADS = 3


def text(version: int) -> str:
    """A file that says its version in a candidate, a pattern, a rule, its threshold and its preference."""
    return (
        f"providers: {{lmstudio: {{models: [m{version}, other]}}}}\n"
        f"privacy: {{patterns: {{p{version}: '[0-9]{{4}}-X'}}}}\n"
        f"routing:\n  rules:\n    - name: r{version}\n      when: \"'p{version}' in secrets\"\n"
        f"      then: {{force: lmstudio/m{version}, threshold: {version / 1000}, preference: {version}}}\n"
    )


def versions(decision: Decision) -> set[int]:
    """The version in every place where a decision shows it."""
    (rule,), (secret,) = decision.rules, decision.secrets
    return {
        int(decision.candidate.partition("/m")[2]),
        int(rule[1:]),
        int(secret[1:]),
        round(float(decision.preference)),
        round((decision.threshold or 0) * 1000),
    }


def test_no_decision_fails_or_mixes_two_configurations(tmp_path: Path) -> None:
    path = tmp_path / "hybrid.yaml"
    path.write_text(text(1))
    live = LiveConfiguration(path, environment={})
    router = Router(None, policy=Policy(live.current.configuration))
    served = {live.current.fingerprint: 1}
    live.on_change(lambda _, after: served.update({after.fingerprint: len(served) + 1}))
    live.on_change(lambda _, after: router.configure(Policy(after.configuration)))
    ended, seen, wrong = threading.Event(), set(), []

    def decide() -> None:
        while not ended.is_set():
            try:
                decision = router.route("the number is 4711-X")
                found = versions(decision) | {served[decision.configuration]}
            except Exception as error:
                wrong.append(error)
                return
            seen.update(found)
            if len(found) != 1:
                wrong.append(found)

    threads = [threading.Thread(target=decide) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    try:
        for version in range(2, RELOADS + 2):
            path.write_text(text(version))
            assert live.reload()
            path.write_text("routing: {preference: hasty}\n")
            assert not live.reload()
            assert live.status.problems
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert len(seen) > RELOADS / 2
