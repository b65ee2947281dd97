"""
Tests that both sides of a slot behave as the state tables say on the page
about the slot protocol, C{doc/protocol.rst}.
"""

from __future__ import annotations

from typing import Any, ClassVar

from twisted.logger import capturedLogs
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.events import Events
from brxy.edge.slots.node import SlotFactory
from brxy.interfaces import Address
from brxy.node.slot import EdgeSlotFactory
from brxy.test.support.memory.fakes import FakeHost, FakeOwner, FakeRelay
from brxy.test.support.memory.network import FakeReactor, connect
from brxy.test.support.memory.recorders import HalfRecorder
from brxy.test.support.memory.slotframes import HELLO_FRAME, WELCOME_FRAME, opening
from brxy.test.support.pages import listTables, readPage, section
from brxy.wire import frames as wire
from brxy.wire.frames import DONE, KIND_HTTP, READY, RECALL, dataFrames, frame

#: The names of the frames that a side sends at once; L{None}: it closes the slot, as for a
#: breach.
Reply = tuple[str, ...] | None


#: What the page calls a DONE that takes a probe back.
RECALLS = "DONE (recall)"


class Side:
    """
    One side of a slot, in a state that the page names. The test sends the
    other side's frames.

    @cvar greeting: the frame that the other side begins with.
    @cvar frames: the names of the frames that are tried.
    @ivar number: of the last exchange.
    """

    greeting: ClassVar[bytes]
    frames: ClassVar[tuple[str, ...]]

    def __init__(self, state: str) -> None:
        self.number = 1
        self.reactor = FakeReactor()
        self.slot: Any = self.made()
        self.end, self.other_end = connect(self.reactor, self.slot, HalfRecorder())
        if state != "greeting":
            self.enter(state)
        self.end.frames()

    def made(self) -> Any:
        """
        Make a slot.
        """
        raise NotImplementedError

    def enter(self, state: str) -> None:
        """
        Bring the slot into a state.
        """
        raise NotImplementedError

    def encoded(self, name: str) -> bytes:
        """
        @return: a frame of the exchange, or the greeting.
        """
        if name in ("HELLO", "WELCOME"):
            return self.greeting
        if name == "DATA":
            return dataFrames(self.number, b"x")
        if name == RECALLS:
            return frame(DONE, self.number, RECALL)
        payload = b"\x00" if name == "DONE" else b""
        return frame(getattr(wire, name), self.number, payload)

    def receive(self, name: str) -> Reply:
        """
        Have the other side send a frame.
        """
        with capturedLogs():
            self.send(self.encoded(name))
        if self.end.lost or self.end.aborted or self.end.disconnecting:
            return None
        return tuple(wire.NAMES[kind] for kind, _, _ in self.end.frames())

    def send(self, *frames: bytes) -> None:
        """
        Have the other side send frames.
        """
        self.other_end.write(b"".join(frames))
        self.end.deliver()


class Edge(Side):
    """
    The edge's side.
    """

    greeting = HELLO_FRAME
    frames = ("HELLO", "ACCEPT", "REFUSE", "DATA", "END", "RESET")

    def made(self) -> Any:
        self.host = FakeHost()
        return SlotFactory(self.reactor.shared, self.host, Events()).buildProtocol(None)

    def enter(self, state: str) -> None:
        self.send(HELLO_FRAME, frame(READY))
        self.host.take(self.slot)
        self.slot.open(FakeRelay(self.slot), KIND_HTTP, False, "", b"x")
        if state in ("running", "ending", "idle"):
            self.send(self.encoded("ACCEPT"))
        if state == "ending":
            self.send(self.encoded("END"))
        elif state == "resetting":
            self.slot.reset()
        elif state == "idle":
            self.slot.done(False)


class Node(Side):
    """
    The node's side.
    """

    greeting = WELCOME_FRAME
    frames = ("WELCOME", "OPEN", "DATA", "END", "DONE", RECALLS, "RESET")

    def made(self) -> Any:
        owner = FakeOwner()
        factory = EdgeSlotFactory(self.reactor.shared, owner, owner, Address("127.0.0.1", 20000))
        slot = factory.buildProtocol(None)
        slot.welcomed.addErrback(lambda _: None)
        return slot

    def enter(self, state: str) -> None:
        self.send(WELCOME_FRAME, opening(1))
        self.reactor.accept()
        self.slot.payOwed()
        if state == "ending":
            self.send(self.encoded("END"))
        elif state == "resetting":
            self.slot.reset()
        elif state == "idle":
            self.send(self.encoded("DONE"))

    def encoded(self, name: str) -> bytes:
        if name == "OPEN":
            if self.slot.isBetweenExchanges():
                self.number += 1
                return opening(self.number)
            return opening(self.number + 1)
        return super().encoded(name)


class StatesTests(SynchronousTestCase):
    """
    Tests of how a side handles frames.
    """

    def _table(self, side: str) -> list[tuple[str, str, str]]:
        """
        @return: the rows of a side's table, one for each frame: state, frame
            and next state.
        """
        text = section(readPage("protocol"), f"The states of the {side}'s side")
        return [
            (state, name, following)
            for state, names, _, following in listTables(text)[0]
            for name in names.split(", ")
        ]

    def _after(self, kind: type[Side], state: str, *received: str) -> dict[str, Reply]:
        """
        @return: what a side would do with each frame, once it has received
            these.
        """
        replies = {}
        for name in kind.frames:
            side = kind(state)
            for each in received:
                side.receive(each)
            replies[name] = side.receive(name)
        return replies

    def _check(self, kind: type[Side], rows: list[tuple[str, str, str]], dropping: str) -> None:
        """
        @param dropping: the state in which frames of the last exchange may
            come, which the page describes apart from its table.
        """
        told = {(state, name) for state, name, _ in rows}
        states = {state for state, _, _ in rows} | {"idle"}
        does = {state: self._after(kind, state) for state in states}
        for state in states - {dropping}:
            legal = {name for name, reply in does[state].items() if reply is not None}
            listed = {name for name in kind.frames if (state, name) in told}
            self.assertEqual(legal, listed, state)
        for state, name, following in rows:
            if name in kind.frames:
                after = self._after(kind, state, name)
                if state == "greeting":
                    # There was no earlier exchange whose frames could still come.
                    self.assertNotEqual(after, does["greeting"])
                else:
                    self.assertEqual(after, does[following], (state, name))

    def test_edge(self) -> None:
        """
        The edge accepts the frames that its table lists, and no other. After
        each frame it is in the next state of the table.
        """
        rows = self._table("edge")
        self._check(Edge, rows, "idle")
        self.assertEqual(
            self._after(Edge, "idle"),
            {name: None if name == "HELLO" else () for name in Edge.frames},
        )

    def test_recall(self) -> None:
        """
        The edge sends a recall while no ACCEPT has come, which changes nothing for what the
        node may send.
        """
        for state in ("offered", "running", "ending", "resetting", "idle"):
            recalled = []
            for name in Edge.frames:
                side = Edge(state)
                side.slot.recall()
                sent = [(kind, payload) for kind, _, payload in side.end.frames()]
                self.assertEqual(sent, [(DONE, RECALL)] if state == "offered" else [], state)
                recalled.append((name, side.receive(name)))
            self.assertEqual(dict(recalled), self._after(Edge, state), state)

    def test_node(self) -> None:
        """
        The node accepts what its table lists, and no other. After each frame
        it is in the next state of the table.
        """
        self._check(Node, self._table("node"), "")

    def test_answers(self) -> None:
        """
        A side answers a RESET if it has not sent its own, and not otherwise.
        """
        for kind, states in ((Edge, ("offered", "running", "ending")), (Node, ("busy", "ending"))):
            for state in states:
                self.assertEqual(kind(state).receive("RESET"), ("RESET",), state)
            self.assertEqual(kind("resetting").receive("RESET"), ())
