"""One adapter for each wire protocol, and the fleet that guards, measures and observes them."""

from turnout.providers.estimates import Estimates
from turnout.providers.fleet import Fleet
from turnout.providers.protocol import Call, Pieces, Provider

__all__ = ["Call", "Estimates", "Fleet", "Pieces", "Provider"]
