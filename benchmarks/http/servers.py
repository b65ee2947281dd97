"""
Processes that a benchmark starts, and stops again whatever happens.
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

# Where python -m finds brxy and the benchmarks.
ROOT = Path(__file__).parents[2]

# A fresh process that loads Twisted takes 0.4 s, or several when the machine is busy.
_START = 20.0

# Between SIGTERM and SIGKILL.
_STOP = 5.0


class BenchError(Exception):
    """
    A benchmark can't go on.  Its text is one line for whoever runs it.
    """


@frozen(eq=False)
class Process:
    """
    A process that runs.

    @ivar name: what it is, for messages.
    @ivar log: where its output goes.
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
        @raise BenchError: it has ended.
        """
        status = self.popen.poll()
        if status is not None:
            raise self.failed(f"ended (status {status})")

    def failed(self, what: str) -> BenchError:
        """
        An error, with the last line of its output.
        """
        lines = self.log.read_text(errors="replace").strip().splitlines()
        last = f": {lines[-1]}" if lines else ""
        return BenchError(f"{self.name} {what}{last}")


def freePort() -> int:
    """
    A port of this machine that nobody uses.
    """
    return PORTS.take()


class Servers:
    """
    Starts processes; a C{with} statement that ends them all.

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
        Start a process; it gets SIGTERM should this one die.

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

    def waitUntilAnswering(self, port: int, processes: Sequence[Process]) -> None:
        """
        Wait until a GET of C{/} at this port of 127.0.0.1 is answered 200.

        @param processes: those that must live for that.
        @raise BenchError: one of them ended, or time is over.
        """
        self._wait(lambda: _answers(port), processes)

    def waitUntilListening(self, port: int, processes: Sequence[Process]) -> None:
        """
        The same, but a connection is enough.
        """
        self._wait(lambda: _listens(port), processes)

    def _wait(self, condition: Callable[[], bool], processes: Sequence[Process]) -> None:
        """
        Wait until it holds.
        """
        deadline = time.monotonic() + _START
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
    Is a connection accepted?
    """
    try:
        socket.create_connection(("127.0.0.1", port), timeout=_START).close()
    except OSError:
        return False
    return True


def _answers(port: int) -> bool:
    """
    Is a GET of C{/} answered 200?
    """
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_START)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
