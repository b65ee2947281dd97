"""
The frames of the slot protocol, as bytes: encoding, and decoding within bounds.

A frame is a header of four bytes and its payload: type (1 byte), exchange
(1 byte), length of the payload (2 bytes, big endian).  C{doc/protocol.rst} says what each
frame means, and when it may be sent.  This module checks what one frame alone shows.
"""

from __future__ import annotations

from functools import lru_cache
from struct import Struct
from typing import Final

from brxy.errors import SlotProtocolError
from brxy.values.text import printable

VERSION: Final = 1

# Plain integers: they are compared for every frame, which takes several times as long for
# members of an enum.
HELLO: Final = 1
WELCOME: Final = 2
NEWEST: Final = 3
RETIRE: Final = 4
READY: Final = 5
UNREADY: Final = 6
OPEN: Final = 7
ACCEPT: Final = 8
REFUSE: Final = 9
DATA: Final = 10
END: Final = 11
DONE: Final = 12
RESET: Final = 13
SPAWN: Final = 14
GOAWAY: Final = 15
PING: Final = 16
PONG: Final = 17

KIND_HTTP: Final = 1
KIND_TCP: Final = 2

MAX_DATA: Final = 0xFFFF
"""The largest number in the header's two bytes."""

MAX_CONTROL: Final = 4096
"""Enough for the four strings of HELLO at their longest, with each character escaped."""

MAX_TEXT: Final = 255
"""For names, addresses and reasons, which get into log lines."""

MAX_CAPACITY: Final = 10_000
"""The largest capacity of an instance, in exchanges."""

FLAGS: Final = (b"\x00", b"\x01")
"""The payloads of NEWEST, and of DONE at the end of an exchange: C{FLAGS[keep]}."""

RECALL: Final = b"\x02"
"""The payload of DONE that takes an exchange back unless the app has taken it up."""

NOT_TAKEN_UP: Final = "not taken up yet"
"""The reason of a REFUSE whose app is full: it is no failure of the app."""

_HEADER: Final = Struct(">BBH")
_HEADER_SIZE: Final = _HEADER.size
_pack = _HEADER.pack
_unpack_from = _HEADER.unpack_from

# type: (name, shortest payload, longest payload, belongs to an exchange)
_FRAMES: Final[dict[int, tuple[str, int, int, bool]]] = {
    HELLO: ("HELLO", 2, MAX_CONTROL, False),
    WELCOME: ("WELCOME", 2, MAX_CONTROL, False),
    NEWEST: ("NEWEST", 1, 1, False),
    RETIRE: ("RETIRE", 0, MAX_TEXT, False),
    READY: ("READY", 0, 2, False),
    UNREADY: ("UNREADY", 0, 0, False),
    OPEN: ("OPEN", 2, 2 + MAX_TEXT, True),
    ACCEPT: ("ACCEPT", 0, 0, True),
    REFUSE: ("REFUSE", 0, MAX_TEXT, True),
    DATA: ("DATA", 1, MAX_DATA, True),
    END: ("END", 0, 0, True),
    DONE: ("DONE", 1, 1, True),
    RESET: ("RESET", 0, MAX_TEXT, True),
    SPAWN: ("SPAWN", 0, 0, False),
    GOAWAY: ("GOAWAY", 0, MAX_TEXT, False),
    PING: ("PING", 0, 0, False),
    PONG: ("PONG", 0, 0, False),
}

NAMES: Final = {type: rule[0] for type, rule in _FRAMES.items()}
"""The name of each type of frame, for logs."""

# Shortest and longest payload by the type's byte, for a frame with the number of an exchange
# and for one without.  A type that is not allowed has the bounds 1 and 0, which no length
# satisfies, so one look-up is enough.
_IN_EXCHANGE: Final = [
    rule[1:3] if (rule := _FRAMES.get(type)) and rule[3] else (1, 0) for type in range(256)
]
_ABOUT_SLOT: Final = [
    rule[1:3] if (rule := _FRAMES.get(type)) and not rule[3] else (1, 0) for type in range(256)
]


def frame(type: int, exchange: int = 0, payload: bytes = b"") -> bytes:
    """
    Encode one frame.  The caller makes sure that it is a legal one.
    """
    return _pack(type, exchange, len(payload)) + payload


def dataFrames(exchange: int, data: bytes) -> bytes:
    """
    Encode bytes as DATA frames: as many as are needed, and none for no bytes.
    """
    size = len(data)
    if 0 < size <= MAX_DATA:
        return _pack(DATA, exchange, size) + data
    # Views, since to allocate a large buffer costs more than to copy into it.
    view = memoryview(data)
    pieces: list[bytes | memoryview] = []
    for start in range(0, size, MAX_DATA):
        piece = view[start : start + MAX_DATA]
        pieces += (_pack(DATA, exchange, len(piece)), piece)
    return b"".join(pieces)


def dataHead(exchange: int, size: int) -> bytes:
    """
    The header of one DATA frame with C{size} bytes, at most L{MAX_DATA}.
    """
    return _pack(DATA, exchange, size)


@lru_cache(512)
def acceptFrame(exchange: int) -> bytes:
    """
    Encode ACCEPT; cached, since a node sends one for each exchange.
    """
    return frame(ACCEPT, exchange)


@lru_cache(1024)
def doneFrame(exchange: int, keep: bool) -> bytes:
    """
    Encode DONE; cached, since an edge sends one for each exchange.
    """
    return frame(DONE, exchange, FLAGS[keep])


def readyFrame(capacity: int | None) -> bytes:
    """
    Encode READY.

    @param capacity: how many exchanges the app takes now; L{None} if HELLO said it for good.
    """
    return frame(READY, 0, b"" if capacity is None else capacity.to_bytes(2, "big"))


def readyCapacity(payload: bytes) -> int | None:
    """
    The capacity that READY carries; L{None} if it carries none.

    @raise SlotProtocolError: it is no capacity.
    """
    if not payload:
        return None
    capacity = int.from_bytes(payload, "big")
    if len(payload) != 2 or not 1 <= capacity <= MAX_CAPACITY:
        raise SlotProtocolError(f"READY says a capacity that is not 1..{MAX_CAPACITY}")
    return capacity


def nextExchange(exchange: int) -> int:
    """
    The number of the next exchange: 1 after 0 (none yet) and after 255.
    """
    return exchange % 255 + 1


def reasonPayload(text: str) -> bytes:
    """
    Encode the payload of REFUSE, RESET, RETIRE or GOAWAY: the reason, for the log of the
    other side.  A text that is too long is cut.
    """
    cut = text.encode("utf-8", "replace")[:MAX_TEXT]
    return cut.decode("utf-8", "ignore").encode("utf-8")


def reasonText(payload: bytes) -> str:
    """
    The reason that a frame carries, as one line that is fit for a log.
    """
    return printable(payload.decode("utf-8", "replace"))


# The longest payload of DATA that is buffered until it is complete.
_MAX_WHOLE: Final = 16 * 1024


class Decoder:
    """
    Turns the bytes that arrive on one slot into frames.  Frames are complete, except for
    long DATA, whose payload is passed on in the pieces in which it arrives.  Short DATA is
    complete so that most responses are complete before their first byte is sent to the
    client: until then the exchange can be offered again.

    Between two calls the decoder keeps at most a part of one frame that is not such DATA
    (16,388 bytes).

    @ivar _rest: the beginning of an incomplete frame.
    @ivar _needed: the length that C{_rest} must have before anything else can be decoded.
    @ivar _number: the exchange of the last long DATA that was incomplete.
    @ivar missing: how many bytes of its payload are still to come.
    """

    __slots__ = ("_needed", "_number", "_rest", "missing")

    def __init__(self) -> None:
        self._rest = bytearray()
        self._needed = 0
        self._number = 0
        self.missing = 0

    def feed(self, data: bytes) -> list[tuple[int, int, bytes]]:
        """
        Decode the next bytes.

        @return: type, exchange and payload of each frame that is complete now, and of
            each piece of long DATA.
        @raise SlotProtocolError: a header is not that of a frame.  Frames before it in
            the same C{data} are lost, and the decoder can't be used afterwards.
        """
        frames: list[tuple[int, int, bytes]] = []
        start = 0
        if self.missing:
            start = min(self.missing, len(data))
            self.missing -= start
            frames.append((DATA, self._number, data[:start]))
        elif self._needed:
            rest = self._rest
            rest += data
            if len(rest) < self._needed:
                return frames
            data = bytes(rest)
            rest.clear()
            self._needed = 0
        size = len(data)
        needed = _HEADER_SIZE
        while (body := start + _HEADER_SIZE) <= size:
            type, exchange, length = _unpack_from(data, start)
            shortest, longest = (_IN_EXCHANGE if exchange else _ABOUT_SLOT)[type]
            if not shortest <= length <= longest:
                raise SlotProtocolError(_complaint(type, exchange, length))
            end = body + length
            if end > size:
                if type == DATA and length > _MAX_WHOLE:
                    self._number = exchange
                    self.missing = end - size
                    if body < size:
                        frames.append((DATA, exchange, data[body:]))
                    return frames
                needed = end - start
                break
            payload = data[body:end]
            # If the longest payload of a type is one byte, that byte is a flag.
            if longest == 1 and payload > b"\x01" and not (type == DONE and payload == RECALL):
                known = "0, 1 or 2" if type == DONE else "0 or 1"
                raise SlotProtocolError(f"{NAMES[type]} says {payload[0]}, not {known}")
            frames.append((type, exchange, payload))
            start = end
        if start < size:
            self._rest += data[start:]
            self._needed = needed
        return frames


def _complaint(type: int, exchange: int, length: int) -> str:
    """
    What is wrong with a header that is not valid.
    """
    if type not in _FRAMES:
        return f"no type of frame: {type}"
    name, shortest, longest, in_exchange = _FRAMES[type]
    if length > longest:
        return f"{name} is too long: {length} bytes, at most {longest}"
    if length < shortest:
        return f"{name} is too short: {length} bytes, at least {shortest}"
    if in_exchange:
        return f"{name} without the number of its exchange"
    return f"{name} is about the slot, and came with the number of an exchange: {exchange}"
