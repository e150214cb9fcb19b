"""Drift: has the world moved away from what the predictor learned? `watch` looks through a log and reports alarms."""

from turnout.learning.drift.report import Alarm, DriftReport
from turnout.learning.drift.watch import Allowance, changed_success, watch

__all__ = ["Alarm", "Allowance", "DriftReport", "changed_success", "watch"]
