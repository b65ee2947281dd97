"""
An app as an end of exchanges.
"""

from __future__ import annotations

from twisted.python.failure import Failure

from brxy.apps.connection import AppConnection
from brxy.apps.probing import Probing
from brxy.transport.relay import Relay

__all__ = ["Backend"]


class Backend(Probing):
    """
    An app as an end of exchanges, one after another.

    @ivar congested: the connection to the app can take no more bytes for now.
    """

    def begin(self, relay: Relay, once: bool, client: str, first: bytes) -> None:
        """
        Begin an exchange.  C{relay.accepted()} is called when the app can be written
        to, maybe before this returns; or C{relay.refused()} if it can't be reached.

        @param once: the request must not be sent twice: use no kept connection that the
            app might be closing.
        @param client: see L{brxy.wire.proxyheader.endpointsFromText}.
        @param first: the first bytes for the app.
        """
        self._relay = relay
        self._end_wanted = self._paused = False
        estimate = self._estimate
        if estimate is not None:
            # Most exchanges are only counted: a call would cost as much as all of this.
            if estimate.skip and estimate.working < estimate.quick:
                estimate.working += 1
                estimate.skip -= 1
            elif not self._weigh():
                return
        connection = self._connection
        if connection is None and estimate is not None and estimate.kept:
            connection = self._adopt()
        if connection is not None:
            if not once or self._keep_alive.isSure(connection):
                connection.exchanges += 1
                if self._probing:
                    self.sent = 0
                    self._outbox = [first]
                    self._probed.ready()
                    return
                self.sent = len(first)
                if first:
                    connection.write(first)
                relay.accepted()
                return
            self._setAside(connection)
        self.sent = 0
        self._outbox = [first]
        self._dial()

    def _connected(self, connection: AppConnection) -> None:
        self._dialing = None
        self._connection = connection
        connection.exchanges = 1
        if self._probing:
            self._probed.ready()
        else:
            self._sendRest(connection).accepted()

    def _unreachable(self, failure: Failure) -> None:
        self._dialing = None
        relay, self._relay = self._relay, None
        if relay is not None:
            self._release()
            # Whatever the reason is: without a connection, no byte reached the app.
            self.refused(relay, failure.getErrorMessage())

    def broke(self, relay: Relay, reason: str) -> None:
        """
        The app broke the exchange off.
        """
        relay.aborted(self, reason)

    # As an end of an exchange

    def write(self, data: bytes) -> None:
        """
        See L{brxy.transport.relay.End}.  What is written before the app is connected is
        kept: the edge sends no more than it has a copy of until the app has accepted.
        """
        connection = self._connection
        if connection is None:
            self._outbox.append(data)
        elif self._probing:
            self._outbox.append(data)
            if not self.sent:
                self._probed.ready()
        else:
            self.sent += len(data)
            connection.write(data)

    def end(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._end_wanted = True
        if self._connection is not None and not self._probing:
            self._connection.end()

    def reset(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._letGo()

    def pause(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._paused = True
        if self._connection is not None:
            self._connection.pause()

    def resume(self) -> None:
        """
        See L{brxy.transport.relay.End}.
        """
        self._paused = False
        if self._connection is not None:
            self._connection.resume()

    def done(self, keep: bool) -> None:
        """
        The exchange is over.

        @param keep: the connection can serve again.
        """
        self._relay = None
        connection = self._connection
        if connection is None:
            self._abandon()
            self._release()
            return
        open_still = connection.alive and not (connection.read_ended or connection.broken)
        if keep and open_still and not (self._end_wanted or self._probing):
            if self._paused:
                connection.resume()
            connection.idle_since = self._shared.seconds()
            if connection.exchanges > 1:
                self._keep_alive.keeps_open = True
        else:
            self._drop()
        estimate = self._estimate
        if estimate is not None:
            self._sample = self._offered = 0
            if keep:
                estimate.kept = True
            if estimate.waits or self._probing:
                self._release()
            else:
                estimate.working -= 1

    def close(self, reason: str) -> None:
        """
        No more exchanges: let go of the app.  One that runs breaks off.
        """
        relay = self._relay
        self._letGo()
        if relay is not None:
            self.broke(relay, reason)

    def _letGo(self) -> None:
        # A reset tells an app that something broke off, and many log it.
        in_use, self._relay = self._relay is not None, None
        self._abandon()
        connection, self._connection = self._connection, None
        if connection is not None:
            if in_use:
                connection.abort()
            else:
                connection.close()
        if in_use:
            self._release()

    # What the connection reports

    def received(self, connection: AppConnection, data: bytes) -> None:
        """
        Bytes from the app.
        """
        if connection is not self._connection:
            return
        if self._relay is None:
            # No request is on: these bytes could be taken for the next response.
            self._letGo()
        elif not self._probing or self._probed.answered(connection.exchanges == 1):
            if self._sample or self._offered:
                self._answers(connection)
            self._relay.data(self, data)

    def appEnded(self, connection: AppConnection) -> None:
        """
        The app half-closed.  In an exchange that is passed on; between two, the
        connection can't be used again.
        """
        if connection is not self._connection:
            connection.close()
        elif self._relay is None:
            self._keep_alive.closed(connection)
            self._letGo()
        elif self._probing:
            self._closedByApp(connection)
        else:
            self._relay.ended(self)

    def appClosed(self, connection: AppConnection, reason: str) -> None:
        """
        The connection to the app is gone.
        """
        if connection is self._connection:
            self._connection = None
            if connection.read_ended and self._end_wanted:
                # Both directions ended before: the exchange is over by itself.
                return
            if self._probing:
                self._closedByApp(connection)
                return
            relay, self._relay = self._relay, None
            if relay is not None:
                self._release()
                self.broke(relay, reason)
            else:
                self._keep_alive.closed(connection)

    def appFull(self, connection: AppConnection) -> None:
        """
        The connection to the app can take no more for now.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.full(self)

    def appDrained(self, connection: AppConnection) -> None:
        """
        The connection to the app can take more again.
        """
        if connection is self._connection and self._relay is not None:
            self._relay.drained(self)
