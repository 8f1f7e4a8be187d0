"""The trees of a PMML file, read without a PMML engine, to check what CatBoost has written.

Elements: https://dmg.org/pmml/v4-3/TreeModel.html; rows have no missing values here.
"""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
from numpy.typing import NDArray

from gbdist.compression.exports.probes import Probes

_NAMESPACE = "{http://www.dmg.org/PMML-4_3}"


def pmml_predictions(path: Path, probes: Probes) -> NDArray[np.float64]:
    """Raw values of the probes, float64 [n_rows, 1]: the sum of the trees, rescaled as the file says."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    names = [each.get("name") for each in root.iter(f"{_NAMESPACE}DataField")]
    columns = {name: probes.numbers[:, at] for at, name in enumerate(names[: probes.numbers.shape[1]])}
    total = np.zeros(len(probes.numbers))
    for model in root.iter(f"{_NAMESPACE}TreeModel"):
        if model.get("functionName") == "regression":
            total += _scores(model.find(f"{_NAMESPACE}Node"), columns, len(total))
    target = next(root.iter(f"{_NAMESPACE}Target"))
    scaled = total * float(target.get("rescaleFactor", 1)) + float(target.get("rescaleConstant", 0))
    return scaled[:, np.newaxis]


def _scores(node: Any, columns: dict[Any, NDArray[np.float32]], n_rows: int) -> NDArray[np.float64]:
    """The score of the leaf that each row comes to: children are asked in turn, and the first that is true takes the row."""
    children = node.findall(f"{_NAMESPACE}Node")
    if not children:
        return np.full(n_rows, float(node.get("score")))
    scores, waiting = np.zeros(n_rows), np.ones(n_rows, dtype=np.bool_)
    for child in children:
        test = child.find(f"{_NAMESPACE}SimplePredicate")
        takes = waiting if test is None else waiting & (columns[test.get("field")] > float(test.get("value")))
        scores[takes] = _scores(child, columns, n_rows)[takes]
        waiting = waiting & ~takes
    return scores
