"""
Processes that a benchmark starts, and stops in any case.
"""

from __future__ import annotations

import http.client
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from attrs import frozen

from brxy.processes.ports import PORTS

__all__ = ["ROOT", "BenchError", "Process", "Servers", "freePort"]

# The folder in which python -m finds brxy and the benchmarks.
ROOT = Path(__file__).parents[2]

# A new process that loads Twisted takes 0.4 s, or several seconds when the machine is busy.
_START = 20.0

# Seconds between SIGTERM and SIGKILL.
_STOP = 5.0


class BenchError(Exception):
    """
    A benchmark can't continue. The text is one line for the user.
    """


@frozen(eq=False)
class Process:
    """
    A running process.

    @ivar name: its name in messages.
    @ivar log: the file with its output.
    """

    name: str
    popen: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        """
        Its process id.
        """
        return self.popen.pid

    def check(self) -> None:
        """
        Check that the process runs.

        @raise BenchError: it has ended.
        """
        status = self.popen.poll()
        if status is not None:
            raise self.failed(f"ended (status {status})")

    def failed(self, what: str) -> BenchError:
        """
        @return: an error with the last line of its output.
        """
        lines = self.log.read_text(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return BenchError(f"{self.name} {what}{last}")


def freePort() -> int:
    """
    @return: an unused port of this machine.
    """
    return PORTS.take()


class Servers:
    """
    Starts processes. As a context manager it ends them all.

    @ivar folder: a temporary folder, for their files.
    """

    def __init__(self) -> None:
        self._temporary = tempfile.TemporaryDirectory(prefix="bench-")
        self.folder = Path(self._temporary.name)
        self._processes: list[Process] = []

    def __enter__(self) -> Servers:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop(self._processes)
        self._temporary.cleanup()

    def start(self, name: str, command: Sequence[str]) -> Process:
        """
        Start a process. It gets SIGTERM if this one dies.

        @raise BenchError: there is no such program.
        """
        log = self.folder / f"{len(self._processes)}-{name}.log"
        with log.open("wb") as output:
            try:
                popen = subprocess.Popen(
                    ["setpriv", "--pdeathsig", "TERM", "--", *command],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    cwd=ROOT,
                    start_new_session=True,
                )
            except OSError as error:
                raise BenchError(f"can't start {name}: {error.strerror}") from None
        process = Process(name, popen, log)
        self._processes.append(process)
        return process

    def waitUntilAnswering(
        self, port: int, processes: Sequence[Process], patience: float = _START
    ) -> None:
        """
        Wait until a GET of C{/} at this port of 127.0.0.1 is answered with
        200.

        @param processes: those that must stay alive for that.
        @param patience: in seconds.
        @raise BenchError: one of them ended, or the time is over.
        """
        self._wait(lambda: _answers(port), processes, patience)

    def waitUntilListening(self, port: int, processes: Sequence[Process]) -> None:
        """
        Wait in the same way, but only until a connection is accepted.
        """
        self._wait(lambda: _listens(port), processes)

    def _wait(
        self,
        condition: Callable[[], bool],
        processes: Sequence[Process],
        patience: float = _START,
    ) -> None:
        """
        Wait until a condition holds.
        """
        deadline = time.monotonic() + patience
        while not condition():
            for process in processes:
                process.check()
            if time.monotonic() > deadline:
                raise processes[-1].failed("does not answer")
            time.sleep(0.02)

    def stop(self, processes: Sequence[Process]) -> None:
        """
        End these processes, the last one first.
        """
        ending = list(reversed(processes))
        for process in ending:
            process.popen.terminate()
        deadline = time.monotonic() + _STOP
        for process in ending:
            try:
                process.popen.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.popen.kill()
                process.popen.wait()
        self._processes = [one for one in self._processes if one not in ending]


def _listens(port: int) -> bool:
    """
    @return: whether a connection is accepted.
    """
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_START).close()
    except OSError:
        return False
    return True


def _answers(port: int) -> bool:
    """
    @return: whether a GET of C{/} is answered with 200.
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
