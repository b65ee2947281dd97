"""
The payloads of HELLO, WELCOME and OPEN.

Pure: bytes in, values out, and back.
"""

from __future__ import annotations

import json
from functools import lru_cache
from typing import Any, Final, TypeVar

from attrs import NOTHING, Attribute, asdict, field, fields, frozen
from attrs.validators import optional

from brxy.errors import SlotProtocolError
from brxy.wire.frames import (
    HELLO,
    KIND_HTTP,
    KIND_TCP,
    MAX_CAPACITY,
    MAX_TEXT,
    NAMES,
    OPEN,
    VERSION,
    WELCOME,
    frame,
)

__all__ = ["Hello", "Open", "Welcome", "openPayload"]


def _text(shortest: int) -> Any:
    """
    Make a validator for printable ASCII, which fits in a log line and has as many bytes as
    characters.  Its message does not repeat the value, which may be secret.
    """

    def validate(instance: object, attribute: Attribute[str], value: object) -> None:
        if not (isinstance(value, str) and shortest <= len(value) <= MAX_TEXT and _fit(value)):
            raise ValueError(
                f"{attribute.name} is not {shortest} to {MAX_TEXT} printable ASCII characters"
            )

    return validate


def _fit(text: str) -> bool:
    return text.isascii() and text.isprintable()


def _whole(smallest: int, largest: int) -> Any:
    """
    Make a validator for integers within bounds; C{True} is not one.
    """

    def validate(instance: object, attribute: Attribute[int], value: object) -> None:
        if type(value) is not int or not smallest <= value <= largest:
            raise ValueError(f"{attribute.name} is not a whole number in {smallest}..{largest}")

    return validate


def _truth(instance: object, attribute: Attribute[bool], value: object) -> None:
    if not isinstance(value, bool):
        raise ValueError(f"{attribute.name} is neither true nor false")


_Greeting = TypeVar("_Greeting", "Hello", "Welcome")


_LATEST: Final = 2**63 - 1


@frozen
class Hello:
    """
    HELLO: the node's first frame on each slot, with what it is and serves.

    Making one raises C{ValueError} if it could not be sent.

    @ivar token: authenticates the node; C{""} if it has none.
    @ivar instance: the name that the node gave itself: unique, and the same on all its
        slots.
    @ivar route: the route that it serves.
    @ivar capacity: how many exchanges it takes at once.
    @ivar ticket: of the order that started it; C{""} if no order did.
    @ivar generation: its start in microseconds since the epoch, as an edge reported it;
        L{None} if none has yet.
    @ivar wants_client: whether each OPEN is to have the addresses of its client.
    @ivar learns: the capacity is an estimate for now, and each READY carries what it has
        become.
    @ivar ended: why the instance has ended before it was ready; C{""} if it has not.
    """

    version: int = field(validator=_whole(1, VERSION))
    token: str = field(validator=_text(0), repr=False)
    instance: str = field(validator=_text(1))
    route: str = field(validator=_text(1))
    capacity: int = field(validator=_whole(1, MAX_CAPACITY))
    ticket: str = field(default="", validator=_text(0))
    generation: int | None = field(default=None, validator=optional(_whole(0, _LATEST)))
    wants_client: bool = field(default=False, validator=_truth)
    learns: bool = field(default=False, validator=_truth)
    ended: str = field(default="", validator=_text(0))

    def encode(self) -> bytes:
        """
        Encode the whole frame.
        """
        return _encodeGreeting(HELLO, self)

    @classmethod
    def decode(cls, payload: bytes) -> Hello:
        """
        Decode the payload of HELLO.

        @raise SlotProtocolError: it is not a HELLO of our version.
        """
        return _decodeGreeting(HELLO, cls, payload)


@frozen
class Welcome:
    """
    The edge's answer to L{Hello}.

    @ivar edge: the name of the edge.
    @ivar generation: the instance's start, in microseconds since the epoch.  From now on
        the node sends it in HELLO.
    @ivar newest: whether there is no newer instance of its route.
    """

    version: int = field(validator=_whole(1, VERSION))
    edge: str = field(validator=_text(1))
    generation: int = field(validator=_whole(0, _LATEST))
    newest: bool = field(validator=_truth)

    def encode(self) -> bytes:
        """
        Encode the whole frame.
        """
        return _encodeGreeting(WELCOME, self)

    @classmethod
    def decode(cls, payload: bytes) -> Welcome:
        """
        Decode the payload of WELCOME.

        @raise SlotProtocolError: it is not a WELCOME of our version.
        """
        return _decodeGreeting(WELCOME, cls, payload)


def _encodeGreeting(type: int, greeting: Hello | Welcome) -> bytes:
    values = asdict(greeting, filter=lambda attribute, value: value != attribute.default)
    return frame(type, 0, json.dumps(values, separators=(",", ":")).encode("ascii"))


def _decodeGreeting(type: int, cls: type[_Greeting], payload: bytes) -> _Greeting:
    """
    Decode a JSON object.  Unknown keys are ignored, so that a newer peer may send more.
    """
    name = NAMES[type]
    try:
        said = json.loads(payload.decode("utf-8"))
    except (ValueError, RecursionError):
        # "from None" throughout: the chained exception has the token in it.
        raise SlotProtocolError(f"{name} is not JSON") from None
    if not isinstance(said, dict):
        raise SlotProtocolError(f"{name} is not a JSON object")
    version = said.get("version")
    if version != VERSION:
        raise SlotProtocolError(f"{name} is not of version {VERSION}: {str(version)[:20]!r}")
    for attribute in fields(cls):
        if attribute.default is NOTHING and attribute.name not in said:
            raise SlotProtocolError(f"{name} lacks its {attribute.name}")
    known = {a.name: said[a.name] for a in fields(cls) if a.name in said}
    try:
        return cls(**known)
    except ValueError as error:
        raise SlotProtocolError(f"{name}: {error}") from None


@lru_cache(1024)
def openPayload(kind: int, once: bool, client: str) -> bytes:
    """
    Encode the payload of OPEN; cached, since an edge sends one for each exchange.
    """
    return bytes((kind, once)) + client.encode("ascii")


@frozen
class Open:
    """
    OPEN: the kind of an exchange, and its client.

    @ivar kind: L{KIND_HTTP} or L{KIND_TCP}.
    @ivar once: this request must not be sent twice, so it needs a connection to the app
        that is certainly open.
    @ivar client: the two ends of the client's connection, see
        L{brxy.wire.proxyheader.Endpoints}; C{""} if they are unknown or not wanted.
    """

    kind: int
    once: bool
    client: str

    def encode(self, exchange: int) -> bytes:
        """
        Encode the whole frame.
        """
        return frame(OPEN, exchange, openPayload(self.kind, self.once, self.client))

    # Cached, since the same few clients start nearly all exchanges.
    @classmethod
    @lru_cache(1024)
    def decode(cls, payload: bytes) -> Open:
        """
        Decode the payload of OPEN.

        @param payload: of an OPEN that L{brxy.wire.frames.Decoder} has accepted.
        @raise SlotProtocolError: it has an unknown kind or flag, or a bad address.
        """
        kind, flags = payload[0], payload[1]
        if kind != KIND_HTTP and kind != KIND_TCP:
            raise SlotProtocolError(f"OPEN of no known kind: {kind}")
        if flags > 1:
            raise SlotProtocolError(f"OPEN with unknown flags: {flags}")
        client = payload[2:].decode("latin-1")
        if not _fit(client):
            raise SlotProtocolError("OPEN: the client's address is not printable ASCII")
        return cls(kind, flags == 1, client)
