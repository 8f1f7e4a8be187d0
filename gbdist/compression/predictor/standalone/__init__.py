"""Predictions of a CatBoost model from one file, with NumPy alone.

This folder is written into every file that ``gbdist.compression.predictor.save_predictor`` makes, under the name
``gbdist_predictor``; so it imports nothing but NumPy, Python's own library and itself.
"""

from .errors import PredictorError
from .predictor import Predictor
from .reading import load_predictor

__all__ = ["Predictor", "PredictorError", "load_predictor"]
