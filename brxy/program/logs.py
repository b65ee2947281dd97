"""
Where the log goes: the observer that takes the place of twistd's own.
"""

from __future__ import annotations

import shutil
import signal
import sys
from collections.abc import Callable, Mapping
from typing import Any, cast

from twisted.logger import ILogObserver, textFileLogObserver

from brxy.errors import UsageError
from brxy.program.logfile import LogFile
from brxy.program.terminallog import TerminalLog
from brxy.reactor.signals import onSignal

__all__ = ["logObserver"]


def logObserver(
    reactor: Any, options: Mapping[str, Any] | None, environ: Mapping[str, str]
) -> ILogObserver | None:
    """
    The observer for a log file or for a terminal.  From now on SIGUSR1 begins a new log
    file, and does nothing if there is none.

    @param options: those of twistd; L{None} if another program runs the service.
    @return: L{None} if twistd's own observer is right.
    @raise UsageError: the log file can't be opened.
    """
    if options is None or options.get("logger"):
        return None
    observer: ILogObserver | None = None
    rotate: Callable[[], None] = _nothing
    path = options.get("logfile")
    to_stdout = path == "-" or (not path and options.get("nodaemon"))
    if options.get("syslog"):
        pass
    elif not to_stdout:
        file = _opened(path or "twistd.log")
        observer, rotate = textFileLogObserver(cast(Any, file)), file.rotate
    elif options.get("nodaemon") and sys.stdout.isatty():
        observer = TerminalLog(sys.stdout, environ, _columns)
    onSignal(reactor, signal.SIGUSR1, rotate)
    return observer


def _opened(path: str) -> LogFile:
    try:
        return LogFile(path)
    except OSError as error:
        raise UsageError(f"--logfile {path}: {error.strerror or error}") from None


def _nothing() -> None:
    return


def _columns() -> int:
    return shutil.get_terminal_size().columns
