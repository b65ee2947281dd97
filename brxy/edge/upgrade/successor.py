"""
The process that is to take the place of an edge, until it has.
"""

from __future__ import annotations

import subprocess
from contextlib import suppress
from typing import Any

from twisted.internet.defer import Deferred, TimeoutError

from brxy.edge.upgrade.channel import Channel, Message
from brxy.errors import BrxyError

__all__ = ["Successor", "UpgradeFailed"]

# Seconds in which the next edge reads its configuration, and in which it then serves.
_TIMEOUT = 60.0


class UpgradeFailed(BrxyError):
    """
    No other edge has taken the place of this one, which goes on.
    """


class Successor:
    """
    The process that is to take over.
    """

    def __init__(self, reactor: Any, channel: Channel, process: subprocess.Popen[bytes]) -> None:
        self._reactor = reactor
        self.channel = channel
        self._process = process
        self._kind = ""
        self._reporting: Deferred[Message] | None = None
        channel.start(self._received, self._lost)

    async def reports(self, kind: str) -> Message:
        """
        Wait for a message.

        @raise UpgradeFailed: it does not come.
        """
        self._kind = kind
        reporting: Deferred[Message] = Deferred()
        self._reporting = reporting
        reporting.addTimeout(_TIMEOUT, self._reactor)
        try:
            return await reporting
        except TimeoutError:
            raise UpgradeFailed(f"the next edge was not ready within {_TIMEOUT:g} s") from None

    def _received(self, message: Message) -> None:
        if message.kind == "failed":
            self._fail(message.fields["reason"])
        elif message.kind == self._kind and self._reporting is not None:
            reporting, self._reporting = self._reporting, None
            reporting.callback(message)

    def _lost(self) -> None:
        self._fail("the next edge ended before it was ready; its log says why")

    def _fail(self, reason: str) -> None:
        reporting, self._reporting = self._reporting, None
        if reporting is not None:
            reporting.errback(UpgradeFailed(reason))

    def end(self) -> None:
        """
        Nothing becomes of it.
        """
        self.channel.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._reactor.callLater(1.0, self._process.poll)
