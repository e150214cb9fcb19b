"""The policy: from a request's probabilities, seconds and costs to a decision."""

from turnout.policy.router import Router

__all__ = ["Router"]
