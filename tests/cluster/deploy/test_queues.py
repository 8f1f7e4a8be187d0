"""Every directive of the job scripts is one that Slurm or PBS takes, and they agree with the rest of the script."""

import re
import shlex
from pathlib import Path

import pytest

from .recipes import DEPLOY

NUMBER, WORD = r"[1-9]\d*", r"[\w.@%/-]+"
MEMORY, CLOCK = r"\d+[KMGT]?", r"(\d+-)?\d{1,2}:\d{2}:\d{2}"
SLURM = {
    "job-name": WORD,
    "nodes": rf"{NUMBER}(-{NUMBER})?",
    "ntasks": NUMBER,
    "ntasks-per-node": NUMBER,
    "cpus-per-task": NUMBER,
    "mem": MEMORY,
    "time": CLOCK,
    "output": WORD,
    "partition": WORD,
    "account": WORD,
    "gpus-per-task": NUMBER,
    "exclusive": None,
    "requeue": None,
}
"""Options of sbatch, and what follows "="; None for those that take nothing."""

CHUNK = {"ncpus": NUMBER, "mpiprocs": NUMBER, "ngpus": NUMBER, "mem": r"\d+[kmgt]b"}
PLACES = {"scatter", "pack", "free", "excl"}


def sbatch_option(text: str) -> tuple[str, str]:
    """Name and value of one option; ValueError where sbatch would refuse it."""
    found = re.fullmatch(r"--([a-z-]+)(?:=(\S+))?", text)
    if not found or found[1] not in SLURM:
        raise ValueError(f"sbatch has no {text}")
    name, value = found[1], found[2]
    form = SLURM[name]
    if (form is None) != (value is None) or (form and not re.fullmatch(form, value)):
        raise ValueError(f"{text} has a wrong value")
    return name, value or ""


def qsub_options(words: list[str]) -> list[tuple[str, str]]:
    """The options of a line, letter and value; ValueError where qsub would refuse one."""
    forms = {"N": r"[A-Za-z][\w-]{0,14}", "j": "oe|eo|n", "r": "y|n", "q": WORD, "A": WORD, "o": WORD, "v": r"\w+=\S+"}
    found, rest = [], iter(words)
    for word in rest:
        letter = word.removeprefix("-")
        if letter == "V":
            found.append((letter, ""))
            continue
        value = next(rest, "")
        if letter == "l":
            _check_resource(value)
        elif word != f"-{letter}" or letter not in forms or not re.fullmatch(forms[letter], value):
            raise ValueError(f"qsub does not take {word} {value}")
        found.append((letter, value))
    return found


def _check_resource(value: str) -> None:
    name, _, asked = value.partition("=")
    if name == "walltime" and re.fullmatch(CLOCK, asked):
        return
    if name == "place" and set(asked.split(":")) <= PLACES:
        return
    count, *chunk = asked.split(":")
    pairs = [part.partition("=") for part in chunk]
    right = all(key in CHUNK and re.fullmatch(CHUNK[key], amount) for key, _, amount in pairs)
    if name != "select" or not re.fullmatch(NUMBER, count) or not pairs or not right:
        raise ValueError(f"qsub -l does not take {value}")


def directives(path: Path, mark: str) -> tuple[list[str], list[str]]:
    """Directives of a job script, and those that a second "#" keeps from being read; all stand before the first command."""
    own, spare = [], []
    ended = False
    for line in path.read_text().splitlines()[1:]:
        found = re.fullmatch(rf"#(#?){mark} (.*)", line)
        if found is None:
            assert f"#{mark}" not in line, f"{line} is no directive"
            ended = ended or bool(line and not line.startswith("#"))
            continue
        assert not ended, f"{line} stands behind a command, where it is not read"
        (spare if found[1] else own).append(re.sub(r"\s#.*", "", found[2]))
    return own, spare


def test_every_directive_of_slurm() -> None:
    own, spare = directives(DEPLOY / "slurm/train.sbatch", "SBATCH")
    options = [sbatch_option(text) for text in own]
    assert len(dict(options)) == len(options)  # none twice
    assert {"nodes", "ntasks-per-node", "cpus-per-task", "mem", "time"} <= dict(options).keys()
    assert dict(map(sbatch_option, spare)) == {"ntasks-per-node": "4", "gpus-per-task": "1"}


def test_every_directive_of_pbs() -> None:
    own, spare = directives(DEPLOY / "pbs/train.pbs", "PBS")
    options = [option for text in own for option in qsub_options(shlex.split(text))]
    resources = dict(value.split("=", 1) for letter, value in options if letter == "l")
    assert resources.keys() == {"select", "place", "walltime"}
    chunk = dict(part.split("=") for part in resources["select"].split(":")[1:])
    script = (DEPLOY / "pbs/train.pbs").read_text()
    threads, memory = re.search(r"^threads=(\d+) .*\nmemory=(\d+)GiB", script, re.MULTILINE).groups()  # type: ignore[union-attr]
    assert threads == chunk["ncpus"]
    assert 0.8 < int(memory) / int(chunk["mem"].removesuffix("gb")) < 0.95
    assert chunk["mpiprocs"] == "1"  # a line of the node file, and so a worker, a chunk
    gpus = [value for text in spare for _, value in qsub_options(shlex.split(text))]
    assert gpus == ["select=4:ncpus=8:ngpus=1:mpiprocs=1:mem=32gb", "place=pack"]


@pytest.mark.parametrize(
    "text", ["--node=2", "--nodes=two", "--time=2h", "--mem=32 G", "--exclusive=yes", "--requeue=1", "-N 2", "--nodes"]
)
def test_wrong_directive_of_slurm_is_found(text: str) -> None:
    with pytest.raises(ValueError):
        sbatch_option(text)


@pytest.mark.parametrize(
    "text",
    [
        "-l select=2:ncpu=8",
        "-l select=2",
        "-l nodes=2:ppn=8",
        "-l walltime=2h",
        "-l place=scater",
        "-N 1gbdist",
        "-j yes",
        "--name x",
    ],
)
def test_wrong_directive_of_pbs_is_found(text: str) -> None:
    with pytest.raises(ValueError):
        qsub_options(shlex.split(text))


def test_directive_that_is_not_read_is_found(tmp_path: Path) -> None:
    script = tmp_path / "late.sbatch"
    script.write_text("#!/bin/bash\n#SBATCH --nodes=2\nset -e\n#SBATCH --mem=1G\n")
    with pytest.raises(AssertionError, match="stands behind a command"):
        directives(script, "SBATCH")


def test_submissions_in_the_readmes_are_taken() -> None:
    slurm = re.findall(r"^    sbatch (.*?)train\.sbatch ", (DEPLOY / "slurm/README.md").read_text(), re.MULTILINE)
    pbs = re.findall(r"^    qsub (.*?)train\.pbs", (DEPLOY / "pbs/README.md").read_text(), re.MULTILINE)
    assert (len(slurm), len(pbs)) == (3, 3)
    for line in slurm:
        for text in shlex.split(line):
            sbatch_option(text)
    for line in pbs:
        assert ("v", "JOB=sales.toml") in qsub_options(shlex.split(line))
