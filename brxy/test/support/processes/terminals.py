"""
Pseudo-terminals with a program in each, for tests.
"""

from __future__ import annotations

import fcntl
import os
import re
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from pathlib import Path

from brxy.test.support.loopback.leftovers import DIES_WITH_US

__all__ = ["Screen"]


def _takeTerminal() -> None:
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    signal.signal(signal.SIGINT, signal.SIG_DFL)


class Screen:
    """
    A terminal whose session is led by a program.

    @ivar pid: of the program.
    """

    def __init__(
        self, argv: Sequence[str], folder: Path, environ: Mapping[str, str], columns: int = 120
    ) -> None:
        self._ours, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
        os.set_blocking(self._ours, False)
        self._process = subprocess.Popen(
            [*DIES_WITH_US, *argv],
            cwd=folder,
            env=environ,
            stdin=theirs,
            stdout=theirs,
            stderr=theirs,
            start_new_session=True,
            preexec_fn=_takeTerminal,
        )
        os.close(theirs)
        self.pid = self._process.pid
        self._shown = b""

    @property
    def shown(self) -> str:
        """
        Everything that was written to the terminal so far.
        """
        while self._ours != -1:
            try:
                data = os.read(self._ours, 65536)
            except OSError:
                # There is no more at the moment, or at all.
                break
            if not data:
                break
            self._shown += data
        return self._shown.decode("utf-8", "replace")

    @property
    def plain(self) -> str:
        """
        The same without the sequences that set colours.
        """
        return re.sub(r"\x1b\[[0-9;]*[mK]", "", self.shown)

    @property
    def status(self) -> int | None:
        """
        The exit status, as L{subprocess.Popen.returncode}; L{None} while the program runs.
        """
        return self._process.poll()

    def type(self, text: str) -> None:
        """
        Send what a person types.
        """
        os.write(self._ours, text.encode())

    def hangUp(self) -> None:
        """
        End the terminal, as a window that is closed and a broken ssh session do.
        """
        if self._ours != -1:
            os.close(self._ours)
            self._ours = -1

    def reap(self) -> None:
        """
        Clean up after the program was killed.
        """
        self.hangUp()
        self._process.wait()
