"""The predictor: features in, one calibrated probability of success for each candidate out."""

from turnout.predictor.artifact import load, read_manifest, save
from turnout.predictor.model import Prediction, Predictor

__all__ = ["Prediction", "Predictor", "load", "read_manifest", "save"]
