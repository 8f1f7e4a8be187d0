"""What becomes of a fit when its cluster is hurt: gbdist, xgboost.dask and lightgbm.dask under the same faults.

usage: python bench/faults.py [--tool gbdist,xgboost.dask] [--only killed,stopped] [--netns] [--trees 200] [--rows 400000]
                              [--limit 60] [--no-run]

Each fit is a process of its own, with a cluster of two workers of one thread; the fault strikes once a third of the trees are
grown. A model is the same if its predictions for 20,000 rows are, bit for bit, those of the undisturbed fit. Results are kept in
docs/reliability.json, so that parts can be run one by one; the table between the marks in docs/reliability.md is written anew
each time. --netns adds the fault that needs a network namespace, for which one has to be root. Needs the extra "bench".
"""

import argparse
import contextlib
import importlib.metadata
import json
import os
import platform
import re
import signal
import subprocess
import sys
from typing import Any

from breakable import ROOT, why_no_namespace
from fault_tools import TOOLS

RESULTS = ROOT / "docs/reliability.json"
PAGE = ROOT / "docs/reliability.md"
BEGIN, END = "<!-- faults:begin -->", "<!-- faults:end -->"

#: Faults by the name they are run by: what the table calls them.
FAULTS = {
    "nothing": "nothing",
    "nothing again": "nothing; the same fit on another cluster of two workers",
    "killed": "worker killed (SIGKILL), its nanny starts another",
    "killed for good": "worker killed, and none takes its place",
    "stopped": "worker stands still for 20 s (SIGSTOP, SIGCONT)",
    "stopped for good": "worker stands still for good (SIGSTOP)",
    "cut": "worker cut off from Dask's network (proxies that pass nothing on)",
    "cut netns": "worker's network cable pulled (network namespace)",
    "retired": "worker retired (`client.retire_workers`)",
    "joins": "worker joins",
    "client killed": "client killed, and started again",
    "two at once": "two fits at once on one cluster",
    "three workers": "the same fit on three workers",
}
_MARGIN_SECONDS = 150
_LONGEST_ERROR = 160
_TIME = re.compile(r"[\[|]?\d\d:\d\d:\d\d\]?:?")  # in errors of XGBoost's


def run_one(tool: str, fault: str, options: argparse.Namespace) -> dict[str, Any]:
    """One fit in a process group of its own, of which nothing is left afterwards."""
    if fault == "cut netns" and (reason := why_no_namespace()):
        return {"end": "skipped", "error": reason}
    name = fault.removesuffix(" again")
    command = [sys.executable, str(ROOT / "bench/fault_run.py"), "one", tool, name]
    command += [str(options.trees), str(options.rows), str(options.limit)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        out, _ = process.communicate(timeout=3 * options.limit + _MARGIN_SECONDS)
    except subprocess.TimeoutExpired:
        out = b""
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    lines = [line for line in out.decode().splitlines() if line.startswith('{"end"')]
    if not lines:
        return {"end": "error", "error": "the process of the run died", "digest": None, "seconds": None, "after": None}
    return dict(json.loads(lines[-1]))


def in_words(told: dict[str, Any] | None, calm: dict[str, Any] | None, fault: str) -> str:
    """A cell of the table."""
    if told is None:
        return "not run"
    if told["end"] == "skipped":
        return f"skipped: {told['error']}"
    if told["end"] == "hangs":
        return f"**hangs**: no end within {told['after'] or told['seconds']:.0f} s"
    if told["end"] == "error":
        text = " ".join(_TIME.sub("", told["error"]).split())
        text = text if len(text) <= _LONGEST_ERROR else text[: _LONGEST_ERROR - 1] + "…"
        after = "" if told["after"] is None else f" after {told['after']:g} s"
        return f"**error**{after}: " + text.replace("|", "\\|").replace("<", "&lt;")
    if fault == "nothing":
        return f"{told['seconds']:g} s"
    if calm is None or calm["end"] != "model":
        return "not comparable: run `nothing` first"
    model = "same model" if told["digest"] == calm["digest"] else "**another model**"
    return f"{model}, {told['seconds'] - calm['seconds']:+.1f} s"


def table(kept: dict[str, Any]) -> str:
    """The part of the page between the marks."""
    tools = [tool for tool in TOOLS if tool in kept["runs"]]
    lines = [f"| what happens | {' | '.join(tools)} |", "|---" * (len(tools) + 1) + "|"]
    for fault, words in FAULTS.items():
        told = [kept["runs"][tool].get(fault) for tool in tools]
        if any(told):
            calm = [kept["runs"][tool].get("nothing") for tool in tools]
            cells = [in_words(one, quiet, fault) for one, quiet in zip(told, calm, strict=True)]
            lines.append(f"| {words} | {' | '.join(cells)} |")
    how, versions = kept["how"], ", ".join(f"{name} {version}" for name, version in kept["versions"].items())
    lines += [
        "",
        f"{how['rows']:,} rows × 28 features in 8 lazy partitions, {how['trees']} trees of depth 6, two workers of one thread; "
        "the fault strikes after a third of the trees; one run each; seconds are more or fewer than the undisturbed fit's. "
        "Two fits at once share two cores. A client that starts again has what the tool offers: gbdist its snapshot file, "
        "XGBoost the models that `TrainingCheckPoint` saved every 50 trees, given to `xgb_model`; LightGBM's Dask "
        f"estimators take no model to go on from. {versions}; {how['machine']}. Run: `python bench/faults.py --netns`.",
    ]
    return "\n".join(lines)


def write_page(kept: dict[str, Any]) -> None:
    """Put the table between its marks."""
    page = PAGE.read_text(encoding="utf-8")
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} lacks {BEGIN} … {END}")
    PAGE.write_text(f"{before}{BEGIN}\n{table(kept)}\n{END}{after}", encoding="utf-8")


def read_results() -> dict[str, Any]:
    """What earlier runs have left."""
    if RESULTS.exists():
        return dict(json.loads(RESULTS.read_text(encoding="utf-8")))
    return {"how": {}, "versions": {}, "runs": {}}


def main() -> None:
    """Run what is asked for, keep it, write the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=",".join(TOOLS))
    parser.add_argument("--only", default=",".join(FAULTS))
    parser.add_argument("--netns", action="store_true")
    parser.add_argument("--trees", type=int, default=200)
    parser.add_argument("--rows", type=int, default=400_000)
    parser.add_argument("--limit", type=float, default=60.0)
    parser.add_argument("--no-run", action="store_true", help="write the table from what is kept")
    options = parser.parse_args()
    tools, faults = options.tool.split(","), options.only.split(",")
    if unknown := [*(set(tools) - set(TOOLS)), *(set(faults) - set(FAULTS))]:
        parser.error(f"not known: {', '.join(unknown)}; tools: {', '.join(TOOLS)}; faults: {', '.join(FAULTS)}")
    kept = read_results()
    if not options.no_run:
        how = {"rows": options.rows, "trees": options.trees, "limit": options.limit}
        machine = f"{os.cpu_count()} cores, {platform.system()}, Python {platform.python_version()}"
        if kept["how"] and kept["how"] != {**how, "machine": machine}:
            print("other sizes than those kept: all that is kept goes", file=sys.stderr)
            kept["runs"] = {}
        kept["how"] = {**how, "machine": machine}
        for tool in tools:
            for fault in faults:
                if fault == "cut netns" and not options.netns:
                    continue
                told = run_one(tool, fault, options)
                kept["runs"].setdefault(tool, {})[fault] = told
                packages = ("distributed", tool.partition(".")[0])
                kept["versions"].update({name: importlib.metadata.version(name) for name in packages})
                RESULTS.write_text(json.dumps(kept, indent=1) + "\n", encoding="utf-8")
                calm = kept["runs"][tool].get("nothing")
                print(f"{tool:14} {fault:18} {in_words(told, calm, fault)}", flush=True)
    write_page(kept)


if __name__ == "__main__":
    main()
