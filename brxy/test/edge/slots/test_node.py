"""
Tests of L{brxy.edge.slots.node}, the node played by hand.
"""

from __future__ import annotations

from typing import Any

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.eventlog import LogListener
from brxy.edge.events import Events
from brxy.edge.slots.node import SlotFactory
from brxy.test.support.memory.ends import verifyEnd
from brxy.test.support.memory.fakes import FakeHost, FakeRelay
from brxy.test.support.memory.network import FakeReactor, PipeEnd, connect, settle
from brxy.test.support.memory.recorders import HalfRecorder
from brxy.test.support.memory.slotframes import HELLO_FRAME, WELCOME_FRAME, opening, warnings
from brxy.wire.frames import (
    ACCEPT,
    DONE,
    END,
    GOAWAY,
    HELLO,
    KIND_HTTP,
    NEWEST,
    NOT_TAKEN_UP,
    OPEN,
    PING,
    PONG,
    READY,
    RECALL,
    REFUSE,
    RESET,
    RETIRE,
    SPAWN,
    UNREADY,
    VERSION,
    WELCOME,
    dataFrames,
    frame,
    readyFrame,
)
from brxy.wire.greeting import Hello


class EdgeSideTests(SynchronousTestCase):
    """
    L{NodeSlot}, with the node played by hand.
    """

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.host = FakeHost()
        self.factory = SlotFactory(self.reactor.shared, self.host, Events((LogListener(),)))
        self.dial()

    def dial(self) -> None:
        """
        Have a node connect.
        """
        self.slot = self.factory.buildProtocol(None)
        self.node = HalfRecorder()
        self.end, self.node_end = connect(self.reactor, self.slot, self.node)

    def say(self, *frames: bytes) -> None:
        """
        Have the node send frames, in one piece.
        """
        self.node_end.write(b"".join(frames))
        self.end.deliver()

    def greet(self) -> None:
        """
        Let the node in, and have it stand ready.
        """
        self.say(HELLO_FRAME, frame(READY))
        self.end.frames()

    def open(self, first: bytes = b"x", once: bool = False) -> FakeRelay:
        """
        Begin an exchange.
        """
        relay = FakeRelay(self.slot)
        self.host.take(self.slot)
        self.slot.open(relay, KIND_HTTP, once, "192.0.2.1:5", first)
        return relay

    def advance(self, seconds: float) -> None:
        """
        Let time pass, in steps.
        """
        self.reactor.pump([seconds / 40] * 40)

    def assertDropped(self, events: Any, why: str) -> None:
        """
        The slot is closed, with one line logged.
        """
        self.advance(0.1)
        self.assertTrue(self.end.lost or self.end.disconnecting)
        [line] = warnings(events)
        self.assertIn(why, line)
        self.assertEqual(self.flushLoggedErrors(), [])

    # Greeting

    def test_interface(self) -> None:
        """
        A slot is an end of exchanges.
        """
        verifyEnd(self.slot)

    def test_hello(self) -> None:
        """
        HELLO is answered by WELCOME, and READY makes the slot free.
        """
        self.say(HELLO_FRAME)
        self.assertEqual(self.end.frames(), [(WELCOME, 0, WELCOME_FRAME[4:])])
        self.assertEqual(self.host.free_slots, [])
        self.say(frame(READY))
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_helloInPieces(self) -> None:
        """
        What comes byte by byte is understood.
        """
        self.node_end.write(HELLO_FRAME + frame(READY))
        while self.end.deliver(1):
            pass
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_notWelcome(self) -> None:
        """
        A node that is not admitted gets the reason in GOAWAY, in one write, and its
        connection is closed after that.
        """
        with capturedLogs() as events:
            self.say(Hello(VERSION, "wrong", "node", "r", 1).encode())
            self.assertDropped(events, "its token is not the edge's")
        self.assertEqual(self.end.frames(), [(GOAWAY, 0, b"its token is not the edge's")])
        settle(self.reactor, lambda: [self.end, self.node_end])
        self.assertTrue(self.node.ended)
        self.assertTrue(self.end.lost)
        self.assertEqual(self.host.events, [])

    def test_noHello(self) -> None:
        """
        A node that does not send HELLO within 10 s is dropped silently.
        """
        self.say(HELLO_FRAME[:10])
        self.advance(9.9)
        self.assertFalse(self.end.aborted)
        with capturedLogs() as events:
            self.advance(2.8)
        self.assertTrue(self.end.lost)
        self.assertEqual(warnings(events), [])
        self.assertEqual(self.factory.slots, set())

    def test_greetingBreaches(self) -> None:
        """
        Before HELLO anything else is a breach: one line is logged, and the
        connection closed.
        """
        for what, why in [
            (frame(READY), "READY came out of turn"),
            (frame(PING), "PING came out of turn"),
            (dataFrames(1, b"x"), "never was"),
            (dataFrames(254, b"x"), "never was"),
            (frame(RESET, 255), "never was"),
            (WELCOME_FRAME, "WELCOME came out of turn"),
            (opening(1), "never was"),
            (b"GET / HTTP/1.1\r\n\r\n", "no type of frame"),
            (b"\x00" * 100, "no type of frame"),
            (frame(HELLO, 0, b"{}"), "version"),
            (frame(HELLO, 0, b"[" * 4000), "JSON"),
            (frame(HELLO, 1, b"{}"), "number of an exchange"),
            (b"\x01\x00\xff\xff" + b"x" * 1_000_000, "too long"),
        ]:
            self.dial()
            with capturedLogs() as events:
                self.say(what)
                self.assertDropped(events, why)
        self.assertEqual(self.host.events, [])

    # The end of the instance

    def test_letGo(self) -> None:
        """
        When the instance's end is seen first, what its node sent last still
        counts: an exchange it refused is refused, and not lost.
        """
        self.greet()
        relay = self.open()
        self.slot.letGo()
        self.assertFalse(self.end.aborted)
        self.say(frame(REFUSE, 1, b"takes nothing more"))
        self.assertEqual(relay.told, ["refused"])
        self.assertEqual(self.host.free_slots, [])

    def test_letGoInVain(self) -> None:
        """
        A slot that stays open after that is cut.
        """
        self.greet()
        relay = self.open()
        self.slot.letGo()
        self.advance(1.3)
        self.assertTrue(self.end.lost)
        self.assertEqual(relay.told, ["aborted"])

    # Breaches after it

    def test_idleBreaches(self) -> None:
        """
        Between exchanges too.
        """
        for what, why in [
            (frame(READY), "READY, which stands already"),
            (HELLO_FRAME, "HELLO came out of turn"),
            (dataFrames(1, b"x"), "never was"),
            (frame(ACCEPT, 1), "never was"),
            (frame(RESET, 255), "never was"),
            (frame(NEWEST, 0, b"\x01"), "NEWEST came out of turn"),
            (frame(GOAWAY), "GOAWAY came out of turn"),
            (frame(RETIRE), "RETIRE came out of turn"),
            (frame(200), "no type of frame"),
            (b"\x05\x00\x00\x03xyz", "READY is too long"),
        ]:
            self.dial()
            self.greet()
            with capturedLogs() as events:
                self.say(what)
                self.assertDropped(events, why)
            self.assertEqual(self.host.free_slots, [])
            self.assertEqual(self.host.events.pop(), "closed")

    def test_readyFlood(self) -> None:
        """
        A flood of READYs is one breach, and what follows is not looked at.
        """
        self.say(HELLO_FRAME)
        with capturedLogs() as events:
            self.say(frame(READY) * 100_000, frame(SPAWN))
            self.assertDropped(events, "READY, which stands already")
        self.assertNotIn("roll r", self.host.events)

    def test_breachesInAnExchange(self) -> None:
        """
        A breach while an exchange is on loses it, once.
        """
        accepted = frame(ACCEPT, 1)
        for what, why in [
            ([dataFrames(1, b"x")], "DATA came out of turn"),
            ([frame(END, 1)], "END came out of turn"),
            ([accepted, accepted], "ACCEPT came out of turn"),
            ([accepted, frame(REFUSE, 1)], "REFUSE came out of turn"),
            ([accepted, frame(END, 1), dataFrames(1, b"x")], "DATA came out of turn"),
            ([accepted, frame(END, 1), frame(END, 1)], "END came out of turn"),
            ([accepted, frame(DONE, 1, b"\1")], "DONE came out of turn"),
            ([accepted, opening(1)], "OPEN came out of turn"),
            ([accepted, dataFrames(2, b"x")], "never was"),
            ([accepted, frame(RESET, 255)], "never was"),
            ([accepted, HELLO_FRAME], "HELLO came out of turn"),
            ([frame(ACCEPT, 255)], "never was"),
        ]:
            self.dial()
            self.greet()
            relay = self.open()
            with capturedLogs() as events:
                self.say(*what)
                self.assertDropped(events, why)
            self.assertEqual(relay.told[-1], "aborted")
            self.assertEqual(self.host.busy, [])
            self.assertEqual(relay.near.written, b"")

    def test_numbersWrap(self) -> None:
        """
        After exchange 255 comes 1, and a frame of 255 is late then, while one of
        254 never was.
        """
        self.greet()
        for number in range(1, 256):
            self.open()
            self.assertEqual(self.end.frames()[-2][:2], (OPEN, number))
            self.say(frame(ACCEPT, number))
            self.slot.done(True)
        relay = self.open()
        self.assertEqual(self.end.frames()[-2][:2], (OPEN, 1))
        self.say(frame(END, 255), frame(ACCEPT, 1), dataFrames(1, b"x"))
        self.assertEqual(relay.near.written, b"x")
        with capturedLogs() as events:
            self.say(dataFrames(254, b"x"))
            self.assertDropped(events, "never was")

    def test_late(self) -> None:
        """
        Frames of an exchange that is over are dropped: until the next OPEN, and
        after it until the node has read DONE.
        """
        self.greet()
        self.open()
        self.say(frame(ACCEPT, 1))
        self.slot.done(True)
        self.say(dataFrames(1, b"late"), frame(END, 1))
        relay = self.open()
        self.say(dataFrames(1, b"later"), frame(RESET, 1), frame(ACCEPT, 2), dataFrames(2, b"y"))
        self.assertEqual(relay.told, ["accepted"])
        self.assertEqual(relay.near.written, b"y")
        self.assertFalse(self.end.aborted)

    def test_surplus(self) -> None:
        """
        An app that sends more than its response loses its connection, by the
        DONE that is still awaited, or with the slot when that has gone out.
        """
        self.greet()
        self.open()
        self.say(frame(ACCEPT, 1))
        self.slot.done(True)
        self.end.writes.clear()
        self.say(dataFrames(1, b"too much"))
        self.open()
        self.assertEqual(self.end.frames()[0], (DONE, 1, b"\0"))
        self.say(frame(ACCEPT, 2))
        self.slot.done(True)
        self.advance(0.1)
        with capturedLogs() as events:
            self.say(dataFrames(2, b"too much"), frame(READY))
            self.assertEqual(self.host.free_slots, [])
            self.assertDropped(events, "more than was asked for")

    def test_surplusInNext(self) -> None:
        """
        When the next exchange is on its way to that connection already, it is
        lost with the slot: its response might be what the app sent too much.
        """
        self.greet()
        self.open()
        self.say(frame(ACCEPT, 1))
        self.slot.done(True)
        relay = self.open()
        with capturedLogs() as events:
            self.say(dataFrames(1, b"HTTP/1.1 200 OK"), frame(ACCEPT, 2), dataFrames(2, b"x"))
            self.assertDropped(events, "more than was asked for")
        self.assertEqual((relay.told, relay.near.written), (["aborted"], b""))

    # An exchange

    def test_oneWrite(self) -> None:
        """
        OPEN and the first bytes go out in one write.
        """
        self.greet()
        self.open(b"GET /")
        self.assertEqual(self.end.writes, [opening(1) + dataFrames(1, b"GET /")])

    def test_largeFirst(self) -> None:
        """
        A head with the longest copy behind it is sent in one write of several
        frames.
        """
        self.greet()
        first = bytes(70_000)
        self.open(first)
        [write] = self.end.writes
        self.assertEqual(write, opening(1) + dataFrames(1, first))

    def test_exchange(self) -> None:
        """
        Bytes pass both ways, then DONE rides in the write of the next OPEN.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1), dataFrames(1, b"hello"))
        self.assertEqual(relay.told, ["accepted"])
        self.assertEqual(relay.near.written, b"hello")
        self.slot.write(b"more")
        self.end.writes.clear()
        self.slot.done(True)
        self.assertEqual(self.host.free_slots, [self.slot])
        self.assertEqual(self.end.writes, [])
        self.open(b"second")
        self.assertEqual(
            self.end.writes,
            [frame(DONE, 1, b"\1") + opening(2) + dataFrames(2, b"second")],
        )
        self.advance(0.1)
        self.assertEqual(len(self.end.writes), 1)

    def test_doneAlone(self) -> None:
        """
        DONE goes alone when no exchange follows within 10 ms, and one sweep
        serves every slot.
        """
        slots = []
        for _ in range(3):
            self.dial()
            self.greet()
            self.open()
            self.say(frame(ACCEPT, 1))
            self.end.writes.clear()
            slots.append((self.slot, self.end))
        self.advance(2)
        before = self.reactor.timers()
        for slot, _ in slots:
            slot.done(False)
        self.assertEqual(self.reactor.timers(), before + 1)
        self.reactor.advance(0.009)
        self.assertEqual([end.writes for _, end in slots], [[], [], []])
        self.reactor.advance(0.004)
        self.assertEqual([end.writes for _, end in slots], [[frame(DONE, 1, b"\0")]] * 3)
        self.advance(1)
        self.assertEqual(len(self.end.writes), 1)

    def test_nextAtOnce(self) -> None:
        """
        When an exchange ends within a batch of frames and the next begins at
        once, what follows in the batch is none of the next one's.
        """
        self.greet()
        relay = self.open()
        after: list[FakeRelay] = []

        def whole() -> None:
            self.slot.done(True)
            after.append(self.open())

        relay.onData = whole
        self.say(frame(ACCEPT, 1), dataFrames(1, b"whole"), dataFrames(1, b"too much"))
        self.assertEqual(relay.near.written, b"whole")
        self.advance(0.1)
        self.assertEqual((after[0].near.written, after[0].told), (b"", ["aborted"]))

    def test_halfCloses(self) -> None:
        """
        END passes both ways, and both are the end of a tunnel.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1), dataFrames(1, b"x"), frame(END, 1))
        self.assertTrue(relay.near.ended)
        relay.ended(relay.near)
        self.assertEqual(self.end.frames()[-1], (END, 1, b""))
        self.assertEqual(relay.told, ["accepted", "finished"])

    def test_refused(self) -> None:
        """
        REFUSE ends the exchange here, and implies UNREADY.
        """
        self.greet()
        relay = self.open()
        self.say(frame(REFUSE, 1, b"full \x1b[2J"))
        self.assertEqual(relay.told, ["refused"])
        self.assertTrue(relay.reason.isprintable())
        self.assertEqual((self.host.free_slots, self.host.busy), ([], []))
        self.assertEqual(self.host.events, ["unready"])
        self.say(frame(READY))
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_unreadyCrossesOpen(self) -> None:
        """
        UNREADY during an exchange lets it go on, and none follows.
        """
        self.greet()
        relay = self.open()
        self.say(frame(UNREADY), frame(ACCEPT, 1))
        self.assertEqual(relay.told, ["accepted"])
        self.slot.done(True)
        self.assertEqual(self.host.free_slots, [])

    def test_readyInAnExchange(self) -> None:
        """
        READY during an exchange counts from its end on.
        """
        self.greet()
        self.open()
        self.say(frame(UNREADY), frame(READY), frame(ACCEPT, 1))
        self.assertEqual(self.host.free_slots, [])
        self.slot.done(True)
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_resized(self) -> None:
        """
        The capacity that READY carries is reported before the slot is free; the largest is
        10,000, and none is 0.
        """
        self.say(HELLO_FRAME, readyFrame(3))
        self.assertEqual(self.host.events, ["resized 3"])
        self.assertEqual(self.host.free_slots, [self.slot])
        for payload in (b"\x00\x00", b"\x27\x11", b"\x01"):
            self.dial()
            with capturedLogs() as events:
                self.say(HELLO_FRAME, frame(READY, 0, payload))
            self.assertDropped(events, "READY says a capacity that is not 1..10000")
        self.assertEqual(self.host.events, ["resized 3", "closed", "closed", "closed"])

    def test_recall(self) -> None:
        """
        A recall goes out once, and the exchange is over only by what the node sends.
        """
        self.greet()
        relay = self.open()
        self.end.frames()
        self.slot.recall()
        self.assertEqual(self.end.frames(), [(DONE, 1, RECALL)])
        self.assertEqual((relay.told, self.host.busy), ([], [self.slot]))
        self.say(frame(REFUSE, 1, b"not taken up yet"))
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertEqual((self.host.busy, self.host.free_slots), ([], []))
        self.say(frame(READY))
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_recallCrosses(self) -> None:
        """
        After a recall the app may still take the exchange up, or break it off; the client may
        leave; and the node may be silent.
        """
        for frames, told in (
            ([frame(ACCEPT, 1)], ["accepted"]),
            ([frame(RESET, 1)], ["aborted"]),
            ([frame(REFUSE, 1), frame(READY)], ["refused"]),
        ):
            self.setUp()
            self.greet()
            relay = self.open()
            self.slot.recall()
            self.say(*frames)
            self.assertEqual(relay.told, told)
        self.setUp()
        self.greet()
        relay = self.open()
        self.slot.recall()
        self.slot.reset()
        self.say(frame(REFUSE, 1), frame(RESET, 1))
        self.assertEqual((relay.told, self.host.busy), ([], []))
        self.say(frame(READY))
        relay = self.open()
        self.slot.recall()
        self.advance(9.0)
        self.assertEqual((relay.told, self.host.events[-2:]), (["aborted"], ["silent", "closed"]))

    def test_resetByApp(self) -> None:
        """
        The node's RESET is answered at once, the exchange is lost, and the slot
        is free again.
        """
        self.greet()
        relay = self.open()
        self.end.writes.clear()
        self.say(frame(ACCEPT, 1), frame(RESET, 1, b"the app died"))
        self.assertEqual(self.end.frames(), [(RESET, 1, b"")])
        self.assertEqual(relay.told, ["accepted", "aborted"])
        self.assertEqual(relay.reason, "the app died")
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_resetAfterEnd(self) -> None:
        """
        So it is when the app had ended its direction before.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1), frame(END, 1), frame(RESET, 1))
        self.assertEqual(relay.told, ["accepted", "aborted"])
        self.assertEqual(self.end.frames()[-1], (RESET, 1, b""))
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_resetByClient(self) -> None:
        """
        After our RESET the slot takes nothing before the node's is there, and
        drops what comes.
        """
        self.greet()
        relay = self.open()
        self.slot.reset()
        self.assertEqual(self.end.frames()[-1], (RESET, 1, b""))
        self.say(frame(ACCEPT, 1), dataFrames(1, b"x"), frame(END, 1))
        self.assertEqual((self.host.free_slots, self.host.busy), ([], [self.slot]))
        self.say(frame(RESET, 1))
        self.assertEqual((self.host.free_slots, self.host.busy), ([self.slot], []))
        self.assertEqual(relay.told, [])
        self.advance(3)
        self.assertFalse(self.end.aborted)

    def test_resetCrossesRefuse(self) -> None:
        """
        After a REFUSE that crossed our RESET the slot is clear with the node's
        RESET, and READY must come anew.
        """
        self.greet()
        self.open()
        self.slot.reset()
        self.say(frame(REFUSE, 1))
        self.assertEqual(self.host.busy, [self.slot])
        self.say(frame(READY), frame(RESET, 1))
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_resetUnanswered(self) -> None:
        """
        A node that does not answer RESET within 1 s loses the slot, and the
        exchange counts until then.
        """
        self.greet()
        self.open()
        self.slot.reset()
        self.advance(0.95)
        self.assertFalse(self.end.aborted)
        self.assertEqual(self.host.busy, [self.slot])
        self.advance(0.4)
        self.assertTrue(self.end.lost)
        self.assertEqual(self.host.busy, [])
        self.assertEqual(self.host.events, ["closed"])

    def test_notAccepted(self) -> None:
        """
        An OPEN without ACCEPT for 5 s is lost, and its instance gets nothing
        more until it answers.
        """
        self.greet()
        relay = self.open()
        self.advance(4.9)
        self.assertEqual(relay.told, [])
        self.advance(1.4)
        self.assertEqual(relay.told, ["aborted"])
        self.assertTrue(self.host.instance.offer.suspended)
        self.assertEqual(self.end.frames()[-1], (RESET, 1, b""))
        self.say(frame(RESET, 1))
        self.assertFalse(self.host.instance.offer.suspended)
        self.assertEqual(self.host.events, ["silent", "answers"])
        self.assertEqual(self.host.free_slots, [self.slot])

    def test_acceptedInTime(self) -> None:
        """
        Once accepted, an exchange may take as long as it likes.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1))
        self.advance(100)
        self.assertEqual(relay.told, ["accepted"])
        self.assertEqual(self.host.events, [])

    # Backpressure

    def test_clientFull(self) -> None:
        """
        A client that takes no more pauses its slot, until the exchange is over.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1))
        relay.full(relay.near)
        self.assertFalse(self.end.reading)
        relay.drained(relay.near)
        self.assertTrue(self.end.reading)
        relay.full(relay.near)
        self.slot.reset()
        self.assertTrue(self.end.reading)

    def test_nodeFull(self) -> None:
        """
        A node that takes no more pauses the client, until it does.
        """
        self.greet()
        relay = self.open()
        self.say(frame(ACCEPT, 1))
        self.slot.write(bytes(70_000))
        self.assertTrue(relay.near.paused)
        self.assertTrue(self.slot.congested)
        settle(self.reactor, lambda: [self.node_end])
        self.assertFalse(relay.near.paused)

    # About the slot

    def test_ping(self) -> None:
        """
        PING is answered by PONG.
        """
        self.greet()
        self.say(frame(PING))
        self.assertEqual(self.end.frames(), [(PONG, 0, b"")])

    def test_silent(self) -> None:
        """
        A slot without an exchange gets a PING after a silent interval, and is
        dropped after another.
        """
        self.greet()
        # The HELLO was heard in the first one.
        self.advance(19)
        self.advance(19)
        self.assertEqual(self.end.frames(), [(PING, 0, b"")])
        self.assertFalse(self.end.aborted)
        with capturedLogs() as events:
            self.advance(19)
            self.assertDropped(events, "no answer to PING")

    def test_notSilent(self) -> None:
        """
        Whatever comes in proves that the node is alive.
        """
        self.greet()
        for _ in range(10):
            self.advance(19)
            self.say(frame(PONG))
        self.assertFalse(self.end.aborted)

    def test_silentInAnExchange(self) -> None:
        """
        While an exchange is on nothing is asked.
        """
        self.greet()
        self.open()
        self.say(frame(ACCEPT, 1))
        self.end.writes.clear()
        self.advance(100)
        self.assertEqual(self.end.writes, [])
        self.assertFalse(self.end.aborted)

    def test_spawn(self) -> None:
        """
        SPAWN asks for a roll of the instance's route.
        """
        self.greet()
        self.say(frame(SPAWN))
        self.assertEqual(self.host.events, ["roll r"])

    # The end

    def test_closedByNode(self) -> None:
        """
        A node that closes, and one that aborts, lose what runs on the slot.
        """
        for leave in (
            PipeEnd.loseConnection,
            PipeEnd.loseWriteConnection,
            PipeEnd.abortConnection,
        ):
            self.dial()
            self.greet()
            relay = self.open()
            leave(self.node_end)
            settle(self.reactor, lambda: [self.end])
            self.assertEqual(relay.told, ["aborted"])
            self.assertTrue(self.end.lost)
            self.assertEqual(self.host.busy, [])
            self.assertNotIn(self.slot, self.factory.slots)

    def test_nothingMatchesADyingSlot(self) -> None:
        """
        A slot that the node has closed gets no exchange any more, though its
        connection is gone only a moment later.
        """
        self.greet()
        self.node_end.loseConnection()
        self.end.deliver()
        self.assertFalse(self.end.lost)
        self.assertEqual(self.host.free_slots, [])

    def test_stop(self) -> None:
        """
        Stopping cuts off every slot and leaves no timer of theirs behind.
        """
        self.greet()
        self.open()
        self.slot.reset()
        self.dial()
        self.factory.stop()
        self.factory.shared.stop()
        self.reactor.advance(0)
        self.assertEqual(self.factory.slots, set())
        self.factory.shared.stop()
        self.assertEqual(self.reactor.timers(), 0)
