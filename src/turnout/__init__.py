"""Turnout routes each prompt to the right language model.

from turnout import Router

router = Router.load()
decision = router.route("quick question: why does our lock deadlock under failover?")
decision.candidate, decision.confidence, decision.reason
"""

from turnout.errors import TurnoutError
from turnout.policy import Router
from turnout.types import Decision, Message, Ranked, Request, Task

__version__ = "0.1.0"

__all__ = ["Decision", "Message", "Ranked", "Request", "Router", "Task", "TurnoutError", "__version__"]
