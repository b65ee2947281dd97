"""
Tests of what keeps a node connected.
"""

from __future__ import annotations

import os

from twisted.internet.endpoints import TCP4ClientEndpoint
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from brxy.edge.config.settings import NodeTLSFiles
from brxy.edge.eventlog import LogListener
from brxy.edge.events import Events
from brxy.edge.slots.node import SlotFactory
from brxy.edge.slots.tls import NodeTLS
from brxy.interfaces import Address
from brxy.node.dial import Dialer, EdgeTLS
from brxy.node.link import Link, WatchedEndpoint
from brxy.node.slot import EdgeSlotFactory
from brxy.test.support.loopback.papers import Papers
from brxy.test.support.memory.fakes import FakeHost, FakeOwner
from brxy.test.support.memory.network import TCP_ADDRESS, FakeReactor, settle
from brxy.tls.handshakes import Handshakes, encrypted
from brxy.transport.connection import Shared
from brxy.wire.frames import GOAWAY, VERSION, frame
from brxy.wire.greeting import Welcome


class SecuredLinkTests(SynchronousTestCase):
    """
    Tests of L{Link} over TLS: an edge that refuses in the handshake, or after it,
    is dialled less and less often.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.papers = Papers(self.mktemp())
        self.told: list[str] = []

    def start(self, edge: NodeTLSFiles, node: EdgeTLS) -> None:
        """
        Start to dial.
        """
        owner = FakeOwner()
        slots = EdgeSlotFactory(Shared(self.reactor), owner, owner, Address("127.0.0.1", 20000))
        endpoint = TCP4ClientEndpoint(self.reactor, "127.0.0.1", 9080)
        dialer = Dialer(self.reactor, endpoint, tls=node)
        link = Link(dialer, slots, self.reactor, lambda: self.told.append("up"), self.told.append)
        link.startService()
        self.edge = NodeTLS(edge)
        self.host = FakeHost()
        self.factory = SlotFactory(self.reactor.shared, self.host, Events((LogListener(),)))

    def answer(self) -> None:
        """
        Have the edge accept a connection, with all that comes of it.
        """
        handshakes = Handshakes(self.reactor)
        secured = encrypted(self.factory, self.edge, handshakes, clock=self.reactor)
        node = self.reactor.accept()
        edge = secured.buildProtocol(TCP_ADDRESS)
        node.end.protocol = edge
        edge.makeConnection(node.end)
        settle(self.reactor, lambda: self.reactor.ends)

    def test_welcome(self) -> None:
        """
        It is up when the edge has let it in.
        """
        self.start(self.papers.edge(), self.papers.node("web1"))
        self.answer()
        self.assertEqual(self.told, ["up"])
        self.assertEqual(len(self.host.free_slots), 1)

    def assertBacksOff(self, why: str) -> None:
        """
        The pauses between attempts grow up to five seconds.
        """
        gaps = []
        for _ in range(15):
            self.answer()
            before = self.reactor.seconds()
            while not self.reactor.dialling():
                self.reactor.advance(0.01)
            gaps.append(self.reactor.seconds() - before)
        self.assertEqual(self.told, [why] * 15)
        for gap, least in zip(gaps, (0.15, 0.225, 0.33, 0.5, 0.75, 1.1), strict=False):
            self.assertGreaterEqual(gap, least)
        self.assertGreaterEqual(min(gaps[10:]), 5)
        self.assertLessEqual(max(gaps), 5.3)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_expired(self) -> None:
        """
        So it is with a certificate that has expired.
        """
        self.start(self.papers.edge(), self.papers.node("web1", days=-1))
        self.assertBacksOff("TLS: the other side says: certificate expired")

    def test_anotherName(self) -> None:
        """
        So it is with an edge of another name.
        """
        self.start(self.papers.edge("other"), self.papers.node("web1"))
        self.assertBacksOff("its certificate is not for 127.0.0.1")

    def test_noFile(self) -> None:
        """
        So it is with a file that is gone: nothing is dialled before it is back.
        """
        node = self.papers.node("web1")
        os.unlink(node.ca)
        self.start(self.papers.edge(ca=None), node)
        self.reactor.pump([0.01] * 6000)
        self.assertEqual(set(self.told), {f"{node.ca}: No such file or directory"})
        self.assertEqual(self.reactor.dialling(), 0)
        self.assertLess(len(self.told), 25)


class LinkTests(SynchronousTestCase):
    """
    Tests of L{Link}, with the edge played by hand.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        owner = FakeOwner()
        self.slots = EdgeSlotFactory(
            Shared(self.reactor), owner, owner, Address("127.0.0.1", 20000)
        )
        self.told: list[str] = []
        self.link = Link(
            TCP4ClientEndpoint(self.reactor, "edge", 9080),
            self.slots,
            self.reactor,
            lambda: self.told.append("up"),
            self.told.append,
        )
        self.link.startService()

    def settle(self) -> None:
        """
        Deliver all that was written.
        """
        settle(self.reactor, lambda: self.reactor.ends)

    def answer(self, *frames: bytes) -> None:
        """
        Accept a connection, answer, and close it if there is no answer.
        """
        edge = self.reactor.accept()
        edge.end.write(b"".join(frames))
        if not frames or frames[0] == frame(GOAWAY):
            edge.end.loseConnection()
        self.settle()

    def assertNextWithin(self, least: float, most: float) -> None:
        """
        The next attempt is made when these times are over.
        """
        self.reactor.advance(least - 0.01)
        self.assertEqual(self.reactor.dialling(), 0)
        self.reactor.advance(most - least + 0.02)
        self.assertEqual(self.reactor.dialling(), 1)

    def welcome(self) -> None:
        """
        Let it in.
        """
        self.answer(Welcome(VERSION, "edge", 7, True).encode())

    def test_up(self) -> None:
        """
        It is up when the edge has let it in, not when it has connected.
        """
        edge = self.reactor.accept()
        self.settle()
        self.assertEqual(self.told, [])
        edge.end.write(Welcome(VERSION, "edge", 7, True).encode())
        self.settle()
        self.assertEqual(self.told, ["up"])

    def test_unreachable(self) -> None:
        """
        A failed attempt is reported, and the next one is made a little later.
        """
        self.reactor.refuse()
        self.assertEqual(self.told, ["Connection was refused by other side."])
        self.assertNextWithin(0.15, 1.15)
        self.welcome()
        self.assertEqual(self.told[1:], ["up"])

    def test_notWelcome(self) -> None:
        """
        The pauses grow while it gets a connection but is not let in, however
        it is turned away, and are short again after it was.
        """
        for _ in range(5):
            self.answer(frame(GOAWAY))
            self.reactor.advance(7)
            self.answer()
            self.reactor.advance(7)
        whys = ["the edge is leaving", "the edge closed the connection"] * 5
        self.assertEqual(self.told, whys)
        self.answer()
        self.assertNextWithin(5, 6)
        self.welcome()
        self.reactor.apps[-1].end.loseConnection()
        self.settle()
        self.assertNextWithin(0.15, 1.15)
        self.assertEqual(self.flushLoggedErrors(), [])

    def stop(self) -> None:
        """
        Stop it, and see that nothing of it is left.
        """
        stopped = self.link.stopService()
        self.settle()
        self.successResultOf(stopped)
        self.slots.stop()
        self.reactor.advance(60)
        self.assertEqual(self.reactor.dialling(), 0)
        self.assertEqual(self.slots.slots, set())
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_stopDialling(self) -> None:
        """
        It can be stopped while it connects; that is no failure to tell.
        """
        self.stop()
        self.assertEqual(self.told, [])

    def test_stopGreeting(self) -> None:
        """
        It can be stopped while it waits for the edge's word.
        """
        self.reactor.accept()
        self.stop()
        self.assertEqual(self.told, [])

    def test_stopWaiting(self) -> None:
        """
        It can be stopped between two attempts.
        """
        self.reactor.refuse()
        self.stop()

    def test_stopConnected(self) -> None:
        """
        It can be stopped when all is well.
        """
        self.welcome()
        self.stop()

    def test_interface(self) -> None:
        """
        A watched endpoint is an endpoint.
        """
        endpoint = TCP4ClientEndpoint(self.reactor, "edge", 9080)
        verifyObject(IStreamClientEndpoint, WatchedEndpoint(endpoint, self.fail))
