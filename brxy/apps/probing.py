"""
A slot's exchange, as far as the app may not have taken it up yet.
"""

from __future__ import annotations

from brxy.apps.connection import AppConnection, KeepAliveGuess
from brxy.apps.keeper import Keeper
from brxy.interfaces import Address
from brxy.transport.connection import Shared
from brxy.transport.relay import Relay
from brxy.uptake.uptake import Uptake
from brxy.wire.frames import NOT_TAKEN_UP

__all__ = ["Probing"]

# What is sent in one piece, and is no longer than this (bytes), any app reads at once.
ONE_READ = 1024


class Probing(Keeper):
    """
    Sends a probe to the app: the first byte of an exchange, and the rest once that is read.

    @param uptake: decides what is a probe, and whether the app has taken it up; shared by all
        that connect to the app.  L{None} if the app's capacity is fixed: there are no probes.
    @ivar sent: see L{brxy.uptake.backends.Backend}.
    """

    def __init__(
        self,
        shared: Shared,
        address: Address,
        keep_alive: KeepAliveGuess,
        uptake: Uptake | None = None,
    ) -> None:
        super().__init__(shared, address, keep_alive)
        self._uptake = uptake
        self._estimate = None if uptake is None else uptake.estimate
        self._end_wanted = False
        self._paused = False
        self._relay: Relay | None = None
        self._probing = False
        self.sent = 0
        # What the time to the first byte of the answer is for, see Slowdown.began; 0: nothing.
        self._sample = 0
        self._began = 0.0
        # How many bytes of a probe were sent when it was taken up, until the app answers it;
        # else 0.
        self._offered = 0
        # What the app's kernel had acknowledged on the connection before the probe.
        self._acknowledged = 0
        if uptake is not None:
            uptake.backends.add(self)

    @property
    def exchange(self) -> object | None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        return self._relay

    @property
    def probing(self) -> bool:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        return self._probing

    @property
    def _probed(self) -> Uptake:
        assert self._uptake is not None, "the capacity of this app is fixed"
        return self._uptake

    def refused(self, relay: Relay, reason: str) -> None:
        """
        The app got no more than the first byte of the exchange.

        @param reason: L{NOT_TAKEN_UP}, or why it could not be reached.
        """
        relay.refused(reason)

    # Timing

    def _beginTiming(self) -> None:
        """
        The app gets an exchange.
        """
        self._sample = sample = self._probed.timing.began()
        if sample:
            self._began = self._shared.seconds()

    def _answers(self, connection: AppConnection) -> None:
        """
        The app begins to answer an exchange that is timed, or was a probe.
        """
        self._probed.audit.answered()
        sample, self._sample = self._sample, 0
        if sample:
            self._probed.timing.timed(sample, self._shared.seconds() - self._began)
        offered, self._offered = self._offered, 0
        if offered:
            # An app that had begun to read the rest has read all of it, and resets nothing.
            whole = self.sent == offered <= ONE_READ and not self._end_wanted
            self._probed.answeredTakenUp(self, whole and connection.isReset())

    # From the exchange

    def _weigh(self) -> bool:
        """
        Decide whether the exchange goes to the app whole.

        @return: whether it goes there at all.
        """
        if self._probed.estimate.begin():
            self._beginTiming()
            return True
        self._probing = self._probed.probe(self)
        if not self._probing:
            # The edge took the capacity for larger than it is now.
            relay, self._relay = self._relay, None
            assert relay is not None, "a probe of no exchange"
            self.refused(relay, NOT_TAKEN_UP)
        return self._probing

    def _adopt(self) -> AppConnection | None:
        """
        Take over the kept connection of another slot: an app that serves one connection at a
        time accepts no other while it waits on that one.
        """
        connection: AppConnection | None = self._probed.backends.takeKept()
        self._probed.estimate.kept = connection is not None
        if connection is not None:
            connection.changeOwner(self)
            self._connection = connection
        return connection

    def _sendRest(self, connection: AppConnection) -> Relay:
        """
        @return: the exchange, which is accepted with that.
        """
        relay = self._relay
        assert relay is not None, "a connection attempt outlived its exchange"
        rest = b"".join(self._outbox)
        self._outbox = []
        if rest:
            self.sent += len(rest)
            connection.write(rest)
        if self._paused:
            connection.pause()
        if self._end_wanted:
            connection.end()
        return relay

    def discard(self) -> None:
        """
        No exchange follows any more.
        """
        if self._uptake is not None:
            self._uptake.backends.remove(self)

    def _release(self) -> None:
        """
        The exchange is over, in whatever way.
        """
        if self._estimate is None:
            return
        self._sample = self._offered = 0
        if self._probing:
            self._probing = False
            self._probed.over()
        elif self._estimate.over():
            self._probed.promote()

    def recall(self) -> None:
        """
        The exchange is wanted elsewhere, unless the app has taken it up.
        """
        if self._probing:
            self._probed.recall()

    # From the uptake

    def isSent(self) -> bool:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        connection = self._connection
        if connection is None:
            return False
        if self._probing and not connection.isQuiet():
            # An app that has answered already, or has closed, is not to get the rest.
            return False
        # Twisted's transport gives it to the kernel in a later turn.
        return not connection.isCounted() or (
            connection.countTaken() > self._acknowledged and connection.isSent()
        )

    def sendByte(self) -> None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        connection = self._connection
        assert connection is not None, "a probe without a connection"
        waiting = b"".join(self._outbox)
        self._outbox = [waiting[1:]]
        self.sent = len(waiting[:1])
        if waiting:
            self._acknowledged = connection.countTaken()
            connection.write(waiting[:1])

    def takenUp(self) -> None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        connection = self._connection
        assert connection is not None, "taken up without a connection"
        self._probing = False
        self._beginTiming()
        relay = self._sendRest(connection)
        # What comes on a kept connection may have to do with the last exchange.
        if self.sent > 1 and connection.exchanges == 1:
            self._offered = self.sent
        relay.takenUp()

    def takeBack(self) -> None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        relay, self._relay = self._relay, None
        self._probing = False
        self._abandon()
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.abort()
        if relay is not None:
            self.refused(relay, NOT_TAKEN_UP)

    def giveKept(self) -> AppConnection | None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        if self._relay is not None:
            return None
        connection, self._connection = self._connection, None
        return connection

    def closeIdle(self) -> None:
        """
        See L{brxy.uptake.backends.Backend}.
        """
        if self._relay is None:
            self._drop()

    # From the connection

    def _closedByApp(self, connection: AppConnection) -> None:
        """
        The app closes the connection of a probe.
        """
        # One that was kept, the app closes when it likes.
        self._probed.closed(fresh=connection.exchanges == 1)
