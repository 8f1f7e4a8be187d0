"""Time of one step of a network, loss and gradient without the optimizer, beside scikit-learn's on the same batch and one thread.

python bench/network_step.py --rows 512 --hidden 256,128
"""

import argparse
import time
from collections.abc import Callable

import numpy as np
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from gbdist.neural.network.blocks import Batch, Noise
from gbdist.neural.network.network import Network
from gbdist.neural.network.spec import NetworkSpec


def shortest(step: Callable[[], object], seconds: float) -> float:
    """Milliseconds of the fastest of as many calls as fit: other processes only make it longer."""
    step()
    best, until = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < until:
        began = time.perf_counter()
        step()
        best = min(best, time.perf_counter() - began)
    return best * 1e3


def peers_step(arguments: argparse.Namespace, dtype: type) -> Callable[[], object]:
    """scikit-learn's ``_backprop``: the private part of its fit that a step is, as of scikit-learn 1.7."""
    draw = np.random.default_rng(0)
    x = draw.normal(size=(arguments.rows, arguments.inputs)).astype(dtype)
    y = (draw.random(arguments.rows) < 0.5).astype(int)
    peer = MLPClassifier(hidden_layer_sizes=arguments.hidden, random_state=0).partial_fit(x, y, classes=[0, 1])
    labels = peer._label_binarizer.transform(y)
    activations: list[object] = [x] + [None] * (len(arguments.hidden) + 1)
    deltas = [None] * (len(arguments.hidden) + 1)
    coefs, intercepts = list(peer.coefs_), list(peer.intercepts_)
    return lambda: peer._backprop(x, labels, None, activations, deltas, list(coefs), list(intercepts))


def our_step(arguments: argparse.Namespace, spec: NetworkSpec, precision: str) -> Callable[[], object]:
    """``Network.loss_and_gradient``."""
    draw, network = np.random.default_rng(0), Network(spec, precision)
    flat = network.initial(0).astype(network.dtype)
    gradient, rows = np.empty_like(flat), arguments.rows
    batch = Batch(
        draw.normal(size=(rows, arguments.inputs)).astype(network.dtype),
        draw.integers(0, 50, (rows, len(spec.categories))).astype(np.int32),
        (draw.random((rows, 1)) < 0.5).astype(network.dtype),
        None,
        np.arange(rows, dtype=np.uint64),
    )
    return lambda: network.loss_and_gradient(flat, batch, gradient, Noise(0, 1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=512)
    parser.add_argument("--inputs", type=int, default=28)
    parser.add_argument("--hidden", type=lambda text: tuple(map(int, text.split(","))), default=(256, 128))
    parser.add_argument("--seconds", type=float, default=3.0, help="for each line")
    arguments = parser.parse_args()

    def plain(**more: object) -> NetworkSpec:
        return NetworkSpec(arguments.inputs, arguments.hidden, 1, "binary_log_loss", **more)  # type: ignore[arg-type]

    edges = (tuple(np.linspace(-3, 3, 49).tolist()),) * arguments.inputs
    numeric = {"embedding_size": 16, "frequencies": 24, "frequency_scale": 0.1, "edges": edges}
    lines = {
        "scikit-learn, float64": peers_step(arguments, np.float64),
        "scikit-learn, float32": peers_step(arguments, np.float32),
        "gbdist, float64": our_step(arguments, plain(), "float64"),
        "gbdist, float32": our_step(arguments, plain(), "float32"),
        "gbdist, float32, tanh": our_step(arguments, plain(activation="tanh"), "float32"),
        "gbdist, float32, silu": our_step(arguments, plain(activation="silu"), "float32"),
        "gbdist, float32, dropout": our_step(arguments, plain(dropout=0.1), "float32"),
        "gbdist, float32, piecewise": our_step(arguments, plain(numeric_embedding="piecewise", **numeric), "float32"),
        "gbdist, float32, periodic": our_step(arguments, plain(numeric_embedding="periodic", **numeric), "float32"),
        "gbdist, float32, 8 categories": our_step(
            arguments, plain(categories=(50,) * 8, category_sizes=(8,) * 8), "float32"
        ),
        "gbdist, fp16": our_step(arguments, plain(), "fp16"),
        "gbdist, bf16": our_step(arguments, plain(), "bf16"),
    }
    print(f"{arguments.rows} rows, {arguments.inputs} inputs, {arguments.hidden}, ms a step, one thread")
    with threadpool_limits(1):
        for name, step in lines.items():
            print(f"{name:32}{shortest(step, arguments.seconds):8.3f}", flush=True)


if __name__ == "__main__":
    main()
