"""What the page shows, as values: for each model of the page, by its name, the properties that it is to have.

The browser sets them by itself, so a look at a run is made once, whoever looks (``page``).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any
from urllib.parse import urlencode

from gbdist_cluster.monitor.board import Board
from gbdist_cluster.monitor.board_run import BoardRun
from gbdist_cluster.monitor.words import bytes_words, count_words, duration_words, moment_words, number_words

__all__ = ["LEGEND_COLUMNS", "PALETTE", "Choice", "WorkerMemory", "chosen", "drawing"]

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#56b4e9", "#e69f00", "#5b5b5b", "#8c4a2f")
"""Distinct also to most who do not see all colours (Okabe and Ito's set, the yellow left out)."""

Properties = dict[str, dict[str, Any]]

_OTHER = "other"
_SPANS = {
    "histograms": "#0072b2", "scores": "#56b4e9", "derivatives": "#e69f00", "leaves": "#009e73", "metrics": "#cc79a7",
    "steps": "#0072b2", "batches": "#56b4e9", "computing": "#0072b2",
    "network": "#d55e00", "waiting": "#c3ccd5", _OTHER: "#5b5b5b",
}  # fmt: skip
"""Colours of spans, in the order in which they are stacked; what has none is added to the last."""

_FREE, _FULL = "#dbe3ea", 0.8
_MOST_BARS = 48
_BAR_PIXELS, _AXIS_PIXELS, _LEGEND_PIXELS = 22, 70, 26
LEGEND_COLUMNS = 4
"""Names beside one another in a legend, so that they fit a phone."""

_EVENT_COLOURS = {"lost": "#d6336c", "failed": "#d6336c", "joined": "#009e73", "done": "#009e73"}


@dataclass(frozen=True, slots=True)
class Choice:
    """What somebody looks at: a run by its id, and one of its metrics; empty for the newest run, and the metric that decides."""

    run_id: str = ""
    metric: str = ""


@dataclass(frozen=True, slots=True)
class WorkerMemory:
    """Bytes of a worker's process, and its limit, 0 for none."""

    address: str
    used: int
    limit: int


def chosen(board: Board, choice: Choice) -> BoardRun | None:
    """The run that is looked at: the one that was asked for, else the newest that goes on, else the newest."""
    runs = board.runs
    asked = board.get(choice.run_id)
    return asked or next((run for run in runs if run.live), runs[0] if runs else None)


def drawing(board: Board, choice: Choice, memory: Sequence[WorkerMemory], now: float) -> Properties:
    """All properties of all models."""
    run = chosen(board, choice)
    made: Properties = {"runs": {"text": _runs(board, run, choice)}}
    made |= _memory(memory)
    if run is None:
        made["headline"] = {"text": "<p>No run has begun since the scheduler started.</p>"}
        return made
    metric = _metric(run, choice)
    made["headline"] = {"text": _headline(run, choice, metric)}
    return made | _curves(run, metric) | _times(run) | _traffic(run) | _timeline(run, now)


# ---- words


def _runs(board: Board, shown: BoardRun | None, choice: Choice) -> str:
    head = "".join(
        f'<th class="{kind}">{name}</th>'
        for name, kind in (
            ("Run", ""),
            ("State", ""),
            ("Done", "number"),
            ("A second", "number wide"),
            ("Left", "number"),
            ("Rows", "number wide"),
            ("Began", "wide"),
        )
    )
    rows = "".join(_row(run, run is shown) for run in board.runs)
    newest = '<p class="follow"><a href="gbdist">Show the newest run</a></p>' if choice.run_id else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>{newest}"


def _row(run: BoardRun, shown: bool) -> str:
    share = min(run.trees / run.iterations, 1.0) if run.iterations else 0.0
    label = escape(run.label) + (f' <span class="job">{escape(run.job)}</span>' if run.job else "")
    trees = f'{count_words(run.trees)} / {count_words(run.iterations)} {escape(run.counted)}<i style="width:{share:.1%}"></i>'
    cells = (
        f'<td><a href="gbdist?{urlencode({"run": run.run_id})}">{label}</a></td>',
        f'<td class="{run.state}">{run.state}</td>',
        f'<td class="number trees">{trees}</td>',
        f'<td class="number wide">{number_words(run.rate)}</td>',
        f'<td class="number">{duration_words(run.left)}</td>',
        f'<td class="number wide">{count_words(run.rows)}</td>',
        f'<td class="wide">{moment_words(run.started)}</td>',
    )
    return f"<tr{' class=shown' if shown else ''}>{''.join(cells)}</tr>"


def _headline(run: BoardRun, choice: Choice, metric: str) -> str:
    facts = [f"{count_words(run.rows)} rows × {count_words(run.features)} features"] if run.rows else []
    facts += [f"{len(run.ranks)} ranks, epoch {run.epoch}"] if run.ranks else []
    if run.best is not None:
        facts.append(
            f"best {run.best[1]:.6g} at {escape(run.counted.removesuffix('s'))} {count_words(int(run.best[0]))}"
        )
    facts += [f"took {duration_words(run.ended - run.started)}"] if not run.live else []
    names = dict.fromkeys(name for of_set in run.curves.values() for name in of_set)
    links = [
        f"<b>{escape(name)}</b>"
        if name == metric
        else f'<a href="gbdist?{urlencode({"run": run.run_id, "metric": name})}">{escape(name)}</a>'
        for name in names
    ]
    error = f'<p class="error">{escape(run.error)}</p>' if run.error else ""
    shown = f"<p>Metric: {' · '.join(links)}</p>" if len(links) > 1 else ""
    title = f'<h2>{escape(run.label)} <span class="{run.state}">{run.state}</span></h2>'
    return f"{title}<p>{' · '.join(facts)}</p>{error}{shown}"


# ---- charts


def _metric(run: BoardRun, choice: Choice) -> str:
    names = [name for of_set in run.curves.values() for name in of_set]
    return choice.metric if choice.metric in names else (names or [""])[0]


def _curves(run: BoardRun, metric: str) -> Properties:
    drawn = {name: of_set[metric].points for name, of_set in run.curves.items() if metric in of_set}
    data: dict[str, list[Any]] = {"xs": [], "ys": [], "name": [], "colour": []}
    for number, (name, points) in enumerate(drawn.items()):
        data["xs"].append([tree for tree, _ in points])
        data["ys"].append([_finite(value) for _, value in points])
        data["name"].append(name)
        data["colour"].append(PALETTE[number % len(PALETTE)])
    values = [value for ys in data["ys"] for value in ys if value is not None]
    best = run.best if run.best is not None and metric == _metric(run, Choice()) and _finite(run.best[1]) else None
    return {
        "curves-data": {"data": data},
        "curves-best": {"data": {"x": [best[0]] if best else [], "y": [best[1]] if best else []}},
        "curves-x": {"start": 0, "end": max(run.trees, 10)},
        "curves-x-axis": {"axis_label": run.counted},
        "curves-y": _span(values),
        "curves-y-axis": {"axis_label": metric},
    }


def _times(run: BoardRun) -> Properties:
    ranks = list(run.ranks.items())[:_MOST_BARS]
    spans = [_shown_spans(rank.spans) for _, rank in ranks]
    order = [name for name in _SPANS if any(name in each for each in spans)]
    data: dict[str, list[Any]] = {"rank": [], "left": [], "right": [], "name": [], "colour": [], "worker": []}
    for (number, rank), of_rank in zip(ranks, spans, strict=True):
        at = 0.0
        for name in order:
            seconds = of_rank.get(name, 0.0)
            data["rank"].append(_rank(number))
            data["left"].append(round(at, 3))
            data["right"].append(round(at + seconds, 3))
            data["name"].append(name)
            data["colour"].append(_SPANS[name])
            data["worker"].append(f"{rank.worker}, {count_words(rank.rows)} rows, sent {bytes_words(rank.bytes)}")
            at += seconds
    longest = max(data["right"], default=0.0)
    return {
        "times": _bars_high(len(ranks), len(order)),
        "times-y": {"factors": [_rank(number) for number, _ in reversed(ranks)]},
        "times-x": {"start": 0, "end": max(longest * 1.02, 0.01)},
        "times-data": {"data": data},
    }


def _shown_spans(spans: Mapping[str, float]) -> dict[str, float]:
    shown: dict[str, float] = {}
    for name, seconds in spans.items():
        known = name if name in _SPANS else _OTHER
        shown[known] = shown.get(known, 0.0) + seconds
    return shown


def _rank(number: int) -> str:
    return f"rank {number}"


def _traffic(run: BoardRun) -> Properties:
    points = run.traffic.points
    sizes = [size / 1e6 for _, size in points]
    return {
        "traffic-data": {"data": {"x": [tree for tree, _ in points], "y": sizes}},
        "traffic-x": {"start": 0, "end": max(run.trees, 10)},
        "traffic-x-axis": {"axis_label": run.counted},
        "traffic-y-axis": {"axis_label": "MB for each, all ranks"},
        "traffic-y": {"start": 0, "end": max(sizes, default=0.0) * 1.1 or 1.0},
    }


def _timeline(run: BoardRun, now: float) -> Properties:
    """Epochs as bars, one below the other, and what happened as dots on them; seconds since the run began."""
    end = (run.ended if not run.live else now) - run.started
    bars: dict[str, list[Any]] = {"epoch": [], "left": [], "right": [], "colour": []}
    dots: dict[str, list[Any]] = {"epoch": [], "at": [], "kind": [], "text": [], "colour": []}
    current = "preparing"
    starts = [(current, 0.0)]
    for event in run.events:
        at = round(event["time"] - run.started, 2)
        if event["kind"] in ("started", "regrouped"):
            current = f"epoch {len(starts) - 1}"
            starts.append((current, at))
        dots["epoch"].append(current)
        dots["at"].append(at)
        dots["kind"].append(event["kind"])
        dots["text"].append(event["text"])
        dots["colour"].append(_EVENT_COLOURS.get(event["kind"], "#1f2933"))
    starts = starts[-_MOST_BARS:]
    for number, (name, start) in enumerate(starts):
        bars["epoch"].append(name)
        bars["left"].append(start)
        bars["right"].append(starts[number + 1][1] if number + 1 < len(starts) else round(end, 2))
        bars["colour"].append(_FREE if name == "preparing" else PALETTE[4])
    names = [name for name, _ in starts]
    shown = [number for number, name in enumerate(dots["epoch"]) if name in names]
    return {
        "timeline": _bars_high(len(starts), 0),
        "timeline-y": {"factors": names[::-1]},
        "timeline-x": {"start": -0.02 * max(end, 1.0), "end": max(end, 1.0) * 1.03},
        "timeline-bars": {"data": bars},
        "timeline-dots": {"data": {name: [values[i] for i in shown] for name, values in dots.items()}},
    }


def _memory(memory: Sequence[WorkerMemory]) -> Properties:
    shown = sorted(sorted(memory, key=lambda one: -one.used)[:_MOST_BARS], key=lambda one: one.address)
    used = [one.used / 2**30 for one in shown]
    limits = [one.limit / 2**30 for one in shown]
    names = [one.address.split("://")[-1] for one in shown]
    full = ["#d6336c" if one.limit and one.used > _FULL * one.limit else PALETTE[0] for one in shown]
    return {
        "memory": _bars_high(len(shown), 0),
        "memory-y": {"factors": names[::-1]},
        "memory-x": {"start": 0, "end": max([*used, *limits], default=0.0) * 1.05 or 1.0},
        "memory-data": {"data": {"worker": names, "used": used, "limit": limits, "colour": full}},
    }


def _bars_high(bars: int, legend: int) -> dict[str, int]:
    """A figure's height."""
    return {"height": _AXIS_PIXELS + _BAR_PIXELS * max(bars, 1) + _LEGEND_PIXELS * -(-legend // LEGEND_COLUMNS)}


def _finite(value: float) -> float | None:
    return value if abs(value) < float("inf") else None


def _span(values: Sequence[float]) -> dict[str, float]:
    """Start and end of an axis with a little room."""
    low, high = min(values, default=0.0), max(values, default=1.0)
    room = 0.05 * (high - low) or 0.05 * abs(high) or 0.5
    return {"start": low - room, "end": high + room}
