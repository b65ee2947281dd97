"""
Reports an error at the start of a program in one line, and ends it with status 1.
"""

from __future__ import annotations

import encodings.idna  # noqa: F401  The first connection would load it, if it then can.
import gc
import sys
from typing import Any, NoReturn

from twisted.application.service import Service
from twisted.logger import ILogObserver
from twisted.python.components import Componentized

from brxy.errors import BrxyError
from brxy.processes.orphans import Orphans

__all__ = ["CannotStart", "Guarded", "fail"]


def fail(program: str, error: Exception) -> NoReturn:
    """
    Print in one line why the program can't start, and end it with status 1.

    @raise SystemExit: always.
    """
    sys.stderr.write(f"{program}: {error}\n")
    raise SystemExit(1)


class CannotStart(SystemExit, Exception):
    """
    Ends twistd with status 1 and without a traceback.

    It is an L{Exception} as well as a L{SystemExit}: only after an L{Exception} does twistd
    remove its pidfile, and pass the error on to the process that has started the daemon.
    """


class Guarded(Service):
    """
    A service around another one, which reports a L{BrxyError} at its start in one line
    instead of a traceback.
    """

    def __init__(
        self,
        program: str,
        foreground: bool,
        service: Service,
        reactor: Any = None,
        observer: ILogObserver | None = None,
    ) -> None:
        """
        @param program: the name of the command, for that line.
        @param foreground: whether twistd stays in the foreground.
        @param service: the service that is started and stopped.
        @param reactor: if it is given, this process reaps the orphans that its descendants
            leave, see L{Orphans}.
        @param observer: writes the log; L{None}: twistd's own does.
        """
        self._program = program
        self._foreground = foreground
        self._service = service
        self._reactor = reactor
        self._observer = observer

    def setServiceParent(self, parent: Any) -> None:
        """
        Become part of an application.  twistd begins to log after this, and takes the
        observer from the application.
        """
        super().setServiceParent(parent)
        if self._observer is not None and isinstance(parent, Componentized):
            parent.setComponent(ILogObserver, self._observer)

    def startService(self) -> None:
        """
        Start the service, or print the reason why it can't be started and end the program.

        @raise CannotStart: the service can't be started.
        """
        super().startService()
        if self._reactor is not None:
            Orphans(self._reactor).adopt()
        try:
            self._service.startService()
        except BrxyError as error:
            if not self._foreground:
                # Python writes the text to the log, and twistd to the terminal.
                raise CannotStart(str(error)) from None
            # twistd has replaced sys.stderr by the log.
            print(f"{self._program}: {error}", file=sys.__stderr__, flush=True)
            raise CannotStart(1) from None
        # All modules and what they hold stay in memory until the end.  Without this, each
        # full run of the garbage collector visits all of that, and the reactor waits for
        # 30 ms instead of a few.
        gc.freeze()

    def stopService(self) -> Any:
        """
        Stop the service.
        """
        super().stopService()
        return self._service.stopService()
