"""
Tests of L{brxy.node.slot}, the edge played by hand.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address
from brxy.node.slot import EdgeSlotFactory, NotWelcome
from brxy.test.support.memory.ends import verifyEnd
from brxy.test.support.memory.fakes import FakeOwner
from brxy.test.support.memory.network import FakeApp, FakeReactor, connect, settle
from brxy.test.support.memory.recorders import HalfRecorder
from brxy.test.support.memory.slotframes import HELLO_FRAME, WELCOME_FRAME, opening, warnings
from brxy.wire.frames import (
    ACCEPT,
    DONE,
    END,
    GOAWAY,
    NEWEST,
    OPEN,
    PING,
    PONG,
    READY,
    REFUSE,
    RESET,
    RETIRE,
    SPAWN,
    UNREADY,
    WELCOME,
    dataFrames,
    frame,
)


class NodeSideTests(SynchronousTestCase):
    """
    L{EdgeSlot}, with the edge played by hand.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.dial()

    def dial(self) -> None:
        """
        Connect to the edge.
        """
        self.owner = FakeOwner()
        owner = self.owner
        self.factory = EdgeSlotFactory(
            self.reactor.shared, owner, owner, Address("127.0.0.1", 20000)
        )
        self.slot = self.factory.buildProtocol(None)
        self.slot.welcomed.addErrback(self.unwelcome)
        self.why: list[str] = []
        self.edge = HalfRecorder()
        self.end, self.edge_end = connect(self.reactor, self.slot, self.edge)

    def unwelcome(self, failure: Any) -> None:
        failure.trap(NotWelcome)
        self.why.append(str(failure.value))

    def say(self, *frames: bytes) -> None:
        """
        Have the edge send frames, in one piece.
        """
        self.edge_end.write(b"".join(frames))
        self.end.deliver()

    def greet(self) -> None:
        """
        Be let in.
        """
        self.say(WELCOME_FRAME)
        self.end.frames()

    def start(self, first: bytes = b"GET", number: int = 1) -> FakeApp:
        """
        Begin an exchange, up to the app's connection.
        """
        self.say(opening(number), dataFrames(number, first))
        return self.reactor.accept()

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in steps.
        """
        self.reactor.pump([seconds / 40] * 40)

    def assertDropped(self, events: Any, why: str) -> None:
        """
        The slot is closed, with one line logged, and nothing runs.
        """
        self.advance(0.1)
        self.assertTrue(self.end.lost)
        [line] = warnings(events)
        self.assertIn(why, line)
        self.assertEqual(self.owner.running, 0)
        self.assertEqual(self.flushLoggedErrors(), [])

    def test_interface(self) -> None:
        """
        A slot is an end of exchanges.
        """
        verifyEnd(self.slot)

    def test_greeting(self) -> None:
        """
        HELLO goes out first, and READY after WELCOME.
        """
        self.assertEqual(self.end.writes, [HELLO_FRAME])
        self.slot.ready()
        self.assertEqual(self.end.writes, [HELLO_FRAME])
        self.say(WELCOME_FRAME)
        self.assertEqual(self.end.writes[1:], [frame(READY)])
        self.assertEqual(self.owner.newest, [True])
        self.assertTrue(self.slot.welcomed.called)

    def test_settle(self) -> None:
        """
        Before a slot closes for good the edge is asked to answer, and an OPEN
        that was on its way is refused before that.
        """
        self.slot.ready()
        self.greet()
        self.slot.unready()
        settled = self.slot.settle()
        self.assertEqual(self.end.frames(), [(UNREADY, 0, b""), (PING, 0, b"")])
        self.say(opening(1), dataFrames(1, b"GET"))
        self.assertNoResult(settled)
        self.assertEqual([kind for kind, _, _ in self.end.frames()], [REFUSE])
        self.say(frame(PONG))
        self.successResultOf(settled)

    def test_settleWithoutEdge(self) -> None:
        """
        An edge that goes instead has nothing to be asked.
        """
        self.greet()
        settled = self.slot.settle()
        self.edge_end.loseConnection()
        self.end.deliver()
        self.advance(0.1)
        self.successResultOf(settled)

    def test_notLetIn(self) -> None:
        """
        GOAWAY in place of WELCOME says why the edge does not let us in.
        """
        self.say(frame(GOAWAY, 0, b"no \x07 such token"))
        [why] = self.why
        self.assertIn("such token", why)
        self.assertTrue(why.isprintable())

    def test_closedBeforeWelcome(self) -> None:
        """
        So does a connection that is closed before.
        """
        self.edge_end.loseConnection()
        self.end.deliver()
        self.advance(0.1)
        self.assertEqual(self.why, ["the edge closed the connection"])

    def test_noWelcome(self) -> None:
        """
        An edge that does not say WELCOME within 10 s is given up.
        """
        self.advance(9.9)
        self.assertFalse(self.end.aborted)
        self.advance(2.8)
        self.assertTrue(self.end.lost)
        self.assertEqual(len(self.why), 1)

    def test_breaches(self) -> None:
        """
        A breach by the edge closes the slot, with one line.
        """
        data = dataFrames(1, b"x")
        first = [opening(1), data]
        for what, why in [
            ([WELCOME_FRAME], "WELCOME came out of turn"),
            ([opening(2)], "OPEN came out of turn"),
            ([opening(0xFF)], "OPEN came out of turn"),
            ([opening(1), opening(2)], "OPEN came out of turn"),
            ([data], "not on"),
            ([frame(DONE, 1, b"\1")], "not on"),
            ([*first, frame(ACCEPT, 1)], "ACCEPT came out of turn"),
            ([*first, frame(END, 1), data], "DATA came out of turn"),
            ([*first, frame(END, 1), frame(END, 1)], "END came out of turn"),
            ([*first, dataFrames(2, b"x")], "not on"),
            ([HELLO_FRAME], "HELLO came out of turn"),
            ([frame(READY)], "READY came out of turn"),
            ([frame(OPEN, 1, b"\x03\x00")], "kind"),
            ([frame(OPEN, 1, b"\x01\x02")], "flags"),
            ([b"HTTP/1.1 400 Bad Request\r\n\r\n"], "no type of frame"),
            ([b"\x02\x00\xff\xff" + bytes(1_000_000)], "too long"),
        ]:
            self.dial()
            self.greet()
            with capturedLogs() as events:
                self.say(*what)
                self.assertDropped(events, why)
            self.assertEqual(self.reactor.dialling(), 0)

    def test_greetingBreaches(self) -> None:
        """
        Before WELCOME anything else is a breach.
        """
        for what in (
            opening(1),
            frame(PING),
            frame(RETIRE),
            frame(WELCOME, 0, b"{}"),
            b"\xff" * 9,
        ):
            self.dial()
            with capturedLogs() as events:
                self.say(what)
                self.assertDropped(events, "")
            self.assertEqual(len(self.why), 1)

    def test_exchange(self) -> None:
        """
        ACCEPT rides in the write of the first bytes of the app.
        """
        self.greet()
        app = self.start()
        self.assertEqual(self.owner.running, 1)
        app.end.deliver()
        self.assertEqual(app.received, b"GET")
        self.assertEqual(self.end.writes, [])
        app.end.write(b"200")
        app.end.other.deliver()
        self.assertEqual(self.end.writes, [frame(ACCEPT, 1) + dataFrames(1, b"200")])
        self.say(frame(DONE, 1, b"\1"))
        self.assertEqual(self.owner.running, 0)
        self.advance(0.1)
        self.assertEqual(len(self.end.writes), 1)

    def test_acceptAlone(self) -> None:
        """
        ACCEPT goes alone after 10 ms when the app says nothing.
        """
        self.greet()
        self.start()
        self.reactor.advance(0.009)
        self.assertEqual(self.end.writes, [])
        self.reactor.advance(0.004)
        self.assertEqual(self.end.writes, [frame(ACCEPT, 1)])
        self.advance(0.1)
        self.assertEqual(len(self.end.writes), 1)

    def test_acceptWithEnd(self) -> None:
        """
        ACCEPT rides with the app's half-close, too.
        """
        self.greet()
        app = self.start()
        app.end.loseWriteConnection()
        app.end.other.deliver()
        self.assertEqual(self.end.writes, [frame(ACCEPT, 1) + frame(END, 1)])

    def test_acceptAtOnce(self) -> None:
        """
        When all that the edge sends before ACCEPT is there, it goes at once:
        the rest of the request waits for it.
        """
        for before in (True, False):
            self.dial()
            self.greet()
            self.say(opening(1), dataFrames(1, bytes(65_535)))
            if before:
                self.say(dataFrames(1, b"x"))
                self.reactor.accept()
            else:
                self.reactor.accept()
                self.assertEqual(self.end.writes, [])
                self.say(dataFrames(1, b"x"))
            self.assertEqual(self.end.writes, [frame(ACCEPT, 1)])

    def test_refused(self) -> None:
        """
        An app that takes no connection refuses the exchange; the slot takes
        nothing more until it is ready again.
        """
        self.greet()
        self.say(opening(1), dataFrames(1, b"GET"))
        self.reactor.refuse()
        [(kind, number, _)] = self.end.frames()
        self.assertEqual((kind, number), (REFUSE, 1))
        self.assertEqual(self.owner.resting, [self.slot])
        self.assertEqual(self.owner.running, 0)
        self.slot.ready()
        self.assertEqual(self.end.frames(), [(READY, 0, b"")])
        self.say(opening(2))
        self.assertEqual(self.reactor.dialling(), 1)

    def test_unreadyCrossesOpen(self) -> None:
        """
        An OPEN that crosses our UNREADY is refused, and so is what came with
        it dropped; the app hears nothing.
        """
        self.greet()
        self.slot.unready()
        self.say(opening(1), dataFrames(1, b"GET"), frame(END, 1))
        self.assertEqual([each[0] for each in self.end.frames()], [UNREADY, REFUSE])
        self.assertEqual((self.reactor.dialling(), self.owner.running), (0, 0))
        self.assertFalse(self.end.aborted)

    def test_full(self) -> None:
        """
        An OPEN for which the node has no place left is refused; the slot rests, and
        the app hears nothing.
        """
        self.greet()
        self.owner.full = True
        self.say(opening(1), dataFrames(1, b"GET"), frame(END, 1))
        self.assertEqual([each[0] for each in self.end.frames()], [REFUSE])
        self.assertEqual((self.reactor.dialling(), self.owner.running), (0, 0))
        self.assertEqual(self.owner.resting, [self.slot])
        self.owner.full = False
        self.slot.ready()
        self.assertEqual(self.end.frames(), [(READY, 0, b"")])
        self.say(opening(2))
        self.assertEqual(self.owner.running, 1)

    def test_resetCrossesRefuse(self) -> None:
        """
        A RESET for what we refused is answered all the same.
        """
        self.greet()
        self.slot.unready()
        self.say(opening(1))
        self.end.frames()
        self.say(frame(RESET, 1))
        self.assertEqual(self.end.frames(), [(RESET, 1, b"")])

    def test_resetByEdge(self) -> None:
        """
        RESET aborts the app's connection, or the attempt to make one, and is
        answered.
        """
        self.greet()
        self.say(opening(1), frame(RESET, 1))
        self.assertEqual(self.end.frames(), [(RESET, 1, b"")])
        self.assertEqual((self.reactor.dialling(), self.owner.running), (0, 0))
        app = self.start(number=2)
        self.say(frame(RESET, 2))
        self.assertEqual(self.end.frames(), [(RESET, 2, b"")])
        self.assertTrue(app.end.other.aborted)
        self.advance(0.1)
        self.assertEqual(self.end.frames(), [])

    def test_resetByApp(self) -> None:
        """
        An app that breaks off resets the exchange; the edge's RESET, or its
        DONE, clears the slot.
        """
        self.greet()
        for number, answer in [(1, frame(RESET, 1)), (2, frame(DONE, 2, b"\1"))]:
            app = self.start(number=number)
            app.end.abortConnection()
            app.end.other.deliver()
            self.assertEqual(
                [each[:2] for each in self.end.frames()], [(ACCEPT, number), (RESET, number)]
            )
            self.assertEqual(self.owner.running, 1)
            self.say(dataFrames(number, b"late"), frame(END, number), answer)
            self.assertEqual(self.owner.running, 0)
        self.start(number=3)
        self.assertFalse(self.end.aborted)

    def test_resetUnanswered(self) -> None:
        """
        An edge that does not answer RESET within 1 s loses the slot.
        """
        self.greet()
        app = self.start()
        app.end.abortConnection()
        app.end.other.deliver()
        self.advance(0.95)
        self.assertFalse(self.end.aborted)
        self.advance(0.4)
        self.assertTrue(self.end.lost)
        self.assertEqual(self.owner.running, 0)

    def test_backpressure(self) -> None:
        """
        An edge that takes no more pauses the app, an app that takes no more
        pauses the slot, and what paused one exchange does not pause the next.
        """
        self.greet()
        app = self.start()
        self.advance(0.1)
        app.end.write(bytes(70_000))
        app.end.other.deliver()
        self.assertFalse(app.end.other.reading)
        self.edge_end.deliver()
        self.assertTrue(app.end.other.reading)
        self.say(dataFrames(1, bytes(70_000)))
        self.assertFalse(self.end.reading)
        settle(self.reactor, lambda: [app.end])
        self.assertTrue(self.end.reading)

    def test_slotFullAtOpen(self) -> None:
        """
        An exchange that begins while the edge is behind with reading does not
        read from its app before the edge has caught up.
        """
        self.greet()
        app = self.start()
        app.end.write(bytes(70_000))
        app.end.other.deliver()
        self.say(frame(DONE, 1, b"\0"), opening(2))
        app = self.reactor.accept()
        self.assertFalse(app.end.other.reading)
        self.edge_end.deliver()
        self.assertTrue(app.end.other.reading)

    def test_goaway(self) -> None:
        """
        GOAWAY closes an idle slot, and a busy one when its exchange is over.
        """
        self.greet()
        self.start()
        self.say(frame(GOAWAY, 0, b"bye"))
        self.assertEqual(self.end.frames(), [(UNREADY, 0, b"")])
        self.advance(0.1)
        self.assertFalse(self.end.disconnecting)
        self.say(frame(DONE, 1, b"\0"))
        self.assertTrue(self.end.disconnecting)
        self.dial()
        self.greet()
        self.say(frame(GOAWAY))
        self.assertTrue(self.end.disconnecting)

    def test_told(self) -> None:
        """
        NEWEST and RETIRE reach the owner.
        """
        self.greet()
        self.say(frame(NEWEST, 0, b"\0"), frame(NEWEST, 0, b"\1"), frame(RETIRE, 0, b"go"))
        self.assertEqual(self.owner.newest, [True, False, True])
        self.assertEqual(self.owner.retired, 1)

    def test_ping(self) -> None:
        """
        PING is answered by PONG, also in an exchange.
        """
        self.greet()
        self.say(frame(PING), opening(1), frame(PING), frame(PONG))
        self.assertEqual(self.end.frames(), [(PONG, 0, b"")] * 2)

    def test_silent(self) -> None:
        """
        An edge that is silent for two intervals is given up.
        """
        self.greet()
        self.advance(19)
        self.advance(19)
        self.assertEqual(self.end.frames(), [(PING, 0, b"")])
        with capturedLogs() as events:
            self.advance(19)
            self.assertDropped(events, "no answer to PING")

    def test_slotLost(self) -> None:
        """
        When the slot is gone its exchange is, too, and its app connection.
        """
        self.greet()
        app = self.start()
        self.edge_end.abortConnection()
        self.end.deliver()
        self.advance(0.1)
        self.assertEqual(self.owner.running, 0)
        self.assertTrue(app.end.other.aborted)
        self.assertEqual(self.factory.slots, set())

    def test_roll(self) -> None:
        """
        A roll is asked for on a slot that was let in.
        """
        self.assertFalse(self.slot.requestRoll())
        self.greet()
        self.assertTrue(self.slot.requestRoll())
        self.assertEqual(self.end.frames(), [(SPAWN, 0, b"")])
