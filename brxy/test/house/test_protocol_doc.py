"""
Tests that the page about the slot protocol, C{doc/protocol.rst}, matches the
code.
"""

from __future__ import annotations

import re
from types import ModuleType

from attrs import frozen
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.slots import node as edge_slot
from brxy.errors import SlotProtocolError
from brxy.node import edgeend
from brxy.node import slot as node_slot
from brxy.test.support.pages import listTables, readPage, section
from brxy.wire import frames as wire
from brxy.wire.frames import Decoder, frame
from brxy.wire.greeting import Hello, Open, Welcome

# "node: READY 05 00 0000", and the same without a sender for a frame in the same write.
EXAMPLE = re.compile(
    r" {4}(?:(?P<sender>node|edge): | {6})(?P<name>[A-Z]+) +"
    r"(?P<header>[0-9a-f]{2} [0-9a-f]{2} [0-9a-f]{4})(?:  (?P<payload>.*))?"
)
CONTINUED = re.compile(r" {10}(?P<payload>'.*)")
PIECE = re.compile(r"(?P<bytes>[0-9a-f]{2})|'(?P<text>[^']*)'| +")
ROW = re.compile(
    r"(?P<name>[A-Z]+) +(?P<type>[0-9a-f]{2}) +(?P<sender>node|edge|both)"
    r" +(?P<exchange>yes|no) +(?P<shortest>\d+)(?: to (?P<longest>\d+))?"
)


@frozen
class Example:
    """
    One frame as the page shows it.

    @ivar line: its place, for messages.
    @ivar header: its four bytes.
    """

    line: int
    sender: str
    name: str
    header: bytes
    payload: bytes


@frozen
class Row:
    """
    The row of one type of frame in the page's table.
    """

    name: str
    type: int
    sender: str
    in_exchange: bool
    shortest: int
    longest: int


def payloadOf(text: str) -> bytes:
    """
    @return: the bytes for a payload in the notation of the page.
    """
    payload, position = b"", 0
    while position < len(text):
        piece = PIECE.match(text, position)
        assert piece is not None, f"not in the page's notation: {text[position:]}"
        if piece["bytes"] is not None:
            payload += bytes.fromhex(piece["bytes"])
        elif piece["text"] is not None:
            payload += piece["text"].replace(r"\r", "\r").replace(r"\n", "\n").encode()
        position = piece.end()
    return payload


def readExamples(lines: list[str]) -> list[Example]:
    """
    @return: the frames in the page's examples, in order.
    """
    examples, sender, number = [], "", 0
    while number < len(lines):
        shown = EXAMPLE.fullmatch(lines[number])
        number += 1
        if shown is None:
            continue
        sender = shown["sender"] or sender
        line, payload = number, payloadOf(shown["payload"] or "")
        while more := CONTINUED.fullmatch(lines[number]):
            payload += payloadOf(more["payload"])
            number += 1
        header = bytes.fromhex(shown["header"])
        examples.append(Example(line, sender, shown["name"], header, payload))
    return examples


def readTable(lines: list[str]) -> list[Row]:
    """
    @return: the table of all frames.
    """
    return [
        Row(
            row["name"],
            int(row["type"], 16),
            row["sender"],
            row["exchange"] == "yes",
            int(row["shortest"]),
            int(row["longest"] or row["shortest"]),
        )
        for row in map(ROW.fullmatch, lines)
        if row is not None
    ]


class ProtocolPageTests(SynchronousTestCase):
    """
    Tests of the page's table and its examples.
    """

    def setUp(self) -> None:
        self.lines = readPage("protocol").splitlines()
        self.table = {row.name: row for row in readTable(self.lines)}
        self.examples = readExamples(self.lines)

    def test_everyType(self) -> None:
        """
        The table and the examples contain each type of frame, and no other.
        """
        names = set(wire.NAMES.values())
        self.assertEqual(set(self.table), names)
        self.assertEqual({example.name for example in self.examples}, names)

    def test_everyExampleIsRead(self) -> None:
        """
        These tests read each line of the page's examples.
        """
        shown = [line for line in self.lines if re.match(r" {4}(node|edge): ", line)]
        self.assertEqual(len(shown), len([line for line in shown if EXAMPLE.fullmatch(line)]))
        self.assertTrue(len(self.examples) >= len(shown) > 20)

    def test_encode(self) -> None:
        """
        Each example is equal to the frame that the code makes.
        """
        for example in self.examples:
            made = frame(self.table[example.name].type, example.header[1], example.payload)
            self.assertEqual(made, example.header + example.payload, f"line {example.line}")

    def test_decode(self) -> None:
        """
        The code reads each example as the frame that the page names.
        """
        for example in self.examples:
            [(type, exchange, payload)] = Decoder().feed(example.header + example.payload)
            self.assertEqual(
                (wire.NAMES[type], exchange, payload),
                (example.name, example.header[1], example.payload),
                f"line {example.line}",
            )

    def test_payloads(self) -> None:
        """
        Payloads with a form of their own have that form.
        """
        for example in self.examples:
            if example.name == "HELLO":
                hello = Hello.decode(example.payload)
                self.assertEqual(hello.encode()[4:], example.payload)
            elif example.name == "WELCOME":
                welcome = Welcome.decode(example.payload)
                self.assertEqual(welcome.encode()[4:], example.payload)
            elif example.name == "OPEN":
                whole = Open.decode(example.payload).encode(example.header[1])
                self.assertEqual(whole, example.header + example.payload)

    def test_senders(self) -> None:
        """
        No example shows a frame from the side that must not send it.
        """
        for example in self.examples:
            sender = self.table[example.name].sender
            self.assertIn(sender, ("both", example.sender), f"line {example.line}")

    def test_table(self) -> None:
        """
        The numbers and limits in the table are those of the code.
        """
        for row in self.table.values():
            self.assertEqual(wire.NAMES[row.type], row.name)
            for size, exchange, good in (
                (row.shortest, int(row.in_exchange), True),
                (row.longest, int(row.in_exchange), True),
                (row.shortest, int(not row.in_exchange), False),
                (row.longest + 1, int(row.in_exchange), False),
                (row.shortest - 1, int(row.in_exchange), False),
            ):
                if 0 <= size <= wire.MAX_DATA:
                    self.assertEqual(isFrame(row.type, exchange, size), good, (row, size))


class StateTablesTests(SynchronousTestCase):
    """
    Tests of the state tables of both sides.
    """

    def _check(self, side: str, slot: ModuleType, more: set[tuple[int, int]]) -> None:
        """
        @param more: what the side does outside its own table, as state and
            frame.
        """
        text = section(readPage("protocol"), f"The states of the {side}'s side")
        received, events = listTables(text)
        told = [(state, frame) for state, frames, _, _ in received for frame in frames.split(", ")]
        self.assertEqual(len(told), len(set(told)))
        self.assertEqual(
            {
                # DONE has a row of its own for a recall.
                (getattr(slot, state.upper()), getattr(wire, frame.removesuffix(" (recall)")))
                for state, frame in told
            },
            slot.RECEIVED.keys() | more,
        )
        [anytime] = re.findall(r"these frames are legal as well:([A-Z,\s]+)\.", text)
        self.assertEqual(
            {getattr(wire, name.strip()) for name in anytime.split(",")},
            set(slot.RECEIVED_ANYTIME),
        )
        named = {state for state, _ in told}
        following = {row[-1] for row in (*received, *events)} - {"–"}
        self.assertEqual(following - named - {"idle"}, set())

    def test_edge(self) -> None:
        """
        The edge accepts the frames that the page names in the states that it
        names, and no others.
        """
        self._check("edge", edge_slot, set())

    def test_node(self) -> None:
        """
        The node accepts the frames that the page names in the states that it
        names, and no others. It handles OPEN before it consults its table.
        """
        self._check("node", node_slot, {(edgeend.IDLE, wire.OPEN)})


def isFrame(type: int, exchange: int, size: int) -> bool:
    """
    @return: whether a payload of this size is legal for this type.
    """
    try:
        return len(Decoder().feed(frame(type, exchange, b"\x01" * size))) == 1
    except SlotProtocolError:
        return False
