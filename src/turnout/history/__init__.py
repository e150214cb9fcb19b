"""The log of decisions, attempts, outcomes and feedback: what the predictor learns from.

`History` writes and reads it. `turnout.history.reader.HistoryReader` only reads; it is not named here because it
imports SQLAlchemy, which a process that keeps no history does not need.
"""

from turnout.history.limits import JournalLimits
from turnout.history.log import History
from turnout.history.packing import StoredFeatures, unpack_features
from turnout.history.records import (
    AttemptRecord,
    AttemptRole,
    DecisionRecord,
    FeedbackRecord,
    LanguageModelRecord,
    OutcomeRecord,
    PromptMode,
    Record,
    new_id,
)
from turnout.history.status import HistoryStatus

__all__ = [
    "AttemptRecord",
    "AttemptRole",
    "DecisionRecord",
    "FeedbackRecord",
    "History",
    "HistoryStatus",
    "JournalLimits",
    "LanguageModelRecord",
    "OutcomeRecord",
    "PromptMode",
    "Record",
    "StoredFeatures",
    "new_id",
    "unpack_features",
]
