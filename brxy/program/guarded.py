"""
Errors at the start of a program: one line, and status 1.
"""

from __future__ import annotations

import gc
import sys
from typing import Any, NoReturn

from twisted.application.service import Service

from brxy.errors import BrxyError

__all__ = ["CannotStart", "Guarded", "fail"]


def fail(program: str, error: Exception) -> NoReturn:
    """
    Say in one line why brxy can't start, and end with status 1.

    @raise SystemExit: always.
    """
    sys.stderr.write(f"{program}: {error}\n")
    raise SystemExit(1)


class CannotStart(SystemExit, Exception):
    """
    Ends twistd with status 1 and no traceback.  It is an L{Exception} too:
    only after one of those does twistd remove its pidfile, and tell whoever
    waits for a daemon to come up.
    """


class Guarded(Service):
    """
    A service whose L{BrxyError}s on starting are one line, not a traceback.

    @param start: makes the service, in the process that will run it.
    """

    def __init__(self, program: str, foreground: bool, service: Service) -> None:
        self._program = program
        self._foreground = foreground
        self._service = service

    def startService(self) -> None:
        """
        Start the service, or end with a line that says why not.

        @raise CannotStart: always if it can't be started.
        """
        super().startService()
        try:
            self._service.startService()
        except BrxyError as error:
            if not self._foreground:
                # Python writes it to the log, and twistd to the terminal.
                raise CannotStart(str(error)) from None
            # By now sys.stderr is the log.
            print(f"{self._program}: {error}", file=sys.__stderr__, flush=True)
            raise CannotStart(1) from None
        # What is loaded stays: a full run of the collector looks at it no more,
        # and keeps the reactor waiting for a few milliseconds and not for 30.
        gc.freeze()

    def stopService(self) -> Any:
        """
        Stop the service.
        """
        super().stopService()
        return self._service.stopService()
