"""
What a child prints: read from its pipes, and passed on line by line.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from brxy.processes.launch import Launched
from brxy.processes.pipes import LineReader
from brxy.values.causes import LINES, cause
from brxy.values.text import oneLine

__all__ = ["STDERR", "STDOUT", "Printed"]

STDOUT, STDERR = 1, 2

# How much of each of the last lines is kept, in bytes.
_LONGEST_KEPT = 800

# How much of a last line is worth keeping, in characters.
_MAX_LAST_LINE = 200


class Printed:
    """
    The output of one child.
    """

    _log = Logger()

    def __init__(
        self,
        reactor: Any,
        output: Callable[[int, bytes], None],
        progress: Callable[[int, bytes], None] | None,
    ) -> None:
        """
        @param output: called with L{STDOUT} or L{STDERR}, and a line without its end.
        @param progress: likewise, with each line that has no end yet and is written over,
            see L{LineReader}.
        """
        self._reactor = reactor
        self._output = output
        self._progress = progress
        self._readers: list[LineReader] = []
        self._last_lines: dict[int, deque[bytes]] = {
            STDOUT: deque(maxlen=LINES),
            STDERR: deque(maxlen=LINES),
        }

    @property
    def last_line(self) -> str:
        """
        The last line on standard error that says why the child failed, or that on
        standard output if there is none there; printable, and short.
        """
        lines = self._last_lines[STDERR] or self._last_lines[STDOUT]
        return oneLine(
            cause([line.decode("utf-8", "backslashreplace") for line in lines]), _MAX_LAST_LINE
        )

    def read(self, launched: Launched) -> None:
        """
        The child runs: read what it prints from now on.
        """
        self._readers = [
            self._reader(STDOUT, launched.stdout),
            self._reader(STDERR, launched.stderr),
        ]

    def _reader(self, number: int, descriptor: int) -> LineReader:
        progress = self._progress
        return LineReader(
            self._reactor,
            descriptor,
            lambda line: self._line(number, line),
            None if progress is None else lambda line: progress(number, line),
        )

    def _line(self, number: int, line: bytes) -> None:
        if line.strip():
            self._last_lines[number].append(line[:_LONGEST_KEPT])
        try:
            self._output(number, line)
        except Exception:
            # The end of the child must be noticed whatever happens to its output.
            self._log.failure("a line of a process could not be passed on")

    def drain(self) -> None:
        """
        Pass on what was printed up to now.
        """
        for reader in self._readers:
            reader.drain()

    def close(self) -> None:
        """
        Read no more.
        """
        for reader in self._readers:
            reader.close()
