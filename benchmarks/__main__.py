"""
Runs all benchmarks, or one: ./dev bench.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.http.servers import ROOT, BenchError
from benchmarks.report.command import guarded, say

__all__: list[str] = []

_PARTS = {
    "http": "benchmarks.http.http",
    "broker": "benchmarks.broker",
    "queueing": "benchmarks.queueing.queueing",
    "coldstart": "benchmarks.coldstart.coldstart",
    "leaving": "benchmarks.leaving",
    "instructions": "benchmarks.instructions",
    "capacity": "benchmarks.capacity.capacity",
    "trials": "benchmarks.capacity.trials",
    "slowdown": "benchmarks.slowdown.simulation",
}

# The programs that benchmarks need besides Python. Debian's packages have the same names.
_PROGRAMS = ("haproxy", "nginx", "wrk", "strace", "valgrind")

# The options that make a benchmark draw its plots.
_PLOTS = {"http": ("--plots", "."), "queueing": ("--plot", "bench-queueing.png")}


def _parser(own_help: bool) -> argparse.ArgumentParser:
    """
    @return: the parser for the options of all benchmarks.
    """
    parser = argparse.ArgumentParser(
        prog="./dev bench",
        usage="%(prog)s [PART] [options] [options of PART]",
        description=f"Parts: {', '.join(_PARTS)}; all of them if none is named.",
        epilog="./dev bench PART --help lists the options of a part.  Nothing is installed for"
        f" you: apt install {' '.join(_PROGRAMS)}",
        add_help=own_help,
        allow_abbrev=False,
    )
    add = parser.add_argument
    add("--out", type=Path, default=ROOT / "build/bench", help="folder for tables, plots and JSON")
    add("--publish", action="store_true", help="copy tables and plots to doc/")
    add("--smoke", action="store_true", help="only check that everything works")
    return parser


def _perform(part: str, folder: Path, options: Sequence[str]) -> None:
    """
    Run one benchmark. Its output is also written to a file.

    @raise BenchError: it failed.
    """
    command = [sys.executable, "-m", _PARTS[part], "--json", str(folder / f"{part}.json")]
    if part in _PLOTS:
        option, name = _PLOTS[part]
        command += [option, str(folder / name)]
    with (
        (folder / f"bench-{part}.txt").open("w") as copy,
        subprocess.Popen(
            ["setpriv", "--pdeathsig", "TERM", "--", *command, *options],
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        ) as process,
    ):
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            copy.write(line)
    if process.returncode != 0:
        raise BenchError(f"{part} failed (exit status {process.returncode})")


def _publish(part: str, folder: Path) -> None:
    """
    Copy a benchmark's table and plots to where the documentation includes
    them.
    """
    for file in sorted(folder.glob(f"bench-{part}*.*")):
        shutil.copy(file, ROOT / "doc" / file.name)
        say(f"doc/{file.name}")


def _run(parts: Sequence[str], arguments: argparse.Namespace, options: Sequence[str]) -> None:
    """
    Run these benchmarks.
    """
    missing = [program for program in _PROGRAMS if shutil.which(program) is None]
    if missing:
        say(f"not everything can be measured: apt install {' '.join(missing)}")
    folder: Path = arguments.out.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    for part in parts:
        _perform(part, folder, [*(["--smoke"] if arguments.smoke else []), *options])
        if arguments.publish:
            _publish(part, folder)
    say(f"tables, plots and JSON are in {folder}")


def _main(argv: Sequence[str]) -> int:
    """
    @return: the exit status.
    """
    named = bool(argv) and argv[0] in _PARTS
    parser = _parser(own_help=not named)
    arguments, options = parser.parse_known_args(argv[1:] if named else argv)
    if options and not named:
        parser.error(f"neither a part nor an option: {options[0]}")
    if arguments.publish and arguments.smoke:
        parser.error("the results of --smoke can't be published")
    return guarded(lambda: _run([argv[0]] if named else list(_PARTS), arguments, options))


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1:]))
