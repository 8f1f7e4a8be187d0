"""Seconds of an epoch of a network on a GPU, beside this machine's CPU and PyTorch on the same GPU.

usage: python bench/gpu_networks.py [--rows 1000000] [--hidden 256,128] [--batches 1024,8192] [--epochs 3] [--json FILE]

28 inputs, adam, the whole loop: shuffling, gathering, gradients, steps. Needs one GPU and the extra "cuda", and PyTorch for the
peer, whose rows lie on the GPU all the time. The least of the epochs counts, but never a first one.
"""

import argparse
import json
import pathlib
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from gpu import card_or_leave
from network_epochs import N_INPUTS, epochs_of, table

from gbdist.boosting.collective import SingleRank
from gbdist.neural.network.spec import NetworkSpec
from gbdist.neural.training.params import TrainParams


def with_torch(n_rows: int, hidden: tuple[int, ...], batch: int, epochs: int, *, half: bool) -> float:
    """PyTorch's epochs with its own loop, rows and order on the GPU; ``half``: float16 products and a scaled loss."""
    import torch

    numeric, target = (torch.from_numpy(each).cuda() for each in table(0, n_rows))
    target = target.float()[:, None]
    layers: list[Any] = []
    for before, units in zip((N_INPUTS, *hidden), hidden, strict=False):
        layers += [torch.nn.Linear(before, units), torch.nn.ReLU()]
    model = torch.nn.Sequential(*layers, torch.nn.Linear(hidden[-1], 1)).cuda()
    adam, loss_of = torch.optim.Adam(model.parameters(), fused=True), torch.nn.BCEWithLogitsLoss()
    scaler = torch.amp.GradScaler("cuda", enabled=half)
    seconds = []
    for _ in range(epochs):
        began = time.perf_counter()
        order = torch.randperm(n_rows, device="cuda")
        for some in order.split(batch):
            adam.zero_grad(set_to_none=True)
            with torch.autocast("cuda", torch.float16, enabled=half):
                loss = loss_of(model(numeric[some]), target[some])
            scaler.scale(loss).backward()
            scaler.step(adam)
            scaler.update()
        torch.cuda.synchronize()
        seconds.append(time.perf_counter() - began)
    return min(seconds[1:])


def main() -> None:
    """Print what was measured."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--hidden", default="256,128")
    parser.add_argument("--batches", default="1024,8192")
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--json", type=pathlib.Path)
    given = parser.parse_args()
    card = card_or_leave()
    hidden = tuple(map(int, given.hidden.split(",")))
    spec = NetworkSpec(N_INPUTS, hidden, 1, "binary_log_loss")
    report: dict[str, dict[str, float | str]] = {}
    for batch in map(int, given.batches.split(",")):
        usual = TrainParams(batch_size=batch, max_iter=given.epochs, tol=0.0)

        def ours(params: TrainParams) -> float:
            return min(epochs_of(SingleRank(), given.rows, spec, params)[0][1:])

        contenders: dict[str, Callable[[], float]] = {
            "gbdist, CPU": lambda usual=usual: ours(usual),
            "gbdist, GPU, float32": lambda usual=usual: ours(replace(usual, card=card)),
            "gbdist, GPU, fp16": lambda usual=usual: ours(replace(usual, card=card, precision="fp16")),
            "PyTorch, GPU, float32": lambda b=batch: with_torch(given.rows, hidden, b, given.epochs, half=False),
            "PyTorch, GPU, fp16": lambda b=batch: with_torch(given.rows, hidden, b, given.epochs, half=True),
        }
        report[str(batch)] = found = {}
        for name, measure in contenders.items():
            try:
                found[name] = measure()
                print(f"batch {batch}, {name}: {found[name]:.2f} s an epoch", flush=True)
            except Exception as error:  # of many kinds: no package, no memory
                found[name] = f"{type(error).__name__}: {error}".splitlines()[0][:100]
                print(f"batch {batch}, {name}: {found[name]}", flush=True)
    if given.json:
        given.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
