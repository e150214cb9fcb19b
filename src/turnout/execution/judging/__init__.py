"""Judging an answer right after an attempt: signals that are seen without asking anybody, and the confidence they give."""

from turnout.execution.judging.confidence import DEFAULT_CONFIDENCE, ConfidenceModel
from turnout.execution.judging.judge import Judge
from turnout.execution.judging.signals import SIGNAL_NAMES, Signals, read_signals

__all__ = ["DEFAULT_CONFIDENCE", "SIGNAL_NAMES", "ConfidenceModel", "Judge", "Signals", "read_signals"]
