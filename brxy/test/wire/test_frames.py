"""
Tests for L{brxy.wire.frames}.
"""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SlotProtocolError
from brxy.test.support.memory.examples import bounded
from brxy.wire import frames as wire
from brxy.wire.frames import Decoder, dataFrames, frame, nextExchange
from brxy.wire.greeting import Hello, Open, Welcome

_bounded = bounded(150)

# The rules of the protocol once more: type, payloads, and whether it needs an exchange.
_NOTHING = st.just(b"")
_REASON = st.binary(max_size=255)
_FLAG = st.sampled_from([b"\x00", b"\x01"])
_JSON = st.binary(min_size=2, max_size=300)
_LEGAL = {
    wire.HELLO: (_JSON, False),
    wire.WELCOME: (_JSON, False),
    wire.NEWEST: (_FLAG, False),
    wire.RETIRE: (_REASON, False),
    wire.READY: (st.binary(max_size=2), False),
    wire.UNREADY: (_NOTHING, False),
    wire.OPEN: (st.binary(min_size=2, max_size=257), True),
    wire.ACCEPT: (_NOTHING, True),
    wire.REFUSE: (_REASON, True),
    wire.DATA: (st.binary(min_size=1, max_size=1000), True),
    wire.END: (_NOTHING, True),
    wire.DONE: (_FLAG | st.just(wire.RECALL), True),
    wire.RESET: (_REASON, True),
    wire.SPAWN: (_NOTHING, False),
    wire.GOAWAY: (_REASON, False),
    wire.PING: (_NOTHING, False),
    wire.PONG: (_NOTHING, False),
}

Frame = tuple[int, int, bytes]


@st.composite
def legalFrames(draw: st.DrawFn) -> Frame:
    type = draw(st.sampled_from(sorted(_LEGAL)))
    payloads, in_exchange = _LEGAL[type]
    return type, draw(st.integers(1, 255)) if in_exchange else 0, draw(payloads)


def feedPieces(data: bytes, sizes: list[int]) -> list[Frame]:
    """
    @return: the frames that a decoder returns when C{data} arrive in pieces of
        these sizes, which are repeated as needed.
    """
    decoder = Decoder()
    frames = []
    start = turn = 0
    while start < len(data):
        size = sizes[turn % len(sizes)]
        frames += decoder.feed(data[start : start + size])
        start += size
        turn += 1
    return joined(frames)


def joined(frames: list[Frame]) -> list[Frame]:
    """
    @return: the same frames, with adjacent DATA of one exchange joined.
    """
    whole: list[Frame] = []
    for type, exchange, payload in frames:
        if whole and type == wire.DATA and whole[-1][:2] == (type, exchange):
            payload = whole.pop()[2] + payload
        whole.append((type, exchange, payload))
    return whole


class FrameTests(SynchronousTestCase):
    """
    Tests for L{frame}, L{dataFrames} and L{nextExchange}.
    """

    def test_layout(self) -> None:
        """
        A frame is its type, its exchange, its length in two bytes and its payload.
        """
        self.assertEqual(frame(wire.REFUSE, 7, b"busy"), b"\x09\x07\x00\x04busy")
        self.assertEqual(frame(wire.READY), b"\x05\x00\x00\x00")

    def test_typesDiffer(self) -> None:
        """
        Every type of frame has a number and a name of its own.
        """
        self.assertEqual(sorted(wire.NAMES), list(range(1, 18)))
        for number, name in wire.NAMES.items():
            self.assertEqual(getattr(wire, name), number)

    def test_readyWithCapacity(self) -> None:
        """
        READY carries the capacity of a node that learns it, and nothing otherwise.
        """
        self.assertEqual(wire.readyFrame(None), b"\x05\x00\x00\x00")
        self.assertEqual(wire.readyFrame(10_000), b"\x05\x00\x00\x02\x27\x10")
        self.assertEqual(wire.readyCapacity(b""), None)
        self.assertEqual(wire.readyCapacity(b"\x27\x10"), 10_000)
        for payload in (b"\x01", b"\x00\x00", b"\x27\x11"):
            complaint = "READY says a capacity that is not 1..10000"
            error = self.assertRaises(SlotProtocolError, wire.readyCapacity, payload)
            self.assertEqual(str(error), complaint)

    def test_dataInOneFrame(self) -> None:
        """
        Up to 65,535 bytes go in one frame.
        """
        data = b"x" * 65535
        self.assertEqual(dataFrames(3, data), b"\x0a\x03\xff\xff" + data)

    def test_noData(self) -> None:
        """
        No bytes make no frame, because a DATA frame without bytes is an error.
        """
        self.assertEqual(dataFrames(3, b""), b"")

    def test_dataInManyFrames(self) -> None:
        """
        Longer data is split into as few frames as can carry it.
        """
        for size in (65536, 131070, 131071, 262144):
            data = bytes(range(256)) * (size // 256 + 1)
            frames = Decoder().feed(dataFrames(9, data[:size]))
            self.assertEqual(b"".join(payload for _, _, payload in frames), data[:size])
            self.assertEqual({(type, number) for type, number, _ in frames}, {(wire.DATA, 9)})
            self.assertEqual(len(frames), -(-size // 65535))

    def test_exchangesCount(self) -> None:
        """
        Exchange numbers run from 1 to 255 and then from 1 again, and are never
        0.
        """
        number, seen = 0, []
        for _ in range(256):
            number = nextExchange(number)
            seen.append(number)
        self.assertEqual(seen, [*range(1, 256), 1])


class ReasonTests(SynchronousTestCase):
    """
    Tests for L{wire.reasonPayload} and L{wire.reasonText}.
    """

    def test_roundTrip(self) -> None:
        """
        A reason arrives as it was sent, in any script.
        """
        for text in ("", "no route to the app", "größer als möglich", "満員"):
            self.assertEqual(wire.reasonText(wire.reasonPayload(text)), text)

    def test_longIsCut(self) -> None:
        """
        A long reason is cut to 255 bytes, between characters.
        """
        payload = wire.reasonPayload("満" * 200)
        self.assertEqual(payload.decode("utf-8"), "満" * 85)
        self.assertEqual(len(payload), 255)

    def test_fitForLogs(self) -> None:
        """
        Characters that could forge or garble a log line are escaped.
        """
        self.assertEqual(wire.reasonText(b"a\nb\x1b[2J\x00\xe2\x80\xae"), r"a\nb\x1b[2J\x00\u202e")

    def test_notUTF8(self) -> None:
        """
        Bytes that are not UTF-8 are replaced.
        """
        self.assertEqual(wire.reasonText(b"\xff!"), "\ufffd!")

    def test_loneSurrogate(self) -> None:
        """
        A reason that UTF-8 can't encode, such as one with an undecodable file
        name, is still sent.
        """
        self.assertEqual(wire.reasonPayload("a\udcff"), b"a?")


class DecoderTests(SynchronousTestCase):
    """
    Tests for L{Decoder}.
    """

    @_bounded
    @given(st.lists(legalFrames(), max_size=12), st.lists(st.integers(1, 400), min_size=1))
    def test_anySplit(self, frames: list[Frame], sizes: list[int]) -> None:
        """
        The same frames come out however the bytes are split.
        """
        data = b"".join(frame(*one) for one in frames)
        self.assertEqual(Decoder().feed(data), frames)
        self.assertEqual(feedPieces(data, sizes), joined(frames))
        self.assertEqual(feedPieces(data, [1]), joined(frames))

    @_bounded
    @given(st.binary(max_size=200), st.lists(st.integers(1, 20), min_size=1))
    def test_anyBytes(self, data: bytes, sizes: list[int]) -> None:
        """
        Any bytes give frames or a breach of the protocol, and the same ones
        however the bytes are split.
        """

        def outcome(sizes: list[int]) -> list[Frame] | str:
            try:
                return feedPieces(data, sizes)
            except SlotProtocolError as error:
                return str(error)

        self.assertEqual(outcome(sizes), outcome([1]))
        self.assertEqual(outcome(sizes), outcome([200]))

    def test_dataInPieces(self) -> None:
        """
        The part of a long DATA frame that has arrived is returned at once,
        with the number of bytes that are missing.
        """
        decoder = Decoder()
        big = dataFrames(1, b"x" * 65534 + b"y")
        self.assertEqual(decoder.feed(big[:4]), [])
        self.assertEqual(decoder.missing, 65535)
        self.assertEqual(decoder.feed(big[4:-1]), [(wire.DATA, 1, b"x" * 65534)])
        self.assertEqual(decoder.missing, 1)
        self.assertEqual(decoder.feed(b"y\x0b\x01"), [(wire.DATA, 1, b"y")])
        self.assertEqual(decoder.missing, 0)

    def test_wholeFramesOnly(self) -> None:
        """
        Any other frame is returned when its last byte has arrived, and the
        bytes after it are kept.
        """
        decoder = Decoder()
        short = dataFrames(1, b"x" * 16384)
        self.assertEqual(decoder.feed(short[:-1]), [])
        self.assertEqual(decoder.feed(b"x"), [(wire.DATA, 1, b"x" * 16384)])
        refuse = frame(wire.REFUSE, 1, b"busy")
        self.assertEqual(decoder.feed(refuse[:-1]), [])
        self.assertEqual(decoder.feed(b""), [])
        self.assertEqual(decoder.feed(refuse[-1:] + b"\x0b\x01"), [(wire.REFUSE, 1, b"busy")])
        self.assertEqual(decoder.feed(b"\x00\x00\x05"), [(wire.END, 1, b"")])
        self.assertEqual(decoder.feed(b"\x00\x00\x00"), [(wire.READY, 0, b"")])

    def test_payloadsAreBytes(self) -> None:
        """
        Payloads are immutable and may be kept, buffered or not.
        """
        data = frame(wire.REFUSE, 1, b"busy")
        for size in (len(data), 3):
            [(_, _, payload)] = feedPieces(data, [size])
            self.assertIs(type(payload), bytes)

    def assertBreach(self, data: bytes, complaint: str) -> None:
        error = self.assertRaises(SlotProtocolError, Decoder().feed, data)
        self.assertEqual(str(error), complaint)

    def test_unknownType(self) -> None:
        """
        An unknown type is a breach, whatever the rest of the header contains.
        """
        for type in (0, 18, 255):
            for rest in (b"\x00\x00\x00", b"\x01\x00\x01", b"\x00\xff\xff"):
                self.assertBreach(bytes([type]) + rest, f"no type of frame: {type}")

    def test_http(self) -> None:
        """
        A web browser that connects to the port for nodes is refused at once.
        """
        self.assertBreach(b"GET / HTTP/1.1\r\n", "no type of frame: 71")

    def test_tooLong(self) -> None:
        """
        A frame that is too long for its type is a breach as soon as its header
        has arrived.
        """
        for type, longest in (
            (wire.HELLO, 4096),
            (wire.WELCOME, 4096),
            (wire.NEWEST, 1),
            (wire.RETIRE, 255),
            (wire.READY, 2),
            (wire.UNREADY, 0),
            (wire.OPEN, 257),
            (wire.ACCEPT, 0),
            (wire.REFUSE, 255),
            (wire.END, 0),
            (wire.DONE, 1),
            (wire.RESET, 255),
            (wire.SPAWN, 0),
            (wire.GOAWAY, 255),
            (wire.PING, 0),
            (wire.PONG, 0),
        ):
            number = 1 if _LEGAL[type][1] else 0
            header = frame(type, number, b"\x01" * (longest + 1))[:4]
            complaint = f"{wire.NAMES[type]} is too long: {longest + 1} bytes, at most {longest}"
            self.assertBreach(header, complaint)
            longest_frame = frame(type, number, b"\x01" * longest)
            self.assertEqual(len(Decoder().feed(longest_frame)), 1)

    def test_tooShort(self) -> None:
        """
        A frame without the payload that its type needs is a breach.
        """
        for type, shortest in (
            (wire.HELLO, 2),
            (wire.WELCOME, 2),
            (wire.NEWEST, 1),
            (wire.OPEN, 2),
            (wire.DATA, 1),
            (wire.DONE, 1),
        ):
            number = 1 if _LEGAL[type][1] else 0
            complaint = (
                f"{wire.NAMES[type]} is too short: {shortest - 1} bytes, at least {shortest}"
            )
            self.assertBreach(frame(type, number, b"\x01" * (shortest - 1)), complaint)

    def test_exchangeNumbers(self) -> None:
        """
        Frames of an exchange need its number, and frames about the slot must
        have none.
        """
        for type, (_, in_exchange) in _LEGAL.items():
            name = wire.NAMES[type]
            shortest = {wire.HELLO: 2, wire.WELCOME: 2, wire.OPEN: 2}.get(
                type, int(type in (wire.NEWEST, wire.DATA, wire.DONE))
            )
            payload = b"\x01" * shortest
            if in_exchange:
                complaint = f"{name} without the number of its exchange"
                self.assertBreach(frame(type, 0, payload), complaint)
            else:
                complaint = f"{name} is about the slot, and came with the number of an exchange: 4"
                self.assertBreach(frame(type, 4, payload), complaint)

    def test_badFlag(self) -> None:
        """
        The payload byte of NEWEST and DONE must be 0 or 1.
        """
        self.assertBreach(frame(wire.NEWEST, 0, b"\x02"), "NEWEST says 2, not 0 or 1")
        self.assertBreach(frame(wire.DONE, 1, b"\xff"), "DONE says 255, not 0, 1 or 2")


def goodHello(**changes: Any) -> dict[str, Any]:
    """
    @return: the fields of a HELLO for JSON, with these changes.
    """
    said = {
        "version": 1,
        "token": "secret",
        "instance": "web-1",
        "route": "example.com",
        "capacity": 2,
        "ticket": "t-1",
        "generation": 1_700_000_000_000_000,
    }
    return {**said, **changes}


def goodWelcome(**changes: Any) -> dict[str, Any]:
    """
    @return: the fields of a WELCOME for JSON, with these changes.
    """
    return {"version": 1, "edge": "e-1", "generation": 17, "newest": True, **changes}


class GreetingTests(SynchronousTestCase):
    """
    Tests for L{Hello} and L{Welcome}.
    """

    def test_helloRoundTrip(self) -> None:
        """
        A HELLO arrives as it was sent.
        """
        for hello in (
            Hello(**goodHello()),
            Hello(version=1, token="", instance="i", route="r", capacity=10_000),
            Hello(1, '"\\' * 127, "~" * 255, '"' * 255, 1, "\\" * 255, 2**63 - 1, True),
        ):
            [(type, exchange, payload)] = Decoder().feed(hello.encode())
            self.assertEqual((type, exchange), (wire.HELLO, 0))
            self.assertEqual(Hello.decode(payload), hello)

    def test_welcomeRoundTrip(self) -> None:
        """
        A WELCOME arrives as it was sent.
        """
        for newest in (False, True):
            welcome = Welcome(1, "e-1", 17, newest)
            [(type, exchange, payload)] = Decoder().feed(welcome.encode())
            self.assertEqual((type, exchange), (wire.WELCOME, 0))
            self.assertEqual(Welcome.decode(payload), welcome)

    def test_unknownKeys(self) -> None:
        """
        Unknown keys are ignored.
        """
        hello = Hello.decode(json.dumps(goodHello(zone="b")).encode())
        self.assertEqual(hello, Hello(**goodHello()))

    def test_optionalKeys(self) -> None:
        """
        A node that was not ordered has neither ticket nor generation. It may
        send C{null} for them or omit them. A node that omits C{wants_client}
        does not want the addresses of clients.
        """
        said = goodHello(generation=None)
        del said["ticket"]
        hello = Hello.decode(json.dumps(said).encode())
        self.assertEqual((hello.ticket, hello.generation, hello.wants_client), ("", None, False))
        self.assertEqual(set(json.loads(hello.encode()[4:])), set(said) - {"generation"})

    def test_tokenHidden(self) -> None:
        """
        Neither the repr of a HELLO nor an error about it contains the token.
        """
        self.assertNotIn("secret", repr(Hello(**goodHello())))
        payload = json.dumps(goodHello(token="secret\n")).encode()
        error = self.assertRaises(SlotProtocolError, Hello.decode, payload)
        self.assertNotIn("secret", str(error))
        self.assertIsNone(error.__cause__)

    def test_badHello(self) -> None:
        """
        Each field must have the right type and be within its limits.
        """
        text = "printable ASCII characters"
        for changes, complaint in (
            ({"version": 2}, "HELLO is not of version 1: '2'"),
            ({"version": None}, "HELLO is not of version 1: 'None'"),
            ({"version": "x" * 999}, f"HELLO is not of version 1: '{'x' * 20}'"),
            ({"version": True}, "HELLO: version is not a whole number in 1..1"),
            ({"token": 5}, f"HELLO: token is not 0 to 255 {text}"),
            ({"token": "x" * 256}, f"HELLO: token is not 0 to 255 {text}"),
            ({"instance": ""}, f"HELLO: instance is not 1 to 255 {text}"),
            ({"instance": "a\nb"}, f"HELLO: instance is not 1 to 255 {text}"),
            ({"instance": "é"}, f"HELLO: instance is not 1 to 255 {text}"),
            ({"route": ["r"]}, f"HELLO: route is not 1 to 255 {text}"),
            ({"ticket": None}, f"HELLO: ticket is not 0 to 255 {text}"),
            ({"capacity": 0}, "HELLO: capacity is not a whole number in 1..10000"),
            ({"capacity": 10_001}, "HELLO: capacity is not a whole number in 1..10000"),
            ({"capacity": 1.0}, "HELLO: capacity is not a whole number in 1..10000"),
            ({"capacity": True}, "HELLO: capacity is not a whole number in 1..10000"),
            ({"wants_client": 1}, "HELLO: wants_client is neither true nor false"),
        ):
            payload = json.dumps(goodHello(**changes)).encode()
            error = self.assertRaises(SlotProtocolError, Hello.decode, payload)
            self.assertEqual(str(error), complaint)

    def test_badGeneration(self) -> None:
        """
        A generation is a number of microseconds that fits in 63 bits.
        """
        for generation in (-1, 2**63, "1", 1.5, False):
            payload = json.dumps(goodHello(generation=generation)).encode()
            self.assertRaises(SlotProtocolError, Hello.decode, payload)

    def test_missingFields(self) -> None:
        """
        The error for a HELLO that lacks a field names the field.
        """
        for name in ("token", "instance", "route", "capacity"):
            said = goodHello()
            del said[name]
            error = self.assertRaises(SlotProtocolError, Hello.decode, json.dumps(said).encode())
            self.assertEqual(str(error), f"HELLO lacks its {name}")

    def test_badWelcome(self) -> None:
        """
        Each field of a WELCOME must have the right type and be within its
        limits.
        """
        for changes in (
            {"version": 0},
            {"edge": ""},
            {"generation": None},
            {"generation": -1},
            {"newest": 1},
            {"newest": None},
        ):
            payload = json.dumps(goodWelcome(**changes)).encode()
            self.assertRaises(SlotProtocolError, Welcome.decode, payload)
        payload = json.dumps(goodWelcome()).encode()
        self.assertEqual(Welcome.decode(payload), Welcome(**goodWelcome()))

    def test_notJSON(self) -> None:
        """
        A payload that is not a JSON object in UTF-8 is a breach, however it
        was constructed.
        """
        for payload in (
            b"{}x",
            b"\xff\xfe{\x00}\x00",
            b"[" * 4096,
            b'{"version":' * 372,
            b"9" * 4096,
            b"[1]",
            b'"version"',
        ):
            error = self.assertRaises(SlotProtocolError, Hello.decode, payload)
            self.assertIn("HELLO is not", str(error))
            self.assertNotIn("\n", str(error))

    def test_loneSurrogate(self) -> None:
        """
        A string that JSON can express and UTF-8 can't is refused.
        """
        payload = json.dumps(goodHello(route="\ud800")).encode()
        self.assertRaises(SlotProtocolError, Hello.decode, payload)

    def test_ourOwnMistake(self) -> None:
        """
        A greeting that can't be sent can't be made: that is an error of the
        caller, not a breach by a peer.
        """
        self.assertRaises(ValueError, Hello, **goodHello(capacity=0))
        self.assertRaises(ValueError, Welcome, **goodWelcome(edge="a b\n"))

    @_bounded
    @given(st.binary(max_size=80))
    def test_anyPayload(self, payload: bytes) -> None:
        """
        Any payload of a greeting is accepted or is a breach of the protocol.
        """
        for decode in (Hello.decode, Welcome.decode):
            self.assertRaises(SlotProtocolError, decode, payload)


class OpenTests(SynchronousTestCase):
    """
    Tests for L{Open}.
    """

    def test_layout(self) -> None:
        """
        OPEN is two bytes, kind and flags, followed by the client's address.
        """
        opening = Open(wire.KIND_TCP, True, "192.0.2.1:5")
        self.assertEqual(opening.encode(255), b"\x07\xff\x00\x0d\x02\x01192.0.2.1:5")

    @_bounded
    @given(
        st.sampled_from([wire.KIND_HTTP, wire.KIND_TCP]),
        st.booleans(),
        st.text(st.characters(min_codepoint=32, max_codepoint=126), max_size=255),
    )
    def test_roundTrip(self, kind: int, once: bool, client: str) -> None:
        """
        An OPEN arrives as it was sent.
        """
        opening = Open(kind, once, client)
        [(type, exchange, payload)] = Decoder().feed(opening.encode(7))
        self.assertEqual((type, exchange), (wire.OPEN, 7))
        self.assertEqual(Open.decode(payload), opening)

    def test_breaches(self) -> None:
        """
        An unknown kind, an unknown flag and an invalid address are breaches.
        """
        address = "OPEN: the client's address is not printable ASCII"
        for payload, complaint in (
            (b"\x00\x00", "OPEN of no known kind: 0"),
            (b"\x03\x00", "OPEN of no known kind: 3"),
            (b"\x01\x02", "OPEN with unknown flags: 2"),
            (b"\x01\x80", "OPEN with unknown flags: 128"),
            (b"\x01\x00a\nb", address),
            (b"\x01\x00\xe9", address),
            (b"\x01\x00\x7f", address),
        ):
            error = self.assertRaises(SlotProtocolError, Open.decode, payload)
            self.assertEqual(str(error), complaint)
