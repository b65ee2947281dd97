"""
Tests of L{brxy.uptake.uptake} and of the slots that share it, the app and what the kernel knows
of it played by hand.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.apps.announcing import Announcing
from brxy.apps.backend import Backend
from brxy.apps.connection import KeepAliveGuess
from brxy.interfaces import Address
from brxy.test.support.memory.fakes import FakeRelay
from brxy.test.support.memory.network import FakeApp, FakeDiag, FakeReactor, settle
from brxy.uptake.audit import AUDIT
from brxy.uptake.estimate import PAUSE_MOST, WINDOW
from brxy.uptake.uptake import BOUND, CLOSES, LOOKS, SILENCE, UNREAD_LIMIT, Uptake
from brxy.wire.frames import NOT_TAKEN_UP

APP = Address("127.0.0.1", 20000)
REQUEST = b"POST / HTTP/1.1"

# There are looks at a probe in this time (seconds) after it began.
LOOK = 0.002


class UptakeTests(SynchronousTestCase):
    """
    Base of tests with slots to one app, whose kernel has a queue for what it has not accepted.

    @ivar unknown: why the capacity can't be learned.
    @ivar changes: how many times what is learned may have changed.
    """

    server_first = False
    most = 100

    def setUp(self) -> None:
        self.reactor = FakeReactor()
        self.diag = FakeDiag(self.reactor)
        self.unknown: list[str] = []
        self.changes = 0
        self.stopped = False
        self.keep_alive = KeepAliveGuess()
        self.uptake = Uptake(
            self.reactor,
            self.most,
            self.diag,
            changed=self.changed,
            unknown=self.unknown.append,
            server_first=self.server_first,
            stopped=lambda: self.stopped,
        )
        self.slots: list[Backend] = []

    def tearDown(self) -> None:
        for slot in self.slots:
            slot.close("over")
            slot.discard()
        self.reactor.advance(1)
        estimate = self.uptake.estimate
        self.assertEqual((estimate.working, estimate.probing), (0, False))
        self.assertEqual(self.uptake.backends.survey(), (0, set()))
        self.uptake.stop()
        self.reactor.shared.stop()
        self.assertEqual(self.reactor.timers(), 0)

    def changed(self) -> None:
        self.changes += 1

    def slot(self) -> Backend:
        """
        Make a slot.
        """
        slot = Backend(self.reactor.shared, APP, self.keep_alive, self.uptake)
        self.slots.append(slot)
        return slot

    def begin(self, first: bytes = REQUEST, slot: Backend | None = None) -> FakeRelay:
        """
        Begin an exchange, on a slot of its own.
        """
        slot = self.slot() if slot is None else slot
        relay = FakeRelay(slot)
        slot.begin(relay, False, "", first)
        return relay

    def work(self, number: int = 1) -> list[FakeRelay]:
        """
        Have the app at work on this many exchanges more.
        """
        relays = []
        for _ in range(number):
            relay = self.begin()
            relays.append(relay)
            app = self.reactor.accept()
            self.takeUp(app)
            self.pass_(LOOK)
            self.settle()
            self.assertEqual((relay.told, app.received), (["accepted"], REQUEST))
            self.look()
        return relays

    def stand(self) -> tuple[FakeRelay, FakeApp]:
        """
        Have the app at work on one exchange, and a probe that it does not accept.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.look()
        self.assertEqual((relay.told, app.end.pending()), ([], REQUEST[:1]))
        return relay, app

    def takeUp(self, app: FakeApp) -> None:
        """
        The app accepts a connection, and reads what came on it.
        """
        self.diag.accepted.add(app)
        self.settle(app)

    def settle(self, *apps: FakeApp) -> None:
        """
        Deliver what was written, to these apps only; else to all that have accepted.
        """
        accepted = apps or tuple(self.diag.accepted)
        ours = [app.end.other for app in self.reactor.apps]
        settle(self.reactor, lambda: [app.end for app in accepted] + ours)

    def look(self) -> None:
        """
        Let there be a look at the probe.
        """
        self.pass_(LOOKS[-1] + 0.002)

    def pass_(self, seconds: float) -> None:
        """
        Let time pass in small steps.
        """
        until = self.reactor.seconds() + seconds
        while self.reactor.seconds() < until:
            self.reactor.advance(0.001)

    def finish(self, relay: FakeRelay, keep: bool = False) -> None:
        """
        An exchange is over.
        """
        relay.far.done(keep)
        self.look()


class ProbeTests(UptakeTests):
    """
    What becomes of an exchange that is sent to an app which may be full.
    """

    def test_takenUp(self) -> None:
        """
        The first exchange goes to the app whole.  Of the second the app gets one byte, and the
        rest when it has read that; then the capacity is 2.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.assertEqual(app.end.pending(), REQUEST[:1])
        relay.far.write(b" more")
        self.look()
        self.assertEqual((relay.told, self.uptake.estimate.capacity), ([], 1))
        self.takeUp(app)
        self.look()
        self.settle()
        self.assertEqual((relay.told, app.received), (["accepted"], REQUEST + b" more"))
        self.look()
        self.assertEqual(self.uptake.estimate.capacity, 2)
        self.assertTrue(self.changes)

    def test_restUnread(self) -> None:
        """
        If the app does not read the rest, it has one exchange that waits, which proves nothing:
        there is no other probe.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        app.end.deliver()
        self.look()
        estimate = self.uptake.estimate
        self.assertEqual((relay.told, app.received), (["accepted"], REQUEST[:1]))
        self.assertEqual((estimate.capacity, estimate.working, estimate.pulls), (1, 2, 2))
        self.assertEqual(self.begin().told, ["refused"])
        app.end.deliver()
        self.pass_(0.5)
        self.assertEqual(estimate.capacity, 2)

    def test_atOnce(self) -> None:
        """
        What was proven goes to the app whole, without a look.
        """
        for relay in self.work(3):
            self.finish(relay)
        looks = self.diag.looks
        for _ in range(3):
            relay = self.begin()
            self.assertEqual(self.reactor.accept().end.pending(), REQUEST)
            self.assertEqual(relay.told, ["accepted"])
        self.assertEqual(self.diag.looks, looks)

    def test_oneProbe(self) -> None:
        """
        While there is a probe, an exchange beyond the capacity is refused without a connection.
        """
        self.stand()
        relay = self.begin()
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertEqual(self.reactor.dialling(), 0)

    def test_notAtOnce(self) -> None:
        """
        What was refused so is not reported at once: the same exchange might come again and
        again.
        """
        self.stand()
        changes = self.changes
        self.begin()
        self.pass_(0.05)
        self.assertEqual(self.changes, changes)
        self.pass_(0.06)
        self.assertEqual(self.changes, changes + 1)

    def test_unread(self) -> None:
        """
        A probe that is accepted and not read is withdrawn by a reset, and no byte but the first
        reached the app.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        self.pass_(UNREAD_LIMIT / 2)
        self.assertEqual(relay.told, [])
        self.pass_(2 * UNREAD_LIMIT)
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertTrue(app.end.other.aborted)
        self.assertEqual(app.end.other.writes, [REQUEST[:1]])
        self.assertEqual((self.uptake.estimate.capacity, self.unknown), (1, []))

    def test_bound(self) -> None:
        """
        A probe that is not accepted stands until the bound is over.
        """
        relay, app = self.stand()
        self.pass_(BOUND - 0.1)
        self.assertEqual(relay.told, [])
        self.pass_(0.2)
        self.assertEqual((relay.told, app.end.other.aborted), (["refused"], True))

    def test_noConnection(self) -> None:
        """
        So does one whose connection does not even come up.
        """
        self.work()
        relay = self.begin()
        self.pass_(BOUND - 0.1)
        self.assertEqual(relay.told, [])
        self.pass_(0.2)
        self.assertEqual((relay.told, self.reactor.dialling()), (["refused"], 0))

    def test_unreachable(self) -> None:
        """
        A probe that finds no listener is refused with the reason, and is over.
        """
        self.work()
        relay = self.begin()
        self.reactor.refuse()
        self.assertEqual(relay.told, ["refused"])
        self.assertNotEqual(relay.reason, NOT_TAKEN_UP)
        self.assertFalse(self.uptake.estimate.probing)

    def test_place(self) -> None:
        """
        A probe that stands in the app's queue has the place of the next exchange that ends: the
        app gets all of it at once.
        """
        [first] = self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.look()
        self.finish(first)
        self.assertEqual((relay.told, app.end.pending()), (["accepted"], REQUEST))
        estimate = self.uptake.estimate
        self.assertEqual((estimate.working, estimate.capacity), (1, 1))
        # It has shown nothing, so the next one waits.
        self.assertEqual(self.begin().told, ["refused"])
        self.takeUp(app)
        self.look()
        self.assertEqual(self.begin().told, [])

    def test_noProof(self) -> None:
        """
        An app that answers one exchange before it takes up the next gets few probes, however
        many clients wait.
        """
        self.work()[0].far.done(False)
        began, probes = self.reactor.seconds(), 0
        while self.reactor.seconds() < began + 2:
            whole = self.begin()
            self.takeUp(self.reactor.accept())
            probe = self.begin()
            if not probe.told:
                probes += 1
                app = self.reactor.accept()
                whole.far.done(False)
                self.takeUp(app)
                self.pass_(LOOK)
                self.assertEqual(probe.told, ["accepted"])
                probe.far.done(False)
            else:
                whole.far.done(False)
            self.pass_(0.001)
        self.assertLess(probes, 25)
        self.assertEqual(self.uptake.estimate.capacity, 1)

    def test_keptPlace(self) -> None:
        """
        The connection of the exchange that ended is closed then, although it could serve again:
        an app that serves one connection at a time waits on it.
        """
        [first] = self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.look()
        self.finish(first, keep=True)
        self.settle()
        self.assertTrue(self.reactor.apps[0].ended)
        self.takeUp(app)
        self.assertEqual((relay.told, app.received), (["accepted"], REQUEST))

    def test_recall(self) -> None:
        """
        A probe that is wanted elsewhere is withdrawn by a reset; one that was taken up is not.
        """
        relay, app = self.stand()
        relay.far.recall()
        self.assertEqual((relay.told, app.end.other.aborted), (["refused"], True))

    def test_recallTaken(self) -> None:
        """
        A recall does nothing to an exchange that the app has.
        """
        first, second = self.work(2)
        for relay in first, second:
            relay.far.recall()
            self.assertEqual(relay.told, ["accepted"])

    def test_pause(self) -> None:
        """
        After a probe that was not taken up there is none while that connection is in the app's
        queue.  The pauses between the looks at the queue are bounded.
        """
        relay, app = self.stand()
        relay.far.recall()
        self.pass_(3.0)
        self.assertEqual(self.uptake.estimate.pulls, 1)
        self.assertLessEqual(self.uptake.estimate.pause, PAUSE_MOST)
        self.diag.accepted.add(app)
        changes = self.changes
        self.pass_(PAUSE_MOST)
        self.assertEqual(self.uptake.estimate.pulls, 2)
        self.assertGreater(self.changes, changes)

    def test_severalListeners(self) -> None:
        """
        Where several listeners share the address, a probe may stand in the queue of a busy one
        while another is idle: it is withdrawn soon.
        """
        self.diag.listeners = 2
        self.work()
        relay = self.begin()
        self.reactor.accept()
        self.pass_(UNREAD_LIMIT / 2)
        self.assertEqual(relay.told, [])
        self.pass_(2 * UNREAD_LIMIT)
        self.assertEqual(relay.told, ["refused"])
        self.pass_(PAUSE_MOST)
        self.assertEqual(self.uptake.estimate.pulls, 2)

    def test_hangup(self) -> None:
        """
        If the client leaves, the probe is over, and the next one may come.
        """
        relay, app = self.stand()
        relay.far.reset()
        self.assertTrue(app.end.other.aborted)
        self.assertEqual((relay.told, self.uptake.estimate.probing), ([], False))

    def test_hangupWhileDialling(self) -> None:
        """
        So it is if the connection is not up yet.
        """
        self.work()
        relay = self.begin()
        relay.far.reset()
        self.assertEqual(self.reactor.dialling(), 0)
        self.pass_(2 * BOUND)
        self.assertEqual(relay.told, [])

    def test_closedSlot(self) -> None:
        """
        If the slot is closed, the probe breaks off and is over.
        """
        relay, app = self.stand()
        relay.far.close("the app is gone")
        self.assertEqual(relay.told, ["aborted"])
        self.assertTrue(app.end.other.aborted)
        self.assertFalse(self.uptake.estimate.probing)

    def test_doneTooEarly(self) -> None:
        """
        The connection of a probe is not kept, whatever the edge says: a part of a request is on
        it.
        """
        relay, app = self.stand()
        relay.far.done(True)
        self.takeUp(app)
        self.assertTrue(app.ended)
        self.pass_(PAUSE_MOST)
        # Before there was a look at it, too.
        relay = self.begin()
        self.reactor.accept()
        relay.far.done(True)
        self.assertEqual(self.uptake.estimate.working, 1)

    def test_stopped(self) -> None:
        """
        An app that is stopped reads nothing, which says nothing: the probe stands, and is taken
        up when it goes on.
        """
        relay, app = self.stand()
        self.diag.accepted.add(app)
        self.stopped = True
        self.pass_(2 * BOUND)
        self.assertEqual(relay.told, [])
        self.stopped = False
        self.takeUp(app)
        self.pass_(0.1)
        self.assertEqual(relay.told, ["accepted"])

    def test_hidden(self) -> None:
        """
        If the connections can't be seen, the capacity is 1 for good.  That is reported once.
        """
        self.work(2)
        self.diag.hidden = True
        relay = self.begin()
        self.reactor.accept()
        self.pass_(0.2)
        self.assertEqual(relay.told, ["refused"])
        self.assertEqual(len(self.unknown), 1)
        self.diag.hidden = False
        self.pass_(2 * WINDOW)
        self.assertEqual((self.uptake.estimate.pulls, len(self.unknown)), (1, 1))

    def test_end(self) -> None:
        """
        The end of the client's direction, and a pause, reach the app's connection when the probe
        is taken up.
        """
        relay, app = self.stand()
        relay.far.end()
        relay.far.pause()
        self.takeUp(app)
        self.assertFalse(app.ended)
        self.look()
        self.settle()
        self.assertEqual((app.received, app.ended), (REQUEST, True))
        app.end.write(b"answer")
        self.settle()
        self.assertEqual(relay.near.written, b"")
        relay.far.resume()
        self.settle()
        self.assertEqual(relay.near.written, b"answer")


class BehindTests(UptakeTests):
    """
    Probes of an app that has not begun to read all that it has whole.
    """

    def behind(self, first: bytes = REQUEST) -> tuple[FakeRelay, FakeApp]:
        """
        Have the app accept two exchanges, of which it reads one, and begin a probe.
        """
        for relay in self.work(2):
            self.finish(relay)
        for _ in range(2):
            self.begin()
        self.takeUp(self.reactor.accept())
        self.unread = self.reactor.accept()
        self.diag.accepted.add(self.unread)
        relay = self.begin(first)
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        return relay, app

    def test_waits(self) -> None:
        """
        The first byte goes out when the app has read something of each of the others: what reads
        it could read one of those next, and work on that.
        """
        relay, app = self.behind()
        self.pass_(UNREAD_LIMIT / 2)
        self.assertEqual((relay.told, app.end.pending()), ([], b""))
        self.settle(self.unread)
        self.pass_(UNREAD_LIMIT / 2)
        self.assertEqual((relay.told, app.end.pending()), ([], REQUEST[:1]))
        self.settle(app)
        self.look()
        self.settle(app)
        self.assertEqual((relay.told, app.received), (["accepted"], REQUEST))

    def test_limit(self) -> None:
        """
        It does not wait for longer than for a probe to be read, and is taken back then.
        """
        relay, app = self.behind()
        self.pass_(3 * UNREAD_LIMIT)
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertEqual((app.end.other.writes, app.end.other.aborted), ([], True))
        self.assertEqual((self.uptake.estimate.capacity, self.unknown), (2, []))

    def test_stopped(self) -> None:
        """
        An app that is stopped reads nothing, which says nothing.
        """
        relay, app = self.behind()
        self.stopped = True
        self.pass_(3 * UNREAD_LIMIT)
        self.assertEqual((relay.told, app.end.other.writes), ([], []))
        self.stopped = False
        self.settle(self.unread)
        self.look()
        self.assertEqual(app.end.other.writes, [REQUEST[:1]])

    def test_moreMeanwhile(self) -> None:
        """
        What its client sends meanwhile does not lengthen the wait.
        """
        relay, app = self.behind()
        for _ in range(30):
            self.pass_(0.001)
            if not relay.told:
                relay.far.write(b"more")
        self.assertEqual((relay.told, app.end.other.writes), (["refused"], []))

    def test_kept(self) -> None:
        """
        On a kept connection it waits, too.
        """
        first, second = self.work(2)
        self.finish(second, keep=True)
        other = self.begin()
        self.settle()
        self.finish(first)
        self.begin()
        self.unread = self.reactor.accept()
        self.finish(other, keep=True)
        self.uptake.estimate.unread(1)
        relay = self.begin(slot=other.far)
        app = self.reactor.apps[1]
        self.assertEqual((relay.told, app.end.pending()), ([], b""))
        self.takeUp(self.unread)
        self.pass_(UNREAD_LIMIT / 2)
        self.assertEqual((relay.told, app.end.pending()), ([], REQUEST[:1]))

    def test_place(self) -> None:
        """
        Its place in the accept queue of an app is as good as that of another probe once the byte
        was sent.
        """
        relay, app = self.behind()
        self.diag.accepted.discard(app)
        self.settle(self.unread)
        self.look()
        first = self.slots[2]
        first.done(False)
        self.assertEqual((relay.told, app.end.pending()), (["accepted"], REQUEST))

    def test_noLook(self) -> None:
        """
        An app that was seen to read all, and has got nothing more, is not looked at before.
        """
        self.work(2)
        looks = self.diag.looks
        self.begin()
        app = self.reactor.accept()
        self.assertEqual((app.end.pending(), self.diag.looks), (REQUEST[:1], looks))


class SpeechTests(UptakeTests):
    """
    Apps that say something before they have a whole request, and clients that say nothing.
    """

    def test_answersEarly(self) -> None:
        """
        An app that answers what it has one byte of can't be probed: the answer does not reach
        the client, the exchange goes elsewhere, and the capacity is 1 for good.
        """
        self.work(2)
        relay = self.begin()
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        app.end.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        self.settle(app)
        self.assertEqual((relay.told, relay.near.written), (["refused"], b""))
        self.assertEqual(len(self.unknown), 1)
        self.assertEqual(self.uptake.estimate.pulls, 1)

    def answerEarly(self, first: bytes, size: int = 1) -> tuple[FakeRelay, FakeApp]:
        """
        Have the app read a part of a probe, get the rest, and answer.
        """
        self.work(2)
        relay = self.begin(first)
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        app.end.deliver()
        self.look()
        if size > 1:
            app.end.deliver(size - 1)
        app.end.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        return relay, app

    def test_answersByte(self) -> None:
        """
        Nor can an app that is looked at between its reading the byte and its answer, so that it
        gets the rest: that one answer reaches the client.
        """
        relay, app = self.answerEarly(REQUEST)
        app.end.other.deliver()
        self.assertEqual((relay.told, len(relay.near.written)), (["accepted"], 28))
        self.assertEqual(len(self.unknown), 1)
        self.assertEqual(self.uptake.estimate.pulls, 1)

    def test_answersByteAndCloses(self) -> None:
        """
        If the app has closed meanwhile, the rest was not read, which makes it a reset.
        """
        relay, app = self.answerEarly(REQUEST)
        app.end.closeUnread()
        app.end.other.deliver()
        self.assertEqual((relay.told, len(relay.near.written)), (["accepted"], 28))
        self.assertEqual(len(self.unknown), 1)
        self.assertEqual(self.uptake.estimate.pulls, 1)

    def test_answersAndCloses(self) -> None:
        """
        An app that has read everything may close with its answer.
        """
        relay, app = self.answerEarly(REQUEST, len(REQUEST))
        app.end.closeUnread()
        app.end.other.deliver()
        self.assertEqual((relay.told, self.unknown), (["accepted"], []))

    def test_refusesUpload(self) -> None:
        """
        An app may refuse an upload when it has read only the head, and close.
        """
        relay, app = self.answerEarly(REQUEST + b"x" * 10000, 2)
        app.end.closeUnread()
        app.end.other.deliver()
        self.assertEqual((relay.told, self.unknown), (["accepted"], []))

    def test_refusesUploadLate(self) -> None:
        """
        It may close later.
        """
        relay, app = self.answerEarly(REQUEST + b"x" * 10000, 2)
        app.end.other.deliver()
        self.assertEqual((relay.told, self.unknown), (["accepted"], []))

    def test_refusesMore(self) -> None:
        """
        So it may if the body came after the head.
        """
        relay, app = self.answerEarly(REQUEST, len(REQUEST))
        relay.far.write(b"more")
        app.end.closeUnread()
        app.end.other.deliver()
        self.assertEqual((relay.told, self.unknown), (["accepted"], []))

    def test_answersEnd(self) -> None:
        """
        A connection that both sides have ended was not reset.
        """
        relay, app = self.answerEarly(REQUEST, len(REQUEST))
        relay.far.end()
        app.end.closeUnread()
        app.end.other.deliver()
        self.assertEqual((relay.told, self.unknown), (["accepted"], []))

    def test_leftover(self) -> None:
        """
        What comes on a kept connection says nothing of that.
        """
        first, second = self.work(2)
        self.finish(second, keep=True)
        self.uptake.estimate.unread(1)
        relay = self.begin(slot=second.far)
        app = self.reactor.apps[1]
        app.end.write(b"HTTP/1.1 408 Request Timeout\r\n\r\n")
        self.settle(app)
        self.assertEqual((relay.told, relay.near.written), (["refused"], b""))
        self.assertEqual(self.unknown, [])
        del first

    def test_closes(self) -> None:
        """
        An app that closes several probes in a row can't be probed.
        """
        self.work(2)
        for number in range(CLOSES):
            self.assertEqual(self.unknown, [])
            relay = self.begin()
            app = self.reactor.accept()
            self.diag.accepted.add(app)
            self.pass_(0.002)
            if number % 2:
                app.end.abortConnection()
            else:
                app.end.loseConnection()
            self.settle()
            self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
            self.pass_(PAUSE_MOST)
        self.assertEqual(len(self.unknown), 1)
        self.assertEqual(self.uptake.estimate.pulls, 1)

    def test_closesOnce(self) -> None:
        """
        One that takes a probe up between them can.
        """
        for _ in range(2):
            for _ in range(CLOSES - 1):
                self.work(1)
                self.begin()
                app = self.reactor.accept()
                self.diag.accepted.add(app)
                self.pass_(0.002)
                app.end.loseConnection()
                self.settle()
                self.pass_(PAUSE_MOST)
        self.assertEqual(self.unknown, [])

    def test_appEnds(self) -> None:
        """
        The kernel closes what stands in the queue of an app that ends.  That is not counted.
        """
        self.work()
        for _ in range(2 * CLOSES):
            relay = self.begin()
            app = self.reactor.accept()
            self.look()
            self.diag.listeners = 0
            app.end.abortConnection()
            self.settle(app)
            self.assertEqual(relay.told, ["refused"])
            self.diag.listeners = 1
            self.diag.accepted.add(app)
            self.pass_(PAUSE_MOST)
        self.assertEqual(self.unknown, [])

    def test_closesKept(self) -> None:
        """
        A kept connection that the app closes is not counted either.
        """
        self.work()
        for _ in range(2 * CLOSES):
            second = self.work(1)[0]
            self.finish(second, keep=True)
            self.uptake.estimate.unread(1)
            relay = self.begin(slot=second.far)
            app = self.reactor.apps[-1]
            app.end.loseConnection()
            self.settle()
            self.assertEqual(relay.told, ["refused"])
            self.pass_(PAUSE_MOST)
        self.assertEqual(self.unknown, [])

    def test_silentClient(self) -> None:
        """
        A client that sends nothing may be waiting for the server to speak: it is taken up when
        it was accepted a while ago.
        """
        self.work()
        relay = self.begin(b"")
        app = self.reactor.accept()
        self.takeUp(app)
        self.pass_(SILENCE / 2)
        self.assertEqual(relay.told, [])
        self.pass_(SILENCE)
        self.assertEqual(relay.told, ["accepted"])

    def test_lateClient(self) -> None:
        """
        If it sends something meanwhile, that decides.
        """
        self.work()
        relay = self.begin(b"")
        app = self.reactor.accept()
        self.takeUp(app)
        self.pass_(SILENCE / 2)
        relay.far.write(REQUEST)
        self.settle()
        self.look()
        self.assertEqual(relay.told, ["accepted"])
        self.settle()
        self.assertEqual(app.received, REQUEST)

    def test_serverSpeaks(self) -> None:
        """
        An app that speaks to a client that has sent nothing has taken it up.
        """
        self.work()
        relay = self.begin(b"")
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        app.end.write(b"220 ready")
        self.settle(app)
        self.assertEqual((relay.told, relay.near.written), (["accepted"], b"220 ready"))
        self.assertEqual(self.unknown, [])


class ServerFirstTests(UptakeTests):
    """
    Apps that are known to speak first.
    """

    server_first = True

    def test_accepted(self) -> None:
        """
        A probe is taken up when it is accepted, read or not.
        """
        relay, app = self.stand()
        self.diag.accepted.add(app)
        self.pass_(0.1)
        self.assertEqual(relay.told, ["accepted"])

    def test_behind(self) -> None:
        """
        What the app has not read of others is no reason to wait.
        """
        for relay in self.work(2):
            self.finish(relay)
        for _ in range(2):
            self.begin()
            self.diag.accepted.add(self.reactor.accept())
        self.begin()
        self.assertEqual(self.reactor.accept().end.pending(), REQUEST[:1])

    def test_speaks(self) -> None:
        """
        What the app says before there was a look goes to the client.
        """
        self.work()
        relay = self.begin()
        app = self.reactor.accept()
        self.diag.accepted.add(app)
        app.end.write(b"220 ready")
        app.end.other.deliver()
        self.assertEqual((relay.told, relay.near.written), (["accepted"], b"220 ready"))
        self.assertEqual((self.uptake.estimate.working, self.unknown), (2, []))


class MostTests(UptakeTests):
    """
    An app that takes more than the capacity may be.
    """

    most = 2

    def test_most(self) -> None:
        """
        There is no probe beyond that.
        """
        self.work(2)
        relay = self.begin()
        self.assertEqual((relay.told, relay.reason), (["refused"], NOT_TAKEN_UP))
        self.assertEqual(self.uptake.estimate.pulls, 2)


class KeptTests(UptakeTests):
    """
    Connections that are kept from one exchange to the next.
    """

    def test_probe(self) -> None:
        """
        On a kept connection, too, a probe is one byte.  What was sent before does not count.
        """
        first, second = self.work(2)
        self.finish(second, keep=True)
        self.uptake.estimate.unread(1)
        relay = self.begin(slot=second.far)
        app = self.reactor.apps[1]
        self.assertEqual((app.end.pending(), relay.far.sent), (REQUEST[:1], 1))
        self.settle(app)
        self.look()
        self.settle()
        self.assertEqual((relay.told, app.received), (["accepted"], 2 * REQUEST))
        del first

    def test_adopted(self) -> None:
        """
        A slot without a connection uses the one that another slot keeps.  That slot then dials.
        """
        [first] = self.work()
        self.finish(first, keep=True)
        relay = self.begin()
        app = self.reactor.apps[0]
        self.assertEqual((relay.told, self.reactor.dialling()), (["accepted"], 0))
        self.settle()
        self.assertEqual(app.received, 2 * REQUEST)
        app.end.write(b"answer")
        self.settle()
        self.assertEqual((relay.near.written, first.near.written), (b"answer", b""))
        # What happens to the connection from now on concerns the other slot.
        first.far.close("over")
        self.finish(relay, keep=True)
        self.begin(slot=first.far)
        self.assertEqual(self.reactor.dialling(), 0)

    def test_adoptedClosed(self) -> None:
        """
        The app closes a connection that was adopted: that concerns the slot that has it now.
        """
        [first] = self.work()
        self.finish(first, keep=True)
        relay = self.begin()
        self.reactor.apps[0].end.abortConnection()
        self.settle()
        self.assertEqual((relay.told, first.told), (["accepted", "aborted"], ["accepted"]))
        self.assertEqual(self.uptake.estimate.working, 0)

    def test_idleIsClosed(self) -> None:
        """
        A probe that is not accepted for a moment may wait for an app that waits on an idle
        connection: that is closed.
        """
        first, second = self.work(2)
        relay = self.begin()
        self.reactor.accept()
        # Before the first look, so that the probe does not get the place.
        second.far.done(True)
        self.assertEqual(relay.told, [])
        self.look()
        self.settle()
        self.assertTrue(self.reactor.apps[1].ended)
        self.assertEqual((first.told, relay.told), (["accepted"], []))

    def test_announced(self) -> None:
        """
        A connection whose header names a client does not carry another client's exchange.  It is
        closed for the new one.
        """
        relays = []
        for client in "192.0.2.1:5 192.0.2.9:80", "192.0.2.2:6 192.0.2.9:80":
            slot = Announcing("v1", self.reactor.shared, APP, self.keep_alive, self.uptake)
            self.slots.append(slot)
            relay = FakeRelay(slot)
            slot.begin(relay, False, client, REQUEST)
            relays.append(relay)
            self.assertEqual(self.reactor.dialling(), 1)
            app = self.reactor.accept()
            self.takeUp(app)
            self.assertIn(client.split(":")[0].encode(), app.received)
            self.finish(relay, keep=True)
        self.settle()
        self.assertTrue(self.reactor.apps[0].ended)


class FirstTests(UptakeTests):
    """
    Looks at the first exchange of an app.
    """

    def test_notTakenUp(self) -> None:
        """
        One that is over and was neither taken up nor answered shows nothing: there is no probe
        before another one is taken up.
        """
        for _ in range(2):
            relay = self.begin()
            self.reactor.accept()
            self.pass_(0.1)
            relay.far.reset()
            self.pass_(0.2)
            self.assertEqual(self.uptake.estimate.pulls, 1)
        relay = self.begin()
        self.takeUp(self.reactor.accept())
        self.pass_(0.01)
        self.assertEqual(self.uptake.estimate.pulls, 2)

    def test_answered(self) -> None:
        """
        One that was answered and is over before there was a look was taken up.
        """
        relay = self.begin()
        app = self.reactor.accept()
        app.end.deliver()
        app.end.write(b"answer")
        app.end.other.deliver()
        relay.far.done(False)
        self.pass_(0.1)
        self.assertEqual(self.uptake.estimate.pulls, 2)


class AuditTests(UptakeTests):
    """
    Looks at what the app has.
    """

    def overload(self, taken: int, more: int) -> list[FakeRelay]:
        """
        Have an app that took more once at work on a number of exchanges, and send it more.
        """
        for relay in self.work(taken + more):
            self.finish(relay)
        relays = []
        for number in range(taken + more):
            relays.append(self.begin())
            app = self.reactor.accept()
            self.diag.accepted.add(app)
            if number < taken:
                self.settle(app)
        return relays

    def test_lowered(self) -> None:
        """
        An app that does not read for a while what it has gets no more than what it reads.
        """
        relays = self.overload(2, 3)
        self.pass_(2 * AUDIT + 0.01)
        self.assertEqual(self.uptake.estimate.capacity, 2)
        self.assertEqual({relay.told[0] for relay in relays}, {"accepted"})

    def test_late(self) -> None:
        """
        What it has read within that time counts as its work.
        """
        self.overload(2, 3)
        self.pass_(0.9 * AUDIT)
        self.settle()
        self.pass_(3 * AUDIT)
        self.assertEqual(self.uptake.estimate.capacity, 5)

    def test_otherExchange(self) -> None:
        """
        So does another exchange that has just come on the same slot.
        """
        relays = self.overload(2, 1)
        self.pass_(0.9 * AUDIT)
        for _ in range(4):
            relays[2].far.done(False)
            relays[2] = self.begin(slot=relays[2].far)
            self.diag.accepted.add(self.reactor.accept())
            self.pass_(0.9 * AUDIT)
        self.assertEqual(self.uptake.estimate.capacity, 3)

    def test_partlyRead(self) -> None:
        """
        An app is at work on a large body that it has read a part of.
        """
        relays = self.overload(2, 1)
        self.reactor.apps[-1].end.deliver(2)
        relays[2].far.write(b"x" * 1000)
        self.pass_(3 * AUDIT)
        self.assertEqual(self.uptake.estimate.capacity, 3)

    def test_probe(self) -> None:
        """
        A probe that stands is nothing that the app has.
        """
        relays = self.work(3)
        self.finish(relays[2])
        # The app has read nothing of this one, since its client says nothing.
        self.begin(b"")
        self.takeUp(self.reactor.accept())
        self.begin()
        self.reactor.accept()
        self.pass_(0.9 * BOUND)
        self.assertEqual((self.uptake.estimate.probing, self.uptake.estimate.capacity), (True, 3))

    def test_stopped(self) -> None:
        """
        An app that is stopped reads nothing, which says nothing.
        """
        self.overload(2, 3)
        self.stopped = True
        self.pass_(3 * AUDIT)
        self.assertEqual(self.uptake.estimate.capacity, 5)

    def test_sleeps(self) -> None:
        """
        An idle app is looked at less and less, and not at all once nothing is proven.
        """
        for relay in self.work(3):
            self.finish(relay)
        self.reactor.pump([1.0] * int(3 * WINDOW))
        self.assertEqual((self.uptake.estimate.capacity, self.reactor.timers()), (1, 0))

    def test_expires(self) -> None:
        """
        What a busy app was proven to take long ago does not count for ever.
        """
        for relay in self.work(3):
            self.finish(relay)
        for _ in range(int(2 * WINDOW)):
            [relay] = self.work()
            self.finish(relay)
            self.reactor.advance(1)
        self.assertEqual(self.uptake.estimate.capacity, 1)
