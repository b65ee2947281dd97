"""
Runs fuzzers, one after the other: C{./dev fuzz}.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from attrs import frozen

from fuzz.corpus import ROOT, fill, keep, kept
from fuzz.targets import TARGETS

__all__: list[str] = []

# The folder for an input that shows a bug.
FINDINGS = ROOT / "findings"

# The limits of an input in seconds, and of a fuzzer's memory in MiB: in all, and more than it
# had at its beginning.
_TIMEOUT = 5
_MEMORY = 512
_GROWTH = 64

_STATE = re.compile(r"^#(\d+)\t(\w+) +cov: (\d+) ft: \d+ corp: (\d+)/\S+.*? rss: (\d+)Mb", re.M)


@frozen
class State:
    """
    The progress that libFuzzer reports.

    @ivar runs: inputs that were tried.
    @ivar coverage: branches that were taken.
    @ivar inputs: those that were added to the corpus.
    @ivar memory: in MiB.
    """

    runs: int
    coverage: int
    inputs: int
    memory: int


def main() -> None:
    """
    Run the fuzzers that the command line names.
    """
    parser = argparse.ArgumentParser(prog="./dev fuzz")
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("-t", "--time", type=int, default=60, help="seconds for each (60)")
    parser.add_argument(
        "--keep", action="store_true", help="add new inputs to fuzz/corpus, minimised"
    )
    options = parser.parse_args()
    if unknown := set(options.names) - set(TARGETS):
        parser.error(f"no such fuzzer: {', '.join(sorted(unknown))}")
    failed = [
        name for name in options.names or TARGETS if not _run(name, options.time, options.keep)
    ]
    if failed:
        sys.exit(f"failed: {', '.join(failed)}")


def _run(name: str, time: int, keeping: bool) -> bool:
    """
    @return: whether the fuzzer found nothing.
    """
    FINDINGS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="brxy-fuzz-") as work:
        found, known = Path(work, "found"), Path(work, "known")
        found.mkdir()
        fill(known, [*TARGETS[name].seeds(), *kept(name)])
        words = Path(work, "words")
        words.write_text("".join(f'"{_escaped(word)}"\n' for word in TARGETS[name].words))
        limits = (f"-max_total_time={time}", f"-timeout={_TIMEOUT}", f"-rss_limit_mb={_MEMORY}")
        output = _harness(
            name, *limits, f"-dict={words}", "-len_control=10", str(found), str(known)
        )
        good = _report(name, output)
        if good and keeping:
            good = _keep(name, Path(work, "least"), known, found)
    return good


def _keep(name: str, least: Path, *folders: Path) -> bool:
    """
    Keep only as many inputs of these folders as are needed to take every
    branch that all of them take.

    @return: whether that succeeded.
    """
    least.mkdir()
    output = _harness(name, "-merge=1", "-use_counters=0", str(least), *map(str, folders))
    if output.endswith("FAILED") or not any(least.iterdir()):
        print(output, flush=True)
        return False
    keep(name, least)
    return True


def _harness(name: str, *arguments: str) -> str:
    """
    @return: the output of libFuzzer, which exits with status 0 unless it found
        something.
    """
    command = [sys.executable, "-m", "fuzz.harness", name, *arguments]
    command += [f"-max_len={TARGETS[name].longest}", f"-artifact_prefix={FINDINGS}/{name}-"]
    ended = subprocess.run(
        command, stderr=subprocess.STDOUT, stdout=subprocess.PIPE, cwd=ROOT.parent
    )
    output = ended.stdout.decode("utf-8", "replace")
    return output if ended.returncode == 0 else output + "\nFAILED"


def _report(name: str, output: str) -> bool:
    """
    Report in a line what a fuzzer did, or print all its output.

    @return: whether it found nothing.
    """
    states = {
        found[2]: State(int(found[1]), int(found[3]), int(found[4]), int(found[5]))
        for found in _STATE.finditer(output)
    }
    begun, done = states.get("INITED"), states.get("DONE")
    if output.endswith("FAILED") or begun is None or done is None:
        print(output, flush=True)
        return False
    growth = done.memory - begun.memory
    seconds = int(re.findall(r"runs in (\d+) second", output)[-1])
    print(
        f"{name:<10} {done.runs:>8} runs, {done.runs // max(seconds, 1):>6}/s, "
        f"coverage {begun.coverage} to {done.coverage}, {done.inputs} inputs, "
        f"{done.memory} MiB, {growth} more than at first",
        flush=True,
    )
    return growth <= _GROWTH


def _escaped(word: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in word)


if __name__ == "__main__":
    main()
