"""A model as one file that predicts with NumPy alone (decision 0054)."""

from gbdist.compression.predictor.file import load_predictor, save_predictor
from gbdist.compression.predictor.standalone import Predictor, PredictorError

__all__ = ["Predictor", "PredictorError", "load_predictor", "save_predictor"]
