"""
Tests of L{brxy.http.messages} and L{brxy.http.body} against two other parsers:
an app behind brxy must read a request as brxy does.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable

import h11
import httptools
from attrs import evolve, frozen
from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadRequest
from brxy.http.body import framingFor
from brxy.http.messages import requestHead
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.heads import canonical
from brxy.test.support.memory.hostile import PASSES, REFUSED_BODIES, REFUSED_HEADS
from brxy.test.support.memory.requests import requests

_bounded = bounded(600)


@frozen
class Reading:
    """
    What a parser made of a request.

    @ivar target: as it was sent, except that of absolute-form only path and
        query are left.
    @ivar fields: names in lower case; Content-Length without leading zeros and
        Transfer-Encoding in lower case, as brxy passes them on.
    """

    method: bytes
    target: bytes
    version: str
    fields: list[tuple[bytes, bytes]]
    body: bytes


def readOurs(data: bytes) -> tuple[Reading, int] | None:
    """
    @return: brxy's reading and the number of bytes in it; L{None} when the
        request is incomplete.
    """
    parsed = requestHead(data)
    if parsed is None:
        return None
    head, taken = parsed
    framing = framingFor(head.length, decode=True)
    body, left = framing.feed(data[taken:])
    if not framing.done:
        return None
    fields = [(lower, value) for lower, _, value in head.fields]
    version = "1.1" if head.http11 else "1.0"
    reading = Reading(head.method, head.target, version, fields, body)
    return reading, len(data) - len(left)


def originForm(target: bytes, method: bytes) -> bytes:
    """
    @return: a target in the form that L{Reading} uses.
    """
    scheme, separator, rest = target.partition(b"://")
    if not separator or scheme.lower() not in (b"http", b"https"):
        return target
    path = rest[len(rest.replace(b"?", b"/").partition(b"/")[0]) :]
    if not path and method == b"OPTIONS":
        return b"*"
    return path if path.startswith(b"/") else b"/" + path


def readH11(data: bytes) -> Reading | None:
    """
    @return: the reading of h11; L{None} when it refuses or waits for more.
    """
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 20)
    body = b""
    request: h11.Request | None = None
    try:
        connection.receive_data(data)
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return None
    except h11.RemoteProtocolError:
        return None
    assert request is not None, "an end without a beginning"
    method, target = bytes(request.method), bytes(request.target)
    return Reading(
        method,
        originForm(target, method),
        request.http_version.decode("ascii"),
        [canonical(bytes(name), bytes(value)) for name, value in request.headers],
        body,
    )


class HttptoolsEvents:
    """
    Records the events of httptools for the first message.
    """

    def __init__(self) -> None:
        self.target = self.body = b""
        self.fields: list[tuple[bytes, bytes]] = []
        self.head = self.whole = False

    def on_url(self, url: bytes) -> None:
        """
        Add a target, or a piece of it.
        """
        if not self.whole:
            self.target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        """
        Add a field, or a trailer.
        """
        if not self.head:
            self.fields.append(canonical(name, value))

    def on_headers_complete(self) -> None:
        """
        Note that the head is complete.
        """
        self.head = True

    def on_body(self, body: bytes) -> None:
        """
        Add a piece of the body.
        """
        if not self.whole:
            self.body += body

    def on_message_complete(self) -> None:
        """
        Note that the message is complete.
        """
        self.whole = True


def readHttptools(data: bytes) -> Reading | None:
    """
    @return: the reading of httptools (which is llhttp, Node's parser); L{None}
        when it refuses or waits for more.
    """
    events = HttptoolsEvents()
    parser = httptools.HttpRequestParser(events)
    with contextlib.suppress(httptools.HttpParserUpgrade, httptools.HttpParserError):
        parser.feed_data(data)
    if not events.whole:
        return None
    method = parser.get_method()
    return Reading(
        method,
        originForm(events.target, method),
        parser.get_http_version(),
        events.fields,
        events.body,
    )


#: The methods on llhttp's list that the tests generate.
KNOWN = (b"GET", b"POST", b"PUT", b"HEAD", b"OPTIONS", b"DELETE", b"PATCH")


def framesInTrailers(data: bytes, ours: Reading) -> bool:
    """
    @return: whether there is a Content-Length or Transfer-Encoding among the
        trailers.
    """
    chunked = (b"transfer-encoding", b"chunked") in ours.fields
    trailers = data.lower().partition(b"\r\n\r\n")[2]
    return chunked and any(
        b"\r\n%b:" % name in trailers for name in (b"content-length", b"transfer-encoding")
    )


def hasBlankExtension(data: bytes, ours: Reading) -> bool:
    """
    @return: whether there is white space outside of quotes in the line of a chunk.
    """
    line = rb'\r\n[0-9A-Fa-f]+(?:;[^\s"]*|"[^"\r\n]*")*[ \t]+[;=0-9A-Za-z"]'
    body = b"\r\n" + data.partition(b"\r\n\r\n")[2]
    return (b"transfer-encoding", b"chunked") in ours.fields and bool(re.search(line, body))


#: What others refuse and brxy accepts. Each entry is a test of the bytes of the request and of
#: brxy's reading of it; its key is the reason why that does no harm.
LOOSER: dict[str, dict[str, Callable[[bytes, Reading], bool]]] = {
    "h11": {
        "empty lines are skipped (RFC 9112 §2.2), and not sent to the app": (
            lambda data, ours: data.startswith(b"\r\n")
        ),
        "dropped, so that the app never sees it (RFC 9110 §6.5.1)": framesInTrailers,
        "removed, so that the app never sees it (RFC 9110 §5.6.3)": hasBlankExtension,
    },
    "httptools": {
        "removed, so that the app never sees it (RFC 9110 §5.6.3)": hasBlankExtension,
        "methods are an open set (RFC 9110 §16.1); an app refuses unknown ones": (
            lambda data, ours: ours.method not in KNOWN
        ),
        "dropped, so that the app never sees it (RFC 9110 §6.5.1)": framesInTrailers,
    },
}

#: What others read differently: tests of brxy's reading and theirs.
DIFFERENT: dict[str, dict[str, Callable[[Reading, Reading], bool]]] = {
    "h11": {},
    "httptools": {
        # To llhttp a body behind such a head belongs to the new protocol; to brxy and to h11 it
        # does not.
        "the app's connection is not used again behind such a body": (
            lambda ours, theirs: (
                theirs == evolve(ours, body=b"")
                and {b"upgrade", b"connection"} <= {name for name, _ in ours.fields}
            )
        ),
    },
}

#: What brxy refuses and both others accept, by brxy's reason.
STRICTER = {
    "malformed request line": "fragments (RFC 9112 §3.2), bare LF: never legal",
    "malformed request target": "asterisk-form is for OPTIONS, authority-form for CONNECT",
    "malformed chunk size": "extensions without a name: never legal (RFC 9112 §7.1.1)",
    "malformed trailer section": "bare LF: never legal",
    "malformed or overlong trailer section": "bare LF: never legal",
    "not HTTP/1.0 or HTTP/1.1": "2.0 has another format; 1.2 does not exist",
    "CONNECT is not served here": "brxy is no forward proxy",
    "Transfer-Encoding in HTTP/1.0": "faulty framing (RFC 9112 §6.1)",
    "bad host name": "can't name a route",
    "unknown expectation": "417 (RFC 9110 §10.1.1)",
    "Max-Forwards is 0: this is the answer of the edge": "RFC 9110 §7.6.2",
    "TRACE is not answered here": "RFC 9110 §7.6.2",
    "bad Max-Forwards": "can't be made one less (RFC 9110 §7.6.2)",
    "a TRACE with a body": "RFC 9110 §9.3.8",
    "request target too long": "limited",
    "header fields too large": "limited",
    "too many header fields": "limited",
    "too many trailer fields": "limited",
}


class DifferentialTests(SynchronousTestCase):
    """
    Tests that three parsers agree, except where the tables above allow a
    difference.
    """

    readers = {"h11": readH11, "httptools": readHttptools}

    def check(self, data: bytes) -> None:
        """
        Compare the three parsers.
        """
        try:
            parsed = readOurs(data)
        except BadRequest as error:
            if all(read(data) is not None for read in self.readers.values()):
                self.assertIn(str(error), STRICTER, data)
            return
        if parsed is not None:
            ours, taken = parsed
            for name in self.readers:
                self.compare(name, ours, data[:taken])

    def compare(self, name: str, ours: Reading, data: bytes) -> None:
        """
        Compare what another parser reads with what brxy accepted.
        """
        theirs = self.readers[name](data)
        if theirs is None:
            known = any(test(data, ours) for test in LOOSER[name].values())
            self.assertTrue(known, f"{name} refuses {data!r}")
        elif theirs != ours:
            known = any(test(ours, theirs) for test in DIFFERENT[name].values())
            self.assertTrue(known, f"{name} reads {data!r} as {theirs}, we as {ours}")

    def test_hostile(self) -> None:
        """
        The parsers agree on hostile requests.
        """
        for case in PASSES + REFUSED_HEADS + REFUSED_BODIES:
            self.check(case.data)

    @_bounded
    @given(requests())
    def test_generated(self, data: bytes) -> None:
        """
        The parsers agree on generated requests.
        """
        self.check(data)
