"""How columns may be eliminated, under CatBoost's names."""

from typing import Literal

Algorithm = Literal["RecursiveByPredictionValuesChange", "RecursiveByLossFunctionChange", "RecursiveByShapValues"]
