"""
Tests of L{brxy.node.uplink}: one capacity that serves two edges.
"""

from __future__ import annotations

from twisted.logger import LogLevel, capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.node.capacity import Capacity
from brxy.node.settings import NodeSettings
from brxy.node.uplink import REFUSED_PAUSE, Uplink
from brxy.test.support.memory.network import FakeApp, FakeReactor
from brxy.wire.frames import DONE, GOAWAY, HELLO, KIND_HTTP, READY, REFUSE, UNREADY, VERSION, frame
from brxy.wire.greeting import Hello, Open, Welcome


class _Node:
    """
    A node as its uplinks see it.
    """

    def __init__(self) -> None:
        self.capacity = Capacity(1)
        self.leaving = False
        self.uplinks: list[Uplink] = []
        self.newest: list[list[bool]] = []
        self.retired = 0

    def claim(self) -> bool:
        return self.capacity.claim()

    def exchangeOver(self) -> None:
        self.capacity.release()

    def newestChanged(self) -> None:
        self.newest.append([uplink.newest for uplink in self.uplinks])

    def retire(self) -> None:
        self.retired += 1

    @property
    def pulls(self) -> bool:
        return not self.leaving

    def appRefused(self) -> None:
        pass


class _Edge:
    """
    One edge, and the only slot that the node opens to it.
    """

    def __init__(self, peer: FakeApp) -> None:
        self._peer = peer
        self._node_end = peer.end.other

    def say(self, *frames: bytes) -> None:
        """
        Send frames.
        """
        self._peer.end.write(b"".join(frames))
        self._node_end.deliver()

    def heard(self) -> list[tuple[int, int, bytes]]:
        """
        The frames that came since the last call.
        """
        return self._node_end.frames()

    def open(self, number: int) -> list[int]:
        """
        Open an exchange.

        @return: the types of the frames that come at once.
        """
        self.say(Open(KIND_HTTP, False, "").encode(number))
        return [kind for kind, _, _ in self.heard()]


class UplinkTests(SynchronousTestCase):
    """
    Tests of L{Uplink}.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.node = _Node()
        self.edges = [self.dial(port, 10 + port) for port in (1, 2)]

    def dial(self, port: int, generation: int) -> _Edge:
        """
        Give the node one more edge, which admits it.
        """
        settings = NodeSettings(f"tcp:127.0.0.1:{port}", "r", 1, generation=generation)
        app = Address("127.0.0.1", 20000)
        uplink = Uplink(self.reactor.shared, self.node, settings, "node", app)
        self.node.uplinks.append(uplink)
        uplink.start()
        edge = _Edge(self.reactor.accept())
        [(kind, _, payload)] = edge.heard()
        self.assertEqual(kind, HELLO)
        self.assertEqual(Hello.decode(payload).generation, generation)
        edge.say(Welcome(VERSION, "edge", generation, True).encode())
        self.assertEqual([kind for kind, _, _ in edge.heard()], [READY])
        return edge

    def test_shared(self) -> None:
        """
        The slots to every edge pull.  An exchange that finds no place left is refused,
        and its slot pulls again after a pause.
        """
        one, other = self.edges
        self.assertEqual(one.open(1), [])
        self.assertEqual(self.reactor.dialling(), 1)
        self.assertEqual(other.open(1), [REFUSE])
        self.assertEqual(self.reactor.dialling(), 1)
        self.reactor.accept()
        one.say(frame(DONE, 1, b"\1"))
        self.reactor.pump([REFUSED_PAUSE / 4] * 6)
        self.assertEqual([kind for kind, _, _ in other.heard()], [READY])
        self.assertEqual(other.open(2), [])
        self.assertEqual(self.reactor.dialling(), 1)

    def test_refused(self) -> None:
        """
        A node whose edge refuses it logs that, also if it has logged before that it can't
        reach the edge; each of the two once.
        """
        settings = NodeSettings("tcp:127.0.0.1:3", "r", 1)
        uplink = Uplink(
            self.reactor.shared, self.node, settings, "node", Address("127.0.0.1", 20000)
        )
        self.node.uplinks.append(uplink)
        logged = self.enterContext(capturedLogs())
        uplink.start()
        self.reactor.refuse()
        self.reactor.pump([0.5] * 4)
        self.reactor.refuse()
        self.reactor.pump([0.5] * 4)
        edge = _Edge(self.reactor.accept())
        edge.say(frame(GOAWAY, 0, b"a node must bring a token"))
        self.reactor.pump([0.5] * 2)
        warnings = [formatEvent(each) for each in logged if each["log_level"] == LogLevel.warn]
        self.assertEqual(len(warnings), 2, warnings)
        self.assertIn("no connection to the edge at tcp:127.0.0.1:3: ", warnings[0] or "")
        self.assertEqual(
            warnings[1],
            "the edge at tcp:127.0.0.1:3 refuses this node: a node must bring a token; retrying",
        )

    def test_leaving(self) -> None:
        """
        A slot that was refused for lack of a place does not pull again when the node
        leaves.
        """
        one, other = self.edges
        one.open(1)
        other.open(1)
        one.heard()
        self.node.leaving = True
        for uplink in self.node.uplinks:
            uplink.unready()
        self.reactor.pump([REFUSED_PAUSE / 4] * 6)
        self.assertIn(UNREADY, [kind for kind, _, _ in one.heard()])
        self.assertEqual(other.heard(), [])

    def test_roll(self) -> None:
        """
        A roll can be requested of an edge that has admitted the node.
        """
        self.assertEqual([each.requestRoll() for each in self.node.uplinks], [True, True])
