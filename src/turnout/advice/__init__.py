"""Advice: of the language models that are here, what to keep loaded, who makes a good couple, and what the fast one can take."""

from turnout.advice.advise import Advice, advise

__all__ = ["Advice", "advise"]
