"""
The output of an app, passed on unchanged to the output of its node.
"""

from __future__ import annotations

import os

__all__ = ["PassedOn"]


class PassedOn:
    """
    Writes the app's output to this process's own.  If that is closed (the edge that started the
    node is gone), the app's output is dropped, and the app does not notice.
    """

    def __init__(self) -> None:
        # How many bytes of the current line were passed on before its end, by descriptor.
        self._passed: dict[int, int] = {}

    def __call__(self, descriptor: int, line: bytes) -> None:
        """
        Pass on a line, given without its end.
        """
        passed = self._passed.pop(descriptor, 0)
        _write(descriptor, line[passed:] + b"\n")

    def progress(self, descriptor: int, line: bytes) -> None:
        """
        Pass on what a line that has no end yet consists of so far.
        """
        passed = self._passed.get(descriptor, 0)
        self._passed[descriptor] = len(line)
        _write(descriptor, line[passed:])


def _write(descriptor: int, data: bytes) -> None:
    try:
        os.write(descriptor, data)
    except OSError:
        return
