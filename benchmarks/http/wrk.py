"""
Puts loads on servers with wrk.
"""

from __future__ import annotations

import json
import math
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from attrs import frozen

from benchmarks.http.load import Load
from benchmarks.http.servers import BenchError

__all__ = ["Outcome", "run"]

_SCRIPT = Path(__file__).with_name("request.lua")

# Seconds from the end of a load to wrk's report.
_REPORT = 30.0


@frozen
class Outcome:
    """
    The result of a load.

    @ivar requests: the number that were answered.
    @ivar bytes: the number that were read.
    @ivar seconds: the length of the load.
    @ivar errors: broken connections, responses that are not 2xx or 3xx, and
        requests that took more than 10 s.
    @ivar p50: half of the responses took at most this long, in seconds.
    @ivar p99: 99 of 100 responses took at most this long, in seconds.
    """

    requests: int
    bytes: int
    seconds: float
    errors: int
    p50: float
    p99: float


def run(load: Load, port: int, seconds: float) -> Outcome:
    """
    Put the load on a port of 127.0.0.1.

    @raise BenchError: wrk is not installed or fails.
    """
    # wrk accepts only whole seconds, so it is interrupted.
    duration = math.ceil(seconds) + 1
    options = ["-t1", f"-c{load.connections}", f"-d{duration}s", "--timeout", "10s"]
    url = f"http://127.0.0.1:{port}{load.path}"
    output = _interrupted(
        ["wrk", *options, "-s", str(_SCRIPT), url, "--", *load.request()], seconds
    )
    lines = output.strip().splitlines() or ["nothing"]
    try:
        return Outcome(**json.loads(lines[-1]))
    except (ValueError, TypeError):
        raise BenchError(f"wrk failed: {lines[-1]}") from None


def _interrupted(command: Sequence[str], seconds: float) -> str:
    """
    Let a command run for this long, interrupt it, and return its output.
    """
    try:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
    except FileNotFoundError:
        raise BenchError("needs wrk (apt install wrk)") from None
    with process:
        try:
            time.sleep(seconds)
            process.send_signal(signal.SIGINT)
            return process.communicate(timeout=_REPORT)[0]
        except subprocess.TimeoutExpired:
            raise BenchError("wrk does not finish") from None
        finally:
            process.kill()
