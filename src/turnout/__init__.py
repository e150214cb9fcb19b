"""Turnout routes each prompt to the right language model.

from turnout import Router

router = Router.load()
decision = router.route("quick question: why does our lock deadlock under failover?")
decision.candidate, decision.confidence, decision.reason

from turnout import HybridClient

async with HybridClient.from_config("config/hybrid.yaml") as client:
    completion = await client.complete("quick question: why does our lock deadlock under failover?")
"""

from typing import TYPE_CHECKING, Any

from turnout.errors import TurnoutError
from turnout.policy import Router
from turnout.types import Completion, Decision, Message, Ranked, Request, Task

if TYPE_CHECKING:
    from turnout.execution.client import HybridClient
    from turnout.execution.sync import SyncHybridClient

__version__ = "0.1.0"

__all__ = [
    "Completion",
    "Decision",
    "HybridClient",
    "Message",
    "Ranked",
    "Request",
    "Router",
    "SyncHybridClient",
    "Task",
    "TurnoutError",
    "__version__",
]


def __getattr__(name: str) -> Any:
    """The clients bring network libraries, which a router alone never needs."""
    if name == "HybridClient":
        from turnout.execution.client import HybridClient

        return HybridClient
    if name == "SyncHybridClient":
        from turnout.execution.sync import SyncHybridClient

        return SyncHybridClient
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
