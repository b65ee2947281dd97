"""
A link between nodes and an edge with a fault at a byte of the test's choice:
it breaks, or flips a bit.
"""

from __future__ import annotations

from typing import Any, cast

from attrs import evolve, frozen
from twisted.internet.endpoints import TCP4ServerEndpoint
from twisted.internet.interfaces import IListeningPort, ITCPTransport
from twisted.protocols.portforward import (
    ProxyClient,
    ProxyClientFactory,
    ProxyFactory,
    ProxyServer,
)

from brxy.interfaces import IInstance, SpawnOrder
from brxy.test.support.loopback.spawning import NodeSpawner

__all__ = ["FROM_EDGE", "FROM_NODE", "BadLink", "BadLinkSpawner", "Fault"]

FROM_NODE, FROM_EDGE = range(2)


@frozen
class Fault:
    """
    The fault of the first slot that is dialled.

    @ivar direction: of the bytes, L{FROM_NODE} or L{FROM_EDGE}.
    @ivar offset: the number of the byte that is affected.
    @ivar bit: the bit that is flipped; C{-1}: the connection is cut before the
        byte.
    """

    direction: int
    offset: int
    bit: int = -1


class _ToEdge(ProxyClient):
    """
    The half that faces the edge.
    """

    peer: _ToNode

    def dataReceived(self, data: bytes) -> None:
        """
        Pass on bytes from the edge.
        """
        self.peer.passOn(FROM_EDGE, data, self.peer.transport)


class _ToEdgeFactory(ProxyClientFactory):
    """
    Makes the half that faces the edge.
    """

    noisy = False
    protocol = _ToEdge


class _ToNode(ProxyServer):
    """
    The half that faces the node.

    @ivar counts: how many bytes came, by direction.
    """

    clientProtocolFactory = _ToEdgeFactory
    factory: BadLink
    fault: Fault | None = None
    is_cut = False
    peer: _ToEdge | None

    def connectionMade(self) -> None:
        """
        Connect to the edge when a node dials.
        """
        self.counts = [0, 0]
        self.is_first = not self.factory.slots
        self.factory.slots += 1
        if self.is_first:
            self.fault = self.factory.fault
        cast(ITCPTransport, self.transport).setTcpNoDelay(True)
        super().connectionMade()

    def dataReceived(self, data: bytes) -> None:
        """
        Pass on bytes from the node.
        """
        assert self.peer is not None
        self.passOn(FROM_NODE, data, self.peer.transport)

    def passOn(self, direction: int, data: bytes, target: Any) -> None:
        """
        Pass bytes on, with the fault.
        """
        if self.is_cut:
            return
        if self.is_first:
            self.factory.passed[direction] += data
        fault, start = self.fault, self.counts[direction]
        self.counts[direction] += len(data)
        if fault is None or fault.direction != direction:
            target.write(data)
            return
        place = fault.offset - start
        if not 0 <= place < len(data):
            target.write(data)
        elif fault.bit < 0:
            self._cut(data[:place], target)
        else:
            self.factory.has_struck = True
            flipped = bytes([data[place] ^ 1 << fault.bit])
            target.write(data[:place] + flipped + data[place + 1 :])

    def _cut(self, last: bytes, target: Any) -> None:
        self.factory.has_struck = self.is_cut = True
        target.write(last)
        cast(ITCPTransport, self.transport).loseConnection()


class BadLink(ProxyFactory):
    """
    Passes all slots on to an edge, the first one with a fault.

    @ivar slots: how many there were.
    @ivar passed: what the first has carried, by direction, before the fault.
    @ivar has_struck: the fault has happened.
    """

    noisy = False
    protocol = _ToNode

    def __init__(self, fault: Fault | None) -> None:
        super().__init__("127.0.0.1", 0)
        self.fault = fault
        self.slots = 0
        self.passed = [bytearray(), bytearray()]
        self.has_struck = False
        self._port: IListeningPort | None = None

    def lead(self, reactor: Any, edge: str) -> str:
        """
        Connect the link to an edge.

        @return: the address that nodes dial.
        """
        if self._port is None:
            self.port = int(edge.rpartition(":")[2])
            listening = TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1").listen(self)
            listening.addCallback(self._listening)
        assert self._port is not None
        return f"tcp:127.0.0.1:{self._port.getHost().port}"  # type: ignore[attr-defined]

    def _listening(self, port: IListeningPort) -> None:
        self._port = port

    async def stop(self) -> None:
        """
        Accept no more slots.
        """
        if self._port is not None:
            stopped = self._port.stopListening()
            if stopped is not None:
                await stopped


class BadLinkSpawner(NodeSpawner):
    """
    Starts nodes that dial over a bad link.

    @ivar link: the link.
    """

    link: BadLink

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{brxy.interfaces.ISpawner}.
        """
        edge = self.link.lead(self._reactor, order.environment["BRXY_EDGE"])
        return super().spawn(evolve(order, environment={**order.environment, "BRXY_EDGE": edge}))
