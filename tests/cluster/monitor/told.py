"""Messages, as clients and ranks send them, for tests of what is made of them."""

from typing import Any

from gbdist_cluster.monitor.board import Board

CLIENT, A, B = "Client-1", "tcp://10.0.0.1:1", "tcp://10.0.0.2:1"


def began(run: str = "r", job: str | None = None) -> dict[str, Any]:
    return {"run": run, "kind": "began", "label": "Trainer", "job": job}


def about(run: str = "r", iterations: int = 100) -> dict[str, Any]:
    return {
        "run": run, "kind": "about", "label": "Trainer Loss", "rows": 3_000, "features": 7, "iterations": iterations,
    }  # fmt: skip


def epoch(number: int = 0, trees: int = 0, run: str = "r", workers: tuple[str, ...] = (A, B)) -> dict[str, Any]:
    members = [(worker, 1_000 + place) for place, worker in enumerate(workers)]
    return {"run": run, "kind": "epoch", "epoch": number, "members": members, "trees": trees}


def progress(trees: int, rank: int = 0, run: str = "r", **more: Any) -> dict[str, Any]:
    told = {
        "run": run, "kind": "progress", "epoch": 0, "rank": rank, "grown": trees, "trees": trees if rank == 0 else 0,
        "bytes": 1_000 * trees, "spans": {"waiting": 0.25 * trees, "computing": 0.5 * trees},
        "points": [("learn", "Loss", trees - 1, 1.0 / trees)] if rank == 0 else [], "best": None,
    }  # fmt: skip
    return told | more


def event(what: str, text: str = "", run: str = "r") -> dict[str, Any]:
    return {"run": run, "kind": "event", "what": what, "text": text}


def ended(state: str = "done", error: str | None = None, run: str = "r") -> dict[str, Any]:
    return {"run": run, "kind": "ended", "state": state, "error": error}


def board_of(*told: dict[str, Any], most: int = 50) -> Board:
    """A board that has heard these, a second apart, from 1001 on."""
    board = Board(most)
    for number, message in enumerate(told, start=1):
        board.take(message, CLIENT, 1_000.0 + number)
    return board
