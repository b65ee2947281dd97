"""
A node's connections to one edge.
"""

from __future__ import annotations

from typing import Any, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.endpoints import clientFromString
from twisted.logger import Logger

from brxy.interfaces import Address
from brxy.node.dial import Dialer
from brxy.node.edgeend import EdgeEnd, Places
from brxy.node.link import Link
from brxy.node.settings import NodeSettings
from brxy.node.slot import EdgeSlot, EdgeSlotFactory
from brxy.reactor.deadlines import Deadlines
from brxy.transport.connection import Shared
from brxy.uptake.pull import pull
from brxy.uptake.uptake import Uptake
from brxy.values.capacity import UNSEEN
from brxy.wire.frames import VERSION
from brxy.wire.greeting import Hello, Welcome

__all__ = ["REFUSED_PAUSE", "Host", "Uplink"]

# A slot whose app refused a connection takes no exchanges for this long (seconds).
REFUSED_PAUSE = 0.1


# Slots that a node has open beyond those that pull, so that it need not dial when the app
# turns out to take more.
SPARE = 1


class Host(Places, Protocol):
    """
    What an uplink needs of the node.
    """

    @property
    def leaving(self) -> bool:
        """
        The node takes no more exchanges.
        """

    @property
    def pulls(self) -> bool:
        """
        Whether the node takes exchanges now.
        """

    def appRefused(self) -> None:
        """
        The app could not be reached for an exchange.
        """

    def newestChanged(self) -> None:
        """
        C{newest} of an uplink may have changed.
        """

    def retire(self) -> None:
        """
        An edge has the node finish its exchanges and end.
        """


class Uplink:
    """
    The slots that a node keeps open to one edge: as many as the app has places.

    @ivar newest: the node is the newest instance of its route, as far as this edge knows.
    @ivar admitted: the edge has admitted the node.
    """

    _log = Logger()

    def __init__(
        self,
        shared: Shared,
        host: Host,
        settings: NodeSettings,
        name: str,
        app: Address,
        uptake: Uptake | None = None,
    ) -> None:
        """
        @param name: the id of the node.
        @param app: where the app is.
        @param uptake: learns the capacity of the app; L{None} if that is fixed.
        """
        self.newest = True
        self.admitted = False
        self._host = host
        self._settings = settings
        self._name = name
        self._generation = settings.generation
        self._connected: bool | None = None
        self._refused = False
        self._resting = Deadlines(shared.reactor, REFUSED_PAUSE, self._rested)
        self._uptake = uptake
        self._told = 0
        self._reactor = shared.reactor
        self._slots = EdgeSlotFactory(shared, self, host, app, settings.send_proxy, uptake)
        self._dialer = Dialer(
            shared.reactor,
            clientFromString(shared.reactor, settings.edge),
            settings.token,
            settings.token_file,
            settings.tls,
        )
        self._links: list[Link] = []

    def start(self) -> None:
        """
        Begin to dial.
        """
        if self._uptake is None:
            self._dial(self._settings.capacity or UNSEEN)
        else:
            self._dial(self._uptake.estimate.pulls + SPARE)

    def _dial(self, number: int) -> None:
        """
        Have this number of slots, or more.
        """
        while len(self._links) < number:
            link = Link(
                self._dialer,
                self._slots,
                self._reactor,
                self._linkUp,
                self._linkDown,
                self._linkRefused,
            )
            self._links.append(link)
            link.startService()

    def _linkUp(self) -> None:
        if self._connected is not True:
            self._connected, self._refused = True, False
            self._log.info("connected to the edge at {edge}", edge=self._settings.edge)

    def _linkDown(self, why: str) -> None:
        if self._connected is not False:
            self._connected = False
            self._log.warn(
                "no connection to the edge at {edge}: {reason}; retrying",
                edge=self._settings.edge,
                reason=why,
            )

    def _linkRefused(self, why: str) -> None:
        # Logged also if the edge could not be reached before, because this needs another remedy.
        if not self._refused:
            self._connected, self._refused = False, True
            self._log.warn(
                "the edge at {edge} refuses this node: {reason}; retrying",
                edge=self._settings.edge,
                reason=why,
            )

    # As the owner of its slots

    def hello(self) -> Hello:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        settings = self._settings
        return Hello(
            VERSION,
            self._dialer.token,
            self._name,
            settings.route,
            self.capacity() or settings.capacity or UNSEEN,
            settings.ticket,
            self._generation,
            settings.send_proxy is not None,
            learns=self._uptake is not None,
        )

    def capacity(self) -> int | None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        if self._uptake is None:
            return None
        self._told = self._uptake.estimate.capacity
        return self._told

    def welcomed(self, slot: EdgeEnd, welcome: Welcome) -> None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        self.admitted = True
        self._generation = welcome.generation
        self.setNewest(welcome.newest)
        if self._uptake is not None:
            self.adjust()
        elif self._host.pulls:
            slot.ready()

    def rest(self, slot: EdgeEnd) -> None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        self._resting.start(slot)

    def refused(self, slot: EdgeEnd) -> None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        self.rest(slot)
        self._host.appRefused()

    def _rested(self, slot: EdgeEnd) -> None:
        if self._uptake is not None:
            self.adjust()
        elif self._host.pulls:
            slot.ready()

    def setNewest(self, newest: bool) -> None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        self.newest = newest
        self._host.newestChanged()

    def retire(self) -> None:
        """
        See L{brxy.node.edgeend.Owner}.
        """
        self._host.retire()

    # What the node decides

    def ready(self) -> None:
        """
        Take exchanges again.
        """
        if self._uptake is not None:
            self.adjust()
            return
        for slot in self._slots.slots:
            slot.ready()

    def adjust(self) -> None:
        """
        What is learned of the capacity may have changed: pull as many exchanges as that says,
        and report it to the edge.
        """
        uptake = self._uptake
        if uptake is None or not self._host.pulls:
            return
        number = uptake.estimate.pulls
        slots = [each for each in self._slots.slots if each.mayPull and each not in self._resting]
        pull(slots, number)
        if self._told != uptake.estimate.capacity:
            self._report(slots)
        self._dial(min(number + SPARE, self._settings.max_capacity))

    def _report(self, slots: list[EdgeSlot]) -> None:
        """
        Report the capacity by READY, although none is due: on another slot in place of one
        that pulls, so that at least one pulls all the time.  Without another slot, several
        pull.
        """
        slots.sort(key=lambda slot: not slot.isBetweenExchanges())
        pulling = [slot for slot in slots if slot.pulling]
        others = [slot for slot in slots if not slot.pulling]
        if others:
            others[0].ready()
            pulling[0].unready()
        elif len(pulling) > 1:
            pulling[0].unready()
            pulling[0].ready()

    def unready(self) -> None:
        """
        Take no more exchanges.
        """
        for slot in self._slots.slots:
            slot.unready()

    def requestRoll(self) -> bool:
        """
        Request newer instances of the node's route.

        @return: whether the request could be sent.
        """
        return any(slot.requestRoll() for slot in self._slots.slots)

    def settle(self) -> Deferred[Any]:
        """
        Wait until the edge has read what was sent till now: exchanges that it opened
        before that are refused, and go elsewhere.
        """
        return gatherResults([slot.settle() for slot in self._slots.slots])

    async def stop(self) -> None:
        """
        Close every slot, and let go of the reactor.
        """
        self._resting.stopAll()
        for slot in list(self._slots.slots):
            slot.close()
        await gatherResults([link.stopService() for link in self._links])
        self._slots.stop()
