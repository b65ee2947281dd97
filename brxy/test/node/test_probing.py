"""
Tests of the slots of a node whose app's capacity is learned; the edge, the app and what the
kernel knows of it are played by hand.
"""

from __future__ import annotations

from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.node.capacity import Capacity
from brxy.node.settings import NodeSettings
from brxy.node.uplink import Uplink
from brxy.test.support.memory.network import FakeApp, FakeDiag, FakeReactor, settle
from brxy.uptake.uptake import LOOKS, Uptake
from brxy.values.capacity import AUTO
from brxy.wire.frames import (
    DONE,
    KIND_HTTP,
    NAMES,
    NOT_TAKEN_UP,
    READY,
    RECALL,
    REFUSE,
    RESET,
    UNREADY,
    VERSION,
    dataFrames,
    frame,
)
from brxy.wire.greeting import Hello, Open, Welcome

MOST = 4


class _Node:
    """
    A node as its uplinks see it.
    """

    def __init__(self) -> None:
        self.capacity = Capacity(MOST)
        self.leaving = False
        self.pulls = True

    def claim(self) -> bool:
        return self.capacity.claim()

    def exchangeOver(self) -> None:
        self.capacity.release()

    def newestChanged(self) -> None:
        pass

    def retire(self) -> None:
        pass

    def appRefused(self) -> None:
        pass


class _Slot:
    """
    The edge's end of one slot.

    @ivar edge: the name of the edge.
    @ivar number: of the last exchange.
    @ivar heard: what has come: frames of each kind.
    """

    def __init__(self, edge: str, peer: FakeApp) -> None:
        self.edge = edge
        self.peer = peer
        self.number = 0
        self.pulls = False

    def say(self, *frames: bytes) -> list[str]:
        """
        Send frames.

        @return: what comes at once.
        """
        self.peer.end.write(b"".join(frames))
        self.peer.end.other.deliver()
        return self.heard()

    def heard(self) -> list[str]:
        """
        @return: the names of the frames that have come since the last call, READY with what it
            reports, and REFUSE with its reason.
        """
        names = []
        for kind, _, payload in self.peer.end.other.frames():
            name = NAMES[kind]
            if kind == READY:
                name += f" {int.from_bytes(payload, 'big')}"
            elif kind == REFUSE:
                name += f" {payload.decode()}"
            if kind in (READY, UNREADY, REFUSE):
                self.pulls = kind == READY
            names.append(name)
        return names

    def open(self, first: bytes = b"POST /") -> list[str]:
        """
        Open an exchange.
        """
        self.number += 1
        opening = Open(KIND_HTTP, False, "").encode(self.number)
        return self.say(opening + dataFrames(self.number, first))

    def recall(self) -> list[str]:
        """
        Take back what was opened.
        """
        return self.say(frame(DONE, self.number, RECALL))

    def done(self) -> list[str]:
        """
        The exchange is over.
        """
        return self.say(frame(DONE, self.number, b"\0"))


class ProbingTests(SynchronousTestCase):
    """
    Tests of L{Uplink} and its slots, with an app that takes up what the test lets it.
    """

    edges: tuple[str, ...] = ("one",)

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.diag = FakeDiag(self.reactor)
        self.node = _Node()
        self.unknown: list[str] = []
        self.uptake = Uptake(
            self.reactor,
            MOST,
            self.diag,
            changed=self.changed,
            unknown=self.unknown.append,
        )
        self.uplinks = []
        for name in self.edges:
            app = Address("127.0.0.1", 20000)
            settings = NodeSettings(
                edge="tcp:127.0.0.1:9000", route="r", capacity=AUTO, app=app, max_capacity=MOST
            )
            uplink = Uplink(self.reactor.shared, self.node, settings, name, app, self.uptake)
            self.uplinks.append(uplink)
        self.slots: list[_Slot] = []
        for uplink in self.uplinks:
            uplink.start()
            self.admit()

    def tearDown(self) -> None:
        stopping = [Deferred.fromCoroutine(uplink.stop()) for uplink in self.uplinks]
        self.reactor.advance(0)
        settle(self.reactor, lambda: self.reactor.ends)
        self.uptake.stop()
        self.reactor.advance(1)
        del stopping
        estimate = self.uptake.estimate
        self.assertEqual((estimate.working, estimate.probing), (0, False))
        self.assertEqual(self.uptake.backends.survey(), (0, set()))
        self.reactor.shared.stop()
        self.assertEqual(self.reactor.timers(), 0)

    def changed(self) -> None:
        for uplink in self.uplinks:
            uplink.adjust()

    def admit(self) -> None:
        """
        Have the edge admit every slot that the node opens.
        """
        while self.reactor.dialling():
            peer = self.reactor.accept()
            self.diag.accepted.add(peer)
            [(_, _, payload)] = peer.end.other.frames()
            hello = Hello.decode(payload)
            self.assertTrue(hello.learns)
            slot = _Slot(hello.instance, peer)
            self.slots.append(slot)
            slot.say(Welcome(VERSION, "edge", 7, True).encode())

    def pulling(self, edge: str = "one") -> list[_Slot]:
        """
        @return: the slots on which READY stands.
        """
        for slot in self.slots:
            slot.heard()
        return [slot for slot in self.slots if slot.pulls and slot.edge == edge]

    def look(self) -> None:
        """
        Let there be a look at the app.
        """
        for _ in range(60):
            self.reactor.advance((LOOKS[-1] + 0.002) / 60)

    def take(self, app: FakeApp) -> None:
        """
        The app accepts a connection, and reads what came on it.
        """
        self.diag.accepted.add(app)
        app.end.deliver()
        self.reactor.advance(0.001)
        app.end.deliver()
        self.look()

    def work(self) -> tuple[_Slot, FakeApp]:
        """
        Have the app at work on one exchange.
        """
        [slot] = self.pulling()
        self.assertEqual(slot.open(), [])
        app = self.reactor.accept()
        self.take(app)
        self.admit()
        return slot, app

    def probe(self) -> tuple[_Slot, FakeApp]:
        """
        Have one that the app may not take up.
        """
        slot = next(each for each in self.pulling() if not each.number)
        self.assertEqual(slot.open(), [])
        app = self.reactor.accept()
        self.assertEqual(app.end.pending(), b"P")
        return slot, app

    def test_atFirst(self) -> None:
        """
        Before the app has taken something up, one slot pulls.  Then one more does.
        """
        self.assertEqual(len(self.pulling()), 1)
        self.work()
        self.assertEqual(len(self.pulling()), 2)

    def test_takenUp(self) -> None:
        """
        ACCEPT goes out at once when a probe is taken up, and READY on another slot reports the
        capacity that was proven.  Until then there is no other probe.
        """
        self.work()
        slot, app = self.probe()
        self.diag.accepted.add(app)
        app.end.deliver()
        self.reactor.advance(0.001)
        self.assertEqual(slot.heard()[:1], ["ACCEPT"])
        app.end.deliver()
        self.assertEqual(app.received, b"POST /")
        self.look()
        self.admit()
        self.assertIn("READY 2", [name for each in self.slots for name in each.heard()])
        self.assertEqual(len(self.pulling()), 3)

    def test_recall(self) -> None:
        """
        A probe that is recalled is refused at once, as not taken up.
        """
        self.work()
        slot, app = self.probe()
        self.assertEqual(slot.recall(), [f"REFUSE {NOT_TAKEN_UP}"])
        self.assertTrue(app.end.other.aborted)
        # A recall that crossed it is ignored, and so is what was sent before.
        self.assertEqual(slot.recall(), [])
        self.assertEqual(slot.say(dataFrames(slot.number, b"more")), [])

    def test_recallWhileDialling(self) -> None:
        """
        So is one whose connection is not up yet.
        """
        self.work()
        slot = self.pulling()[-1]
        slot.open()
        self.assertEqual(slot.recall(), [f"REFUSE {NOT_TAKEN_UP}"])
        self.assertEqual(self.reactor.dialling(), 0)

    def test_recallTaken(self) -> None:
        """
        One that was taken up is not: ACCEPT is on its way, or goes out now.
        """
        slot, _ = self.work()
        slot.heard()
        self.assertEqual(slot.recall(), [])
        self.assertEqual(slot.done(), [])
        self.assertEqual(slot.recall(), [])
        slot.number += 1
        opened = slot.say(Open(KIND_HTTP, False, "").encode(slot.number))
        self.assertEqual(opened, [])
        self.reactor.accept()
        # The app's connection is up, and ACCEPT waits for its first bytes.
        self.assertEqual(slot.recall(), ["ACCEPT"])

    def test_recallWhileResetting(self) -> None:
        """
        A recall that crosses a RESET is ignored.
        """
        slot, app = self.work()
        app.end.abortConnection()
        app.end.other.deliver()
        self.assertEqual(slot.heard()[-1], NAMES[RESET])
        self.assertEqual(slot.recall(), [])
        self.assertEqual(slot.say(frame(RESET, slot.number)), [])
        self.assertEqual(self.uptake.estimate.working, 0)

    def test_resetProbe(self) -> None:
        """
        The client of a probe leaves.
        """
        self.work()
        slot, app = self.probe()
        self.assertEqual(slot.say(frame(RESET, slot.number)), ["RESET"])
        self.assertTrue(app.end.other.aborted)
        self.assertFalse(self.uptake.estimate.probing)

    def test_lostSlot(self) -> None:
        """
        The slot of a probe is lost, and then another one is opened in its place, which is all
        that there is of it.
        """
        self.work()
        slot, app = self.probe()
        slot.peer.end.abortConnection()
        slot.peer.end.other.deliver()
        self.assertTrue(app.end.other.aborted)
        self.assertFalse(self.uptake.estimate.probing)
        self.assertEqual(self.uptake.backends.survey()[0], 1)

    def test_lowered(self) -> None:
        """
        A capacity that has become lower is reported, too, and never are all slots without READY.
        """
        first, _ = self.work()
        second, app = self.probe()
        self.take(app)
        self.admit()
        self.pulling()
        self.uptake.estimate.unread(1)
        self.changed()
        self.assertIn("READY 1", [name for each in self.slots for name in each.heard()])
        self.assertEqual(len(self.pulling()), 2)
        del first, second

    def test_most(self) -> None:
        """
        The highest capacity is reported, although every slot carries an exchange and pulls.
        """
        reported: list[str] = []
        self.work()
        for _ in range(MOST - 1):
            _, app = self.probe()
            self.take(app)
            reported += [name for each in self.slots for name in each.heard()]
            self.admit()
        self.assertIn(f"READY {MOST}", reported)
        self.assertEqual(len(self.pulling()), MOST)
        self.assertEqual(len(self.slots), len(self.edges) * MOST)


class TwoEdgesTests(ProbingTests):
    """
    Tests with a second edge, whose slots lead to the same app.
    """

    edges = ("one", "two")

    def test_otherEdge(self) -> None:
        """
        While one edge has the place of the app, the other one's exchange is a probe, and what is
        beyond that is refused now and then, not again and again.
        """
        self.work()
        slot = self.pulling("two")[0]
        self.assertEqual(slot.open(), [])
        self.reactor.accept()
        refused = 0
        for _ in range(400):
            for other in self.pulling("two"):
                if other is not slot:
                    [answer] = other.open()
                    self.assertEqual(answer, f"REFUSE {NOT_TAKEN_UP}")
                    other.pulls = False
                    refused += 1
            self.reactor.advance(0.001)
        self.assertTrue(1 <= refused <= 6, refused)
