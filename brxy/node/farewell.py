"""
The report of a node whose app ended before any edge had admitted it.

The status of the node's process is a report too, but it does not reach the edge if the command
of the edge's C{--spawn} only launched the node, as C{docker run -d} does.
"""

from __future__ import annotations

from typing import Any
from uuid import uuid4

from twisted.internet.defer import Deferred
from twisted.internet.endpoints import clientFromString, connectProtocol
from twisted.internet.interfaces import ITransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure

from brxy.node.dial import Dialer
from brxy.node.settings import NodeSettings
from brxy.values.capacity import UNSEEN
from brxy.wire.frames import MAX_TEXT, VERSION
from brxy.wire.greeting import Hello

__all__ = ["reportEnd"]

# Seconds that the report may take.
_TIMEOUT = 3.0

_log = Logger()


class _Farewell(Protocol):
    """
    A slot that reports why the node will offer no other one.  An edge closes it; an older edge
    admits the node.
    """

    transport: ITransport

    def __init__(self) -> None:
        self.answered: Deferred[None] = Deferred()

    def say(self, hello: Hello) -> None:
        """
        Send the report.
        """
        self.transport.write(hello.encode())

    def dataReceived(self, data: bytes) -> None:
        """
        The edge has read the report.
        """
        self._done()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        """
        The edge has read the report, or the connection was lost before.
        """
        self._done()

    def _done(self) -> None:
        if not self.answered.called:
            self.answered.callback(None)


def reportEnd(reactor: Any, settings: NodeSettings, reason: str) -> Deferred[None]:
    """
    Report to the edge that the app has ended.

    @return: fires when the edge has the report, or can't get it.
    """
    reporting = Deferred.fromCoroutine(_report(reactor, settings, reason))
    reporting.addTimeout(_TIMEOUT, reactor)
    return reporting.addErrback(
        lambda failure: _log.warn(
            "can't report the end of the app to the edge at {edge}: {reason}",
            edge=settings.edge,
            reason=failure.getErrorMessage(),
        )
    )


async def _report(reactor: Any, settings: NodeSettings, reason: str) -> None:
    endpoint = clientFromString(reactor, settings.edge)
    dialer = Dialer(reactor, endpoint, settings.token, settings.token_file, settings.tls)
    farewell: _Farewell = await connectProtocol(dialer, _Farewell())
    farewell.say(
        Hello(
            VERSION,
            dialer.token,
            uuid4().hex,
            settings.route,
            settings.capacity or UNSEEN,
            settings.ticket,
            settings.generation,
            ended=reason.encode("ascii", "backslashreplace").decode("ascii")[:MAX_TEXT],
        )
    )
    try:
        await farewell.answered
    finally:
        farewell.transport.loseConnection()
