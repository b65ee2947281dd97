"""
Tests of L{brxy.edge.exchanges.table}, and a model of exchanges that are carried.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.events import BadResponse, Event, Events, ExchangeLost
from brxy.edge.exchanges.carrier import Carrier
from brxy.edge.exchanges.http import HTTPCarrier
from brxy.edge.exchanges.recorded import RecordedHTTP, RecordedTCP
from brxy.edge.exchanges.refusals import Refusal
from brxy.edge.exchanges.requestbuffer import RequestBuffer
from brxy.edge.exchanges.table import (
    COPY_LIMIT,
    INTERIM_LIMIT,
    TABLE,
    Action,
    Exchange,
    Input,
    Progress,
)
from brxy.edge.exchanges.tcp import TCPCarrier
from brxy.edge.records.record import Record
from brxy.edge.records.records import Records
from brxy.http.messages import ResponseHead, requestHead
from brxy.scaler.instance import Instance
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.fakes import FakeEnd
from brxy.test.support.memory.heads import rendered
from brxy.wire.frames import KIND_HTTP, KIND_TCP

LOSSES = {Input.REFUSED, Input.LOST_AGAIN, Input.LOST}

#: What the client gets at the end of its exchange.
CLIENT_ENDS = {Action.FAIL, Action.CUT, Action.NEXT, Action.LINGER, Action.CLOSE}


class TableTests(SynchronousTestCase):
    """
    Tests of L{TABLE}.
    """

    def test_undeclared(self) -> None:
        """
        In each state an input is in the table, or raises and changes nothing.
        """
        for state in Progress:
            for event in Input:
                exchange = Exchange("r", KIND_HTTP, True, 3, "", None)
                exchange.progress = state
                if (state, event) in TABLE:
                    after, actions = TABLE[state, event]
                    self.assertEqual(exchange.step(event), actions)
                    self.assertEqual(exchange.progress, after)
                else:
                    self.assertRaises(KeyError, exchange.step, event)
                    self.assertEqual(exchange.progress, state)

    def test_over(self) -> None:
        """
        An exchange that is over stays over, and no action follows.
        """
        for (state, _), (after, actions) in TABLE.items():
            if state == Progress.OVER:
                self.assertEqual((after, actions), (Progress.OVER, ()))

    def test_everyWayEnds(self) -> None:
        """
        In every state, an exchange ends when its client hangs up, and when it is lost or
        rejected.
        """
        for state in set(Progress) - {Progress.OVER}:
            loss = Input.REJECTED if state <= Progress.HELD else Input.LOST
            for event in (Input.HANGUP, loss):
                self.assertEqual(TABLE[state, event][0], Progress.OVER)

    def test_clientEndsOnce(self) -> None:
        """
        The client gets exactly one end, when the exchange is over; after a byte of the
        response, that is no error of the edge's own.
        """
        for (state, event), (after, actions) in TABLE.items():
            if state == Progress.OVER:
                continue
            ends = CLIENT_ENDS.intersection(actions)
            self.assertEqual(len(ends), int(after == Progress.OVER), (state, event))
            if state >= Progress.ANSWERING:
                self.assertNotIn(Action.FAIL, actions)
            else:
                self.assertNotIn(Action.CUT, actions)

    def test_slotLetGoOnce(self) -> None:
        """
        An exchange that is on a slot leaves it exactly once: the slot has freed itself after a
        loss, and is released or reset otherwise.
        """
        for (state, event), (after, actions) in TABLE.items():
            has_slot = Progress.PROBING <= state <= Progress.TUNNEL
            leaves = has_slot and after in (Progress.HELD, Progress.OVER)
            let_go = sum(each in (Action.RELEASE, Action.RESET) for each in actions)
            self.assertEqual(let_go, int(leaves and event not in LOSSES), (state, event))

    def test_queue(self) -> None:
        """
        A held exchange that ends without a match is withdrawn, unless the broker has removed
        it; one that is held again is queued again.
        """
        for (state, event), (after, actions) in TABLE.items():
            waits = state in (Progress.HELD, Progress.PROBING)
            withdrawn = waits and after == Progress.OVER and event != Input.REJECTED
            self.assertEqual(Action.WITHDRAW in actions, withdrawn)
            taken = state == Progress.PROBING and after > Progress.OFFERED and not withdrawn
            self.assertEqual(Action.TAKEN in actions, taken and event != Input.REJECTED)
            collected = state == Progress.COLLECTING and after == Progress.HELD
            self.assertEqual(Action.WAIT in actions, collected)
            self.assertEqual(Action.REQUEUE in actions, after == Progress.HELD and not collected)
            self.assertEqual(Action.SEND in actions, event in (Input.MATCHED, Input.PROBED))

    def test_buffered(self) -> None:
        """
        While its body is collected, an exchange has no slot and is in no queue, and it never
        comes back to that.  Its memory is free again when it is over without a slot.
        """
        for (state, event), (after, actions) in TABLE.items():
            self.assertNotEqual(after, Progress.COLLECTING)
            if state == Progress.COLLECTING:
                unwanted = {Action.SEND, Action.RELEASE, Action.RESET, Action.WITHDRAW}
                self.assertEqual(unwanted.intersection(actions), set(), event)
            freed = state <= Progress.HELD and after == Progress.OVER
            self.assertEqual(Action.DISCARD in actions, freed, (state, event))

    def test_neverAgainOnceAnswered(self) -> None:
        """
        An exchange is not held again after a byte of the response, and after acceptance only
        by a loss that may be repeated.
        """
        for (state, event), (after, _) in TABLE.items():
            if after == Progress.HELD and event != Input.COLLECTED:
                unaccepted = (Progress.PROBING, Progress.OFFERED)
                self.assertIn(state, (*unaccepted, Progress.RUNNING))
                self.assertTrue(event == Input.LOST_AGAIN or state in unaccepted)


class ExchangeTests(SynchronousTestCase):
    """
    Tests of L{Exchange}.
    """

    def make(self, kind: int = KIND_HTTP, idempotent: bool = True, retries: int = 3) -> Exchange:
        return Exchange("r", kind, idempotent, retries, "", None)

    def test_room(self) -> None:
        """
        Before an instance has accepted, there is room for what fits into the copy; afterwards
        there always is room.
        """
        exchange = self.make()
        self.assertEqual(exchange.room(), COPY_LIMIT)
        exchange.keep(bytes(60_000))
        self.assertEqual(exchange.room(), 5536)
        exchange.step(Input.MATCHED)
        exchange.keep(bytes(5536))
        self.assertEqual(exchange.room(), 0)
        exchange.step(Input.ACCEPTED)
        self.assertEqual(exchange.room(), COPY_LIMIT)

    def test_copy(self) -> None:
        """
        The copy has everything up to 64 KiB, and nothing beyond.
        """
        exchange = self.make()
        exchange.keep(b"a" * 65_535)
        exchange.keep(b"b")
        self.assertEqual(b"".join(exchange.copy or ()), b"a" * 65_535 + b"b")
        exchange.keep(b"c")
        self.assertIsNone(exchange.copy)
        exchange.keep(b"d")
        self.assertIsNone(exchange.copy)

    def test_joined(self) -> None:
        """
        Small pieces are joined, so that their number stays small.
        """
        exchange = self.make()
        for _ in range(COPY_LIMIT):
            exchange.keep(b"x")
        self.assertEqual(b"".join(exchange.copy or ()), b"x" * COPY_LIMIT)
        self.assertLessEqual(len(exchange.copy or ()), 16)

    def test_buffer(self) -> None:
        """
        A body that is collected may have a larger copy.
        """
        exchange = self.make()
        exchange.collect(100_000)
        exchange.keep(bytes(90_000))
        self.assertEqual(exchange.room(), 10_000)
        self.assertIsNotNone(exchange.copy)

    def test_loss(self) -> None:
        """
        A loss can be repeated C{retries} times, before and after acceptance.
        """
        exchange = self.make(retries=2)
        for accepted in (False, True):
            exchange.step(Input.MATCHED)
            if accepted:
                exchange.step(Input.ACCEPTED)
            self.assertEqual(exchange.loss(), Input.LOST_AGAIN)
            exchange.step(Input.LOST_AGAIN)
        exchange.step(Input.MATCHED)
        self.assertEqual(exchange.loss(), Input.LOST)

    def test_lostForGood(self) -> None:
        """
        It can't be repeated for a request that is not idempotent, without a complete copy, or
        after a part of the response.
        """
        self.assertEqual(self.offered(self.make(idempotent=False)).loss(), Input.LOST)
        large = self.offered(self.make())
        large.keep(bytes(COPY_LIMIT + 1))
        self.assertEqual(large.loss(), Input.LOST)
        interim = self.offered(self.make())
        interim.interim()
        self.assertEqual(interim.loss(), Input.LOST)
        answered = self.offered(self.make())
        answered.copy = None
        self.assertEqual(answered.loss(), Input.LOST)

    def offered(self, exchange: Exchange) -> Exchange:
        exchange.step(Input.MATCHED)
        return exchange

    def test_lossOfTCP(self) -> None:
        """
        A TCP connection can be offered again before it is accepted, while its client has sent
        nothing.
        """
        self.assertEqual(self.offered(self.make(KIND_TCP, False)).loss(), Input.LOST_AGAIN)
        spoken = self.offered(self.make(KIND_TCP, False))
        spoken.keep(b"x")
        self.assertEqual(spoken.loss(), Input.LOST)
        tunnel = self.offered(self.make(KIND_TCP, False))
        tunnel.step(Input.SWITCHED)
        self.assertEqual(tunnel.loss(), Input.LOST)

    def test_interims(self) -> None:
        """
        Informational responses are passed on, up to a limit.
        """
        exchange = self.make()
        passed = [exchange.interim() for _ in range(INTERIM_LIMIT + 2)]
        self.assertEqual(passed, [True] * INTERIM_LIMIT + [False] * 2)

    def test_once(self) -> None:
        """
        A request must arrive if it could not be offered again: one that is not idempotent, not
        complete yet, or without a complete copy.
        """
        exchange = self.make()
        self.assertTrue(exchange.once)
        exchange.complete = True
        self.assertFalse(exchange.once)
        exchange.copy = None
        self.assertTrue(exchange.once)
        post = self.make(idempotent=False)
        post.complete = True
        self.assertTrue(post.once)


class _Client(FakeEnd):
    """
    A client that counts how its exchange ends.
    """

    client = "192.0.2.1"
    endpoints = "192.0.2.1:5 192.0.2.2:80"
    encrypted = is_trusted = False
    scheme = b"http"
    forwarded = b""
    chunked = True

    def __init__(self, serves_half_closed: bool) -> None:
        super().__init__()
        self.serves_half_closed = serves_half_closed
        self.left = False
        self.ends: list[str] = []

    def hasLeft(self) -> bool:
        return self.left

    def reset(self) -> None:
        self.ends.append("reset")

    def interim(self, head: ResponseHead) -> None:
        self.write(rendered(head))

    def answer(self, head: ResponseHead, first: bytes, added: bytes = b"") -> None:
        self.write(rendered(head) + first)

    def fail(self, refusal: Refusal, added: bytes = b"") -> None:
        assert b"200 OK" not in self.written, "an error after a part of the response"
        self.ends.append(f"fail {refusal.status}")

    def accepted(self) -> None:
        pass

    def next(self) -> None:
        self.ends.append("next")

    def linger(self) -> None:
        self.ends.append("linger")

    def close(self) -> None:
        self.ends.append("close")


class _Slot(FakeEnd):
    """
    A slot that serves one exchange.

    @ivar fate: how the exchange left it.
    """

    instance = Instance("t1", "r", 1, 1)
    wants_client = True

    def __init__(self) -> None:
        super().__init__()
        self.fate = ""
        self.accepted = False
        self.app_ended = False

    def open(self, relay: Any, kind: int, once: bool, client: str, first: bytes) -> None:
        self.first = first
        self.written += first

    def end(self) -> None:
        assert not self.fate
        super().end()

    def write(self, data: bytes) -> None:
        assert not self.fate, f"written to after {self.fate}"
        super().write(data)

    def recall(self) -> None:
        assert not self.fate, f"recalled after {self.fate}"
        assert not self.accepted, "recalled after it was accepted"

    def done(self, keep: bool) -> None:
        assert not self.fate, f"done after {self.fate}"
        assert self.accepted, "done before it was accepted"
        self.fate = "done"

    def reset(self) -> None:
        assert not self.fate, f"reset after {self.fate}"
        self.fate = "reset"


class _World:
    """
    One exchange, and all that can happen to it.  It is the dispatcher, too.

    @ivar slots: those that it was given to, in order.
    @ivar reported: the events.
    """

    leaving = handed_over = False
    responses = None

    def __init__(
        self,
        what: str,
        retries: int,
        serves_half_closed: bool = False,
        buffer: tuple[int, int] = (0, 0),
        recorded: bool = False,
    ) -> None:
        self.retries = retries
        self.records = Records(Clock(), lambda route: True)
        self.recorded: list[Record] | None = [] if recorded else None
        if self.recorded is not None:
            self.records.observe([self.recorded.extend])
        self.reported: list[Event] = []
        self.events = Events([self.reported.append])
        self.client = _Client(serves_half_closed)
        self.slots: list[_Slot] = []
        self.buffer = RequestBuffer(*buffer)
        self.most = min(buffer)
        self.collects = False
        self.queued = True
        self.probing = False
        self.cancelled = 0
        self.client_ended = False
        self.body = b""
        self.size = 0
        self.carrier: Carrier
        if what == "TCP":
            self.size = 200_000
            tcp = RecordedTCP if recorded else TCPCarrier
            self.carrier = tcp(self.client, self, "r")
        else:
            self.size = 0 if what == "GET" else 100_000
            head = f"{what} / HTTP/1.1\r\nHost: a\r\nContent-Length: {self.size}\r\n\r\n"
            parsed = requestHead(head.encode())
            assert parsed is not None
            http = RecordedHTTP if recorded else HTTPCarrier
            self.carrier = http(self.client, self, "r", parsed[0], b"id")
            if not self.size:
                self.carrier.exchange.complete = True
            elif self.buffer.takes(parsed[0]):
                self.carrier.collect()
                self.collects = True
                self.queued = False
        self.exchange = self.carrier.exchange
        self.http = self.carrier if isinstance(self.carrier, HTTPCarrier) else None

    # As the dispatcher

    def wait(self, exchange: Exchange) -> None:
        assert not self.queued
        assert not self.slots
        self.queued = True

    def requeue(self, exchange: Exchange) -> None:
        assert not self.queued
        if self.http is not None and self.slots[-1].fate == "lost":
            assert not self.client.left, "offered again for a client that has gone"
        self.queued, self.probing = True, False

    def cancel(self, exchange: Exchange) -> None:
        assert self.queued or self.probing
        self.queued = self.probing = False
        self.cancelled += 1

    def taken(self, exchange: Exchange) -> None:
        assert self.probing
        self.probing = False

    def lost(self, exchange: Exchange, reason: str) -> None:
        self.events.emit(ExchangeLost(exchange.route, reason))

    def answered(self, instance: object) -> None:
        pass

    def drain(self) -> None:
        pass

    # Steps

    @property
    def slot(self) -> _Slot | None:
        """
        The slot that has the exchange.
        """
        if self.slots and not self.slots[-1].fate:
            return self.slots[-1]
        return None

    @property
    def full(self) -> bool:
        """
        No more of its body may be kept.
        """
        return self.exchange.copied >= self.most

    def possible(self) -> list[Callable[[int], object]]:
        """
        What can happen next.
        """
        if self.exchange.progress == Progress.OVER:
            # All that still can come is the end of the client's connection.
            return [self.hangup]
        steps: list[Callable[[int], object]] = []
        if self.queued:
            steps += [self.match] * 2 + [self.probe] * 2 + [self.reject]
        elif self.probing:
            steps += [self.recall, self.reject]
        if self.size > len(self.body) and not self.exchange.complete:
            steps += [self.send] * 2
        slot = self.slot
        if slot is not None:
            steps += [self.lose] * 2
            if not slot.accepted:
                steps += [self.accept] * 3 + [self.refuse] * 2
            elif not slot.app_ended:
                steps += [self.answer] * 4 + [self.appEnds]
        if not self.client_ended:
            steps += [self.clientLeaves, self.clientEnds]
            if self.http is not None and not self.exchange.complete:
                steps.append(self.garble)
        if self.http is not None:
            steps.append(self.timeOut)
        return [*steps, self.hangup]

    def match(self, choice: int) -> None:
        self.queued = False
        self.slots.append(_Slot())
        slot: Any = self.slots[-1]
        self.carrier.matched(slot)

    def probe(self, choice: int) -> None:
        self.queued, self.probing = False, True
        self.slots.append(_Slot())
        slot: Any = self.slots[-1]
        self.carrier.matched(slot, Input.PROBED)

    def recall(self, choice: int) -> None:
        self.carrier.recall()
        if choice % 2 == 0:
            self.refuse(choice)

    def reject(self, choice: int) -> None:
        if choice % 5 == 0:
            self.queued = self.probing = False
            self.carrier.reject(Refusal(503, "no", 1))

    def send(self, choice: int) -> None:
        size = min(choice * 50, self.exchange.room(), self.size - len(self.body))
        if size > 0:
            self.body += bytes([choice % 256]) * size
            self.carrier.received(self.body[-size:])
            if len(self.body) == self.size and self.http is not None:
                self.http.exchange.complete = True
            if self.http is not None and self.exchange.progress == Progress.COLLECTING:
                self.http.collected()

    def accept(self, choice: int) -> None:
        self.slots[-1].accepted = True
        self.carrier.accepted()

    def refuse(self, choice: int) -> None:
        self.slots[-1].fate = "refused"
        self.carrier.refused("full")

    def lose(self, choice: int) -> None:
        slot = self.slots[-1]
        slot.fate = "lost"
        self.carrier.aborted(slot, "gone")

    def answer(self, choice: int) -> None:
        pieces = [
            b"HTTP/1.1 103 Early Hints\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nConte",
            b"h",
            b"garbage\r\n\r\n",
        ]
        self.carrier.data(self.slots[-1], pieces[choice % len(pieces)])

    def appEnds(self, choice: int) -> None:
        self.slots[-1].app_ended = True
        self.carrier.ended(self.slots[-1])

    def garble(self, choice: int) -> None:
        if choice % 3 == 0 and self.http is not None:
            self.http.badRequest(Refusal(400, "no chunk"))

    def timeOut(self, choice: int) -> None:
        if choice % 3 == 0 and self.http is not None:
            self.http.silent()

    def clientLeaves(self, choice: int) -> None:
        # Its end has arrived and is not read yet.
        if choice % 3 == 0:
            self.client.left = True

    def clientEnds(self, choice: int) -> None:
        if choice % 3 == 0:
            self.client_ended = self.client.left = True
            self.size = len(self.body)
            ended: Any = self.carrier
            ended.clientEnded()

    def hangup(self, choice: int) -> None:
        if choice % 5 == 0:
            self.carrier.hangup()


class CarriedTests(SynchronousTestCase):
    """
    A model of exchanges with random histories.
    """

    @bounded(400)
    @given(
        st.sampled_from(["GET", "PUT", "POST", "TCP"]),
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([(0, 0), (100_000, 30_000), (100_000, 10**6), (150_000, 10**6)]),
        st.booleans(),
        st.lists(st.integers(0, 999), min_size=20, max_size=40),
    )
    def test_model(
        self,
        what: str,
        retries: int,
        serves: bool,
        buffer: tuple[int, int],
        recorded: bool,
        choices: list[int],
    ) -> None:
        """
        A body that is collected is complete, or has filled the memory for such bodies, before
        its exchange is queued.  A request that is not idempotent is never sent twice once an
        app may have seen a byte; one that is, is sent at most C{retries} times more, with
        everything that has come of it and before any byte of a response, and while its client
        is there; and every history ends, once, and is recorded once.
        """
        world = _World(what, retries, serves, buffer, recorded)
        for choice in choices:
            possible = world.possible()
            before = len(world.slots), len(world.client.written), world.client.ends[:]
            was_over = world.exchange.progress == Progress.OVER
            possible[choice % len(possible)](choice)
            if was_over:
                self.assertEqual(
                    before, (len(world.slots), len(world.client.written), world.client.ends)
                )
            if len(world.slots) > before[0]:
                self.checkSent(world, what)
            self.check(world)
        if world.exchange.progress != Progress.OVER:
            world.hangup(0)
        self.check(world)
        self.assertEqual(world.exchange.progress, Progress.OVER)

    def checkSent(self, world: _World, what: str) -> None:
        """
        Check an exchange that was just given to a slot.
        """
        seen = [slot for slot in world.slots[:-1] if slot.fate != "refused"]
        self.assertEqual(world.client.written, b"")
        self.assertLessEqual(len(seen), world.retries)
        if what == "POST":
            self.assertEqual(seen, [])
        if what == "TCP":
            self.assertEqual([slot for slot in seen if slot.written or slot.accepted], [])
            self.assertEqual(world.slots[-1].first, world.body)
        else:
            head, _, body = world.slots[-1].first.partition(b"\r\n\r\n")
            self.assertTrue(head.startswith(what.encode()))
            self.assertEqual(body, world.body)

    def check(self, world: _World) -> None:
        """
        Check what holds at any time.
        """
        exchange = world.exchange
        over = exchange.progress == Progress.OVER
        self.assertEqual(len(world.client.ends), int(over))
        if world.recorded is not None:
            world.records.stop()
            self.checkRecorded(world, world.recorded, over)
        self.assertEqual(world.queued, exchange.progress == Progress.HELD)
        self.assertEqual(world.probing, exchange.progress == Progress.PROBING)
        on_slot = Progress.PROBING <= exchange.progress <= Progress.TUNNEL
        self.assertEqual(world.slot is not None, on_slot)
        largest = max(COPY_LIMIT, world.size if world.collects else 0)
        self.assertLessEqual(sum(map(len, exchange.copy or ())), largest)
        if not world.collects or world.slots or over:
            self.assertEqual(world.buffer.size, 0)
        elif exchange.progress == Progress.COLLECTING or exchange.complete:
            self.assertEqual(world.buffer.size, exchange.copied)
        buffering = exchange.progress == Progress.COLLECTING
        self.assertEqual(world.buffer.collecting(), [exchange] if buffering else [])
        if world.collects and world.queued and not world.slots:
            self.assertTrue(exchange.complete or world.full)
        slot = world.slot
        if slot is not None and not slot.accepted:
            self.assertLessEqual(len(slot.written), largest + 1000)
        if slot is not None:
            self.assertTrue(slot.written.endswith(world.body))
            if world.http is None:
                self.assertEqual(slot.ended, world.client_ended)

    def checkRecorded(self, world: _World, recorded: list[Record], over: bool) -> None:
        """
        Check what was recorded.
        """
        self.assertEqual(len(recorded), int(over))
        for record in recorded:
            self.assertEqual(record.offers, len(world.slots))
            self.assertEqual(record.bytes_in, len(world.body))
            failed = world.client.ends[0].startswith(("fail", "reset", "close"))
            self.assertEqual(bool(record.error), failed)

    def test_halfClosedAndRefused(self) -> None:
        """
        The half-close of a TCP client goes with its bytes to each slot that it is offered to.
        """
        world = _World("TCP", 1)
        world.send(1)
        world.match(0)
        world.clientEnds(0)
        world.refuse(0)
        world.match(0)
        for slot in world.slots:
            self.assertEqual((bytes(slot.written), slot.ended), (world.body, True))

    def test_probe(self) -> None:
        """
        An exchange that is probed waits until it is taken up, and is offered again if it is
        not, without a retry.
        """
        world = _World("POST", 0)
        for _ in range(3):
            world.probe(0)
            world.refuse(0)
            self.assertTrue(world.queued)
        world.probe(0)
        world.accept(0)
        self.assertFalse(world.probing)
        # What it is recalled for came too late.
        world.carrier.recall()
        self.assertEqual(world.exchange.progress, Progress.RUNNING)

    def test_rejectedProbe(self) -> None:
        """
        An exchange that is probed and has waited for too long leaves its slot.
        """
        world = _World("GET", 0)
        world.probe(0)
        world.reject(0)
        self.assertEqual((world.client.ends, world.slots[0].fate), (["fail 503"], "reset"))
        self.assertEqual(world.cancelled, 0)

    def test_halfAHead(self) -> None:
        """
        A part of a head of a lost app is not taken for the beginning of the next one's.
        """
        world = _World("GET", 1)
        world.match(0)
        world.accept(0)
        world.carrier.data(world.slots[0], b"HTTP/1.1 200 OK\r\nX-First: ")
        world.lose(0)
        world.match(0)
        world.accept(0)
        world.carrier.data(
            world.slots[1], b"HTTP/1.1 200 OK\r\nX-Second: b\r\nContent-Length: 2\r\n\r\nhi"
        )
        self.assertTrue(world.client.written.startswith(b"HTTP/1.1 200 OK\r\n"))
        self.assertTrue(world.client.written.endswith(b"\r\n\r\nhi"))
        self.assertNotIn(b"X-First", world.client.written)
        self.assertIn(b"X-Second: b\r\n", world.client.written)
        self.assertEqual((world.client.ends, world.slots[1].fate), (["next"], "done"))

    def test_lostIsAnEvent(self) -> None:
        """
        An exchange that is lost for good is an event; one that is offered again is none.
        """
        world = _World("GET", 1)
        for events in ([], [ExchangeLost("r", "gone")]):
            world.match(0)
            world.accept(0)
            world.lose(0)
            self.assertEqual(world.reported, events)
        self.assertEqual(world.client.ends, ["fail 502"])

    def test_lostByGoneClient(self) -> None:
        """
        A request whose client has gone is not offered again, whether the end of the client
        was read or not.
        """
        for serves in (False, True):
            world = _World("GET", 3, serves)
            world.match(0)
            world.accept(0)
            world.clientLeaves(0)
            if serves:
                world.clientEnds(0)
            world.lose(0)
            self.assertFalse(world.queued)
            self.assertEqual(world.client.ends, ["fail 502"])

    def test_badResponseIsAnEvent(self) -> None:
        """
        A response that can't be passed on is an event.
        """
        world = _World("GET", 1)
        world.match(0)
        world.accept(0)
        world.carrier.data(world.slots[0], b"garbage\r\n\r\n")
        self.assertEqual(world.reported, [BadResponse("r", "malformed status line")])
        self.assertEqual((world.client.ends, world.slots[0].fate), (["fail 502"], "reset"))
