"""
SIGHUP, which is sent to reload a program, or because its terminal has ended.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from typing import Any

from twisted.logger import Logger

from brxy.reactor.signals import onSignal

__all__ = ["onHangup"]

_log = Logger()


def onHangup(reactor: Any, call: Callable[[], object]) -> None:
    """
    Call a function whenever SIGHUP arrives, or stop the reactor if the terminal in which
    this process was started has ended.

    When a terminal ends, the kernel sends SIGHUP to the process that leads the session, and a
    shell sends it on to its jobs as kill(1) would.  So the sender does not show which it was, but
    a session whose terminal has ended has no terminal.  A process that nohup(1) has started
    ignores SIGHUP at first: it outlives its terminal.
    """
    stays = signal.getsignal(signal.SIGHUP) == signal.SIG_IGN or not _hasTerminal()

    def hungUp() -> None:
        if stays or _hasTerminal():
            call()
        else:
            _log.info("the terminal has ended, stopping")
            reactor.stop()

    onSignal(reactor, signal.SIGHUP, hungUp)


def _hasTerminal() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
