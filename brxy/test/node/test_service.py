"""
Tests of L{brxy.node.service} with an app that runs already, the edge played by
hand.
"""

from __future__ import annotations

import os
import signal
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.node.output import PassedOn
from brxy.node.service import NodeService
from brxy.node.settings import NodeSettings
from brxy.node.uplink import REFUSED_PAUSE
from brxy.test.support.memory.network import FakeApp, FakeReactor, settle
from brxy.wire.frames import (
    ACCEPT,
    DATA,
    DONE,
    HELLO,
    KIND_HTTP,
    NEWEST,
    PING,
    PONG,
    READY,
    REFUSE,
    RETIRE,
    SPAWN,
    UNREADY,
    VERSION,
    dataFrames,
    frame,
)
from brxy.wire.greeting import Hello, Open, Welcome

SETTINGS = NodeSettings(
    "tcp:127.0.0.1:9080",
    "r",
    2,
    app=Address("127.0.0.1", 20000),
    ticket="t1",
    token="s3cret",
    generation=7,
)


class _Edge:
    """
    The edge's end of one slot.
    """

    def __init__(self, peer: FakeApp) -> None:
        self.peer = peer
        self.ours = peer.end.other

    def say(self, *frames: bytes) -> None:
        """
        Send frames.
        """
        self.peer.end.write(b"".join(frames))
        self.ours.deliver()

    def welcome(self, newest: bool = True, generation: int = 9) -> None:
        """
        Let the node in.
        """
        self.say(Welcome(VERSION, "edge", generation, newest).encode())

    def open(self, number: int = 1) -> None:
        """
        Begin an exchange.
        """
        self.say(Open(KIND_HTTP, False, "").encode(number), dataFrames(number, b"GET"))

    def heard(self) -> list[int]:
        """
        The types of the frames that came since the last time.
        """
        return [kind for kind, _, _ in self.ours.frames()]


class NodeServiceTests(SynchronousTestCase):
    """
    Tests of L{NodeService}.
    """

    def setUp(self) -> None:
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
            self.addCleanup(signal.signal, number, signal.getsignal(number))
        self.reactor = FakeReactor()
        self.exits: list[int] = []
        self.make()

    def make(self, **changes: Any) -> None:
        """
        Make another node.
        """
        settings = evolve(SETTINGS, **changes)
        self.service = NodeService(self.reactor, settings, self.exits.append, environ={})

    def begin(self) -> None:
        """
        Start the node, whose app answers.
        """
        self.service.startService()
        self.answer()

    def answer(self) -> None:
        """
        Have the app accept the connection that is attempted.
        """
        self.reactor.accept()
        settle(self.reactor, lambda: self.reactor.ends)

    def start(self, newest: bool = True) -> list[_Edge]:
        """
        Start the node, and let it in.
        """
        self.begin()
        edges = [_Edge(self.reactor.accept()) for _ in range(self.reactor.dialling())]
        for edge in edges:
            edge.welcome(newest)
            edge.heard()
        return edges

    def hello(self, edge: _Edge) -> Hello:
        """
        The HELLO that a slot began with.
        """
        kind, _, payload = edge.ours.frames()[0]
        self.assertEqual(kind, HELLO)
        return Hello.decode(payload)

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in steps.
        """
        self.reactor.pump([seconds / 40] * 40)

    def isStopped(self) -> bool:
        """
        @return: whether the reactor was stopped.
        """
        return bool(self.reactor.hasStopped)

    # Coming up

    def test_slots(self) -> None:
        """
        A node opens as many slots as its app takes exchanges, and introduces itself on
        each.
        """
        self.begin()
        self.assertEqual(self.reactor.dialling(), 2)
        edges = [_Edge(self.reactor.accept()) for _ in range(2)]
        first, second = [self.hello(edge) for edge in edges]
        self.assertEqual(first, second)
        self.assertEqual(
            (first.route, first.capacity, first.ticket, first.token, first.generation),
            ("r", 2, "t1", "s3cret", 7),
        )

    def test_names(self) -> None:
        """
        Each instance has a name of its own.
        """
        names = set()
        for _ in range(2):
            self.make()
            self.begin()
            names.add(self.hello(_Edge(self.reactor.accept())).instance)
            self.reactor.accept()
        self.assertEqual(len(names), 2)

    def test_ready(self) -> None:
        """
        A slot that was let in pulls.
        """
        self.begin()
        edge = _Edge(self.reactor.accept())
        self.assertEqual(edge.heard(), [HELLO])
        edge.welcome()
        self.assertEqual(edge.heard(), [READY])

    def test_waits(self) -> None:
        """
        A node waits until the app answers, and says so in one line.
        """
        with capturedLogs() as events:
            self.service.startService()
            for _ in range(20):
                self.assertEqual(self.reactor.dialling(), 1)
                self.reactor.refuse()
                self.advance(1)
            self.assertEqual(
                [formatEvent(event) for event in events],
                ["r: waiting until the app at 127.0.0.1:20000 answers"],
            )
        self.answer()
        self.assertEqual(self.reactor.dialling(), 2)

    def test_readyPath(self) -> None:
        """
        The app must answer the path that is given, for its route; what else it answers
        is logged.
        """
        self.make(ready_path="/up", route="a.example")
        with capturedLogs() as events:
            self.service.startService()
            for status in (b"503", b"200"):
                self.advance(0.2)
                app = self.reactor.accept()
                settle(self.reactor, lambda: self.reactor.ends)
                self.assertIn(b"GET /up HTTP/1.1\r\nHost: a.example\r\n", app.received)
                app.end.write(b"HTTP/1.1 %b X\r\n\r\n" % status)
                settle(self.reactor, lambda: self.reactor.ends)
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                "a.example: not ready yet: the app answers 503 to GET /up (Host: a.example)",
                "a.example: the app answers at 127.0.0.1:20000",
            ],
        )
        self.assertEqual(self.reactor.dialling(), 2)

    def test_stopWaiting(self) -> None:
        """
        A node that waits can be stopped.
        """
        self.service.startService()
        self.reactor.refuse()
        stopped = self.service.stopService()
        self.reactor.advance(1)
        self.successResultOf(stopped)
        self.assertEqual((self.reactor.dialling(), self.reactor.getDelayedCalls()), (0, []))

    def test_redials(self) -> None:
        """
        A slot that was lost is dialled again, and brings the generation that
        the edge gave it.
        """
        edge, _ = self.start()
        edge.peer.end.abortConnection()
        edge.ours.deliver()
        # The pause has up to a second of jitter.
        self.advance(2)
        self.assertEqual(self.reactor.dialling(), 1)
        again = _Edge(self.reactor.accept())
        self.assertEqual(self.hello(again).generation, 9)
        again.welcome()
        self.assertEqual(again.heard(), [READY])

    def test_withoutEdge(self) -> None:
        """
        Without an edge the node tries on, and says so once.
        """
        with capturedLogs() as events:
            self.begin()
            for _ in range(20):
                for _ in range(self.reactor.dialling()):
                    self.reactor.refuse()
                self.advance(10)
        self.assertGreater(len(self.reactor.connectors), 20)
        self.assertEqual(len([each for each in events if each["log_level"].name == "warn"]), 1)
        self.assertFalse(self.isStopped())

    def test_idleWithoutEdge(self) -> None:
        """
        A node without an edge is idle, and leaves in its time.
        """
        self.begin()
        self.advance(299)
        self.assertFalse(self.isStopped())
        self.advance(2)
        self.assertTrue(self.isStopped())

    # Exchanges

    def test_exchange(self) -> None:
        """
        An exchange goes to the app and back.
        """
        edge, _ = self.start()
        edge.open()
        app = self.reactor.accept()
        app.end.deliver()
        self.assertEqual(app.received, b"GET")
        app.end.write(b"200")
        app.end.other.deliver()
        self.assertEqual(edge.heard(), [ACCEPT, DATA])

    def test_refused(self) -> None:
        """
        When the app can't be reached the node takes nothing more on any slot, until the
        app answers again.  The log has a line of each.
        """
        edge, other = self.start()
        with capturedLogs() as events:
            edge.open()
            self.reactor.refuse()
            self.assertEqual((edge.heard(), other.heard()), ([REFUSE], [UNREADY]))
            for _ in range(20):
                self.reactor.refuse()
                self.reactor.advance(REFUSED_PAUSE * 1.5)
            self.assertEqual((edge.heard(), other.heard()), ([], []))
            self.answer()
        self.assertEqual((edge.heard(), other.heard()), ([READY], [READY]))
        where = "the app at 127.0.0.1:20000"
        self.assertEqual(
            [formatEvent(event) for event in events],
            [
                f"r: {where} cannot be reached any more: waiting until it answers",
                "r: the app answers at 127.0.0.1:20000",
            ],
        )

    def test_refusedWhileLeaving(self) -> None:
        """
        Not if the node is leaving by then.
        """
        edge, _ = self.start()
        edge.open()
        self.reactor.refuse()
        edge.say(frame(RETIRE))
        edge.heard()
        self.answer()
        self.reactor.advance(1)
        self.assertEqual(edge.heard(), [])

    # How long it lives

    def test_idle(self) -> None:
        """
        The newest instance leaves after the longer time without work.
        """
        self.start()
        self.advance(299)
        self.assertFalse(self.isStopped())
        self.advance(2)
        self.assertTrue(self.isStopped())

    def test_old(self) -> None:
        """
        An older one after the shorter, be it so from the beginning or later.
        """
        self.start(newest=False)
        self.advance(9)
        self.assertFalse(self.isStopped())
        self.advance(2)
        self.assertTrue(self.isStopped())

    def test_growsOld(self) -> None:
        """
        Once the edge reports a newer instance, the shorter idle time counts.
        """
        edge, _ = self.start()
        self.advance(20)
        edge.say(frame(NEWEST, 0, b"\0"))
        self.advance(9)
        self.assertFalse(self.isStopped())
        self.advance(2)
        self.assertTrue(self.isStopped())

    def test_busy(self) -> None:
        """
        A running exchange keeps an instance, however old.
        """
        edge, _ = self.start(newest=False)
        edge.open()
        self.reactor.accept()
        self.advance(1000)
        self.assertFalse(self.isStopped())
        edge.say(frame(DONE, 1, b"\1"))
        self.advance(9)
        self.assertFalse(self.isStopped())
        self.advance(2)
        self.assertTrue(self.isStopped())

    def test_retired(self) -> None:
        """
        A retired node takes nothing more on any slot, finishes what runs, and
        leaves.
        """
        edge, other = self.start()
        edge.open()
        self.reactor.accept()
        for each in (edge, other):
            each.say(frame(RETIRE))
        self.assertEqual((edge.heard(), other.heard()), ([UNREADY], [UNREADY]))
        self.advance(100)
        self.assertFalse(self.isStopped())
        edge.say(frame(DONE, 1, b"\0"))
        self.assertTrue(self.isStopped())

    def test_letInWhileLeaving(self) -> None:
        """
        A slot that is let in when the node is leaving does not pull.
        """
        self.begin()
        edge, other = [_Edge(self.reactor.accept()) for _ in range(2)]
        edge.welcome()
        edge.say(frame(RETIRE))
        other.welcome()
        self.assertNotIn(READY, other.heard())

    # A roll

    def test_roll(self) -> None:
        """
        SIGHUP asks the edge for newer instances, on one slot.
        """
        edges = self.start()
        os.kill(os.getpid(), signal.SIGHUP)
        self.reactor.advance(0)
        heard = [kind for edge in edges for kind in edge.heard()]
        self.assertEqual(heard, [SPAWN])

    def test_rollWithoutEdge(self) -> None:
        """
        Without an edge that is just said.
        """
        self.begin()
        with capturedLogs() as events:
            os.kill(os.getpid(), signal.SIGHUP)
            self.reactor.advance(0)
        [event] = events
        self.assertEqual(event["log_level"].name, "warn")

    # Going down

    def stop(self) -> Deferred[None]:
        return self.service.stopService()

    def settle(self, *edges: _Edge) -> None:
        """
        Have the edge answer what it is asked, and close when the node does.
        """
        for _ in range(3):
            for edge in edges:
                asked = edge.heard()
                if PING in asked:
                    edge.say(frame(PONG))
                edge.peer.end.deliver()
            self.reactor.advance(0)

    def test_stop(self) -> None:
        """
        An idle node that is stopped takes nothing more, closes its slots, and
        leaves no timer behind.
        """
        edge, other = self.start()
        stopped = self.stop()
        self.assertEqual(edge.heard()[:1], [UNREADY])
        other.say(frame(PONG))
        edge.say(frame(PONG))
        self.settle(edge, other)
        self.successResultOf(stopped)
        self.assertTrue(edge.ours.lost and other.ours.lost)
        self.assertFalse(edge.ours.aborted)
        self.assertEqual(self.reactor.timers(), 0)

    def test_stopCrossesOpen(self) -> None:
        """
        An OPEN that crosses the UNREADY of a node that is stopped is refused
        before the slot is closed, so that nothing gets lost.
        """
        edge, other = self.start()
        stopped = self.stop()
        edge.open()
        self.assertIn(REFUSE, edge.heard())
        edge.say(frame(PONG))
        self.settle(edge, other)
        self.successResultOf(stopped)

    def test_stopBeforePong(self) -> None:
        """
        What an edge answers to an earlier PING does not count for that.
        """
        edge, other = self.start()
        self.advance(19)
        self.advance(19)
        self.assertIn(PING, edge.heard())
        stopped = self.stop()
        for each in (edge, other):
            each.say(frame(PONG))
        edge.open()
        self.assertIn(REFUSE, edge.heard())
        self.assertFalse(edge.ours.disconnecting)
        for each in (edge, other):
            each.say(frame(PONG))
        self.settle(edge, other)
        self.successResultOf(stopped)

    def test_stopAndSlotLost(self) -> None:
        """
        A slot that is lost before the edge has answered is not waited for.
        """
        edge, other = self.start()
        stopped = self.stop()
        for each in (edge, other):
            each.peer.end.abortConnection()
            each.ours.deliver()
        self.reactor.advance(0)
        self.successResultOf(stopped)

    def test_stopWithSilentEdge(self) -> None:
        """
        An edge that does not answer is not waited for longer than the drain
        timeout.
        """
        self.make(drain_timeout=5.0)
        edge, other = self.start()
        stopped = self.stop()
        self.advance(4.9)
        self.assertNoResult(stopped)
        self.advance(0.2)
        for each in (edge, other):
            each.peer.end.deliver()
        self.advance(0.1)
        self.successResultOf(stopped)

    def test_stopDrains(self) -> None:
        """
        A running exchange is finished first.
        """
        edge, other = self.start()
        edge.open()
        app = self.reactor.accept()
        stopped = self.stop()
        self.advance(10)
        self.assertNoResult(stopped)
        app.end.write(b"200")
        app.end.other.deliver()
        self.assertIn(DATA, edge.heard())
        edge.say(frame(DONE, 1, b"\1"), frame(PONG))
        other.say(frame(PONG))
        self.settle(edge, other)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.timers(), 0)

    def test_stopTimeout(self) -> None:
        """
        For the drain timeout at most.
        """
        self.make(drain_timeout=5.0)
        edge, other = self.start()
        edge.open()
        self.reactor.accept()
        stopped = self.stop()
        self.advance(4.9)
        self.assertNoResult(stopped)
        self.settle(edge, other)
        self.advance(0.2)
        self.settle(edge, other)
        self.successResultOf(stopped)

    def test_stopAtOnce(self) -> None:
        """
        And not at all after a second signal.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            self.make()
            edge, other = self.start()
            edge.open()
            self.reactor.accept()
            stopped = self.stop()
            self.settle(edge, other)
            self.assertNoResult(stopped)
            os.kill(os.getpid(), number)
            self.reactor.advance(0)
            self.settle(edge, other)
            self.successResultOf(stopped)

    def test_stopAfterRefusal(self) -> None:
        """
        A slot that rests leaves no timer behind, either.
        """
        edge, other = self.start()
        edge.open()
        self.reactor.refuse()
        stopped = self.stop()
        for each in (edge, other):
            each.say(frame(PONG))
        self.settle(edge, other)
        self.successResultOf(stopped)
        self.assertEqual(self.reactor.timers(), 0)

    def test_stopWithoutEdge(self) -> None:
        """
        A node without an edge stops at once.
        """
        self.begin()
        self.successResultOf(self.stop())
        self.assertEqual(self.reactor.timers(), 0)
        self.assertEqual(self.reactor.dialling(), 0)


class PassOnTests(SynchronousTestCase):
    """
    Tests of L{PassedOn} and L{NodeSettings}.
    """

    def test_line(self) -> None:
        """
        A line goes on to the same descriptor of ours.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, reading)
        PassedOn()(writing, b"hello")
        os.close(writing)
        self.assertEqual(os.read(reading, 100), b"hello\n")

    def test_progress(self) -> None:
        """
        The bytes of a line that was shown before its end are not repeated, and lines of the
        other descriptor come between them.
        """
        reading, writing = os.pipe()
        other = os.dup(writing)
        self.addCleanup(os.close, reading)
        passed_on = PassedOn()
        passed_on.progress(writing, b"\r1%")
        passed_on(other, b"other")
        passed_on.progress(writing, b"\r1%\r2%")
        passed_on(writing, b"\r1%\r2%\r3%")
        passed_on(writing, b"next")
        os.close(writing)
        os.close(other)
        self.assertEqual(os.read(reading, 100), b"\r1%other\n\r2%\r3%\nnext\n")

    def test_nobodyReads(self) -> None:
        """
        Output that is not read any more is no error.
        """
        reading, writing = os.pipe()
        self.addCleanup(os.close, writing)
        os.close(reading)
        PassedOn()(writing, b"hello")

    def test_secret(self) -> None:
        """
        The token is in no log.
        """
        self.assertNotIn("s3cret", repr(SETTINGS))
