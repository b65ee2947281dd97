"""
Tests of L{brxy.http.response} against h11: a client must read an app's
response as brxy does.
"""

from __future__ import annotations

import re
from collections.abc import Callable

import h11
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadResponse
from brxy.http.messages import CHUNKED, UNTIL_CLOSE, ResponseHead, responseHead
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.heads import canonical, rendered

__all__ = ["compareResponse", "responses"]

_bounded = bounded(400)

_LINES = st.builds(
    b"HTTP/%b %b".__mod__,
    st.tuples(
        st.sampled_from([b"1.1", b"1.1", b"1.0"]),
        st.sampled_from(
            [b"200 OK", b"204 No Content", b"304", b"100 Continue", b"103 ", b"101 x", b"599 \xff"]
        ),
    ),
)
_ODD_LINES = st.sampled_from(
    [
        b"HTTP/1.2 200 OK",
        b"HTTP/2.0 200 OK",
        b"http/1.1 200 OK",
        b"HTTP/1.1 20 OK",
        b"HTTP/1.1 200\t",
    ]
)
_FIELDS = st.sampled_from(
    [
        b"Content-Type: text/html",
        b"Content-Length: 5",
        b"Content-Length: 0",
        b"content-length:\t05 ",
        b"Transfer-Encoding: chunked",
        b"Connection: close",
        b"Connection: keep-alive, X-A",
        b"Connection: Upgrade",
        b"Upgrade: websocket",
        b"Upgrade: h2c",
        b"Keep-Alive: timeout=5",
        b"Trailer: X-Sum",
        b"X-A: \xe9 \t",
        b"Empty:",
        b"Set-Cookie: a=b",
        b"Set-Cookie: c=d",
    ]
)
_ODD_FIELDS = st.sampled_from(
    [
        b"Content-Length: +5",
        b"Content-Length: 5, 5",
        b"Content-Length: 18446744073709551621",
        b"Transfer-Encoding: gzip, chunked",
        b"Transfer-Encoding: identity",
        b"Transfer-Encoding : chunked",
        b" folded",
        b"X: a\0b",
        b"X: a\rb",
        b"no colon",
        b"X-Blank \t: 1",
    ]
)

#: What h11 refuses and brxy accepts: tests of the bytes; the key is the reason why that does no
#: harm.
LOOSER: dict[str, Callable[[bytes], bool]] = {
    "equal lengths in different spellings are passed on as one": (
        lambda data: data.lower().count(b"\r\ncontent-length:") > 1
    ),
    "blanks before a colon are removed": lambda data: (
        re.search(rb"\n\S+[ \t]+:", data) is not None
    ),
}


@st.composite
def responses(draw: st.DrawFn) -> bytes:
    """
    Generates the head of a response, valid or not.
    """
    odd = draw(st.sampled_from([0, 0, 0, 1, 2]))
    fields = draw(st.lists(_FIELDS, max_size=5)) + ([draw(_ODD_FIELDS)] if odd == 1 else [])
    line = draw(_ODD_LINES if odd == 2 else _LINES)
    return b"\r\n".join([line, *draw(st.permutations(fields)), b"", b""])


def compareResponse(head: ResponseHead, data: bytes, method: bytes) -> None:
    """
    Check that h11 reads a head as brxy does.

    @param data: the head.
    @param method: of the request that it answers.
    @raise AssertionError: h11 reads it differently.
    """
    connection = h11.Connection(h11.CLIENT, max_incomplete_event_size=1 << 20)
    # h11 accepts a 101 only as the response to this request.
    fields = [("Host", "a"), ("Connection", "upgrade"), ("Upgrade", "any")]
    connection.send(h11.Request(method=method, target="/", headers=fields))
    connection.send(h11.EndOfMessage())
    try:
        connection.receive_data(data)
        event = connection.next_event()
    except h11.RemoteProtocolError as error:
        assert any(test(data) for test in LOOSER.values()), (str(error), data)
        return
    assert isinstance(event, h11.Response | h11.InformationalResponse), (event, data)
    assert event.status_code == head.status, data
    assert bytes(event.reason) == head.reason, data
    theirs = [canonical(bytes(name), bytes(value)) for name, value in event.headers]
    ours = [(lower, value) for lower, _, value in head.fields]
    assert theirs == ours, (theirs, ours)
    if isinstance(event, h11.Response):
        _compareFraming(connection, head, data)


def _compareFraming(connection: h11.Connection, head: ResponseHead, data: bytes) -> None:
    event = connection.next_event()
    if head.length == 0:
        assert isinstance(event, h11.EndOfMessage), (event, data)
        return
    assert event is h11.NEED_DATA, (event, data)
    connection.receive_data(b"1\r\nx\r\n" if head.length == CHUNKED else b"x")
    event = connection.next_event()
    assert isinstance(event, h11.Data) and bytes(event.data) == b"x", (event, data)
    if head.length == UNTIL_CLOSE:
        connection.receive_data(b"")
        assert isinstance(connection.next_event(), h11.EndOfMessage), data


class ResponseParserTests(SynchronousTestCase):
    """
    Tests that both parsers agree.
    """

    @_bounded
    @given(responses(), st.sampled_from([b"GET", b"HEAD"]))
    def test_generated(self, data: bytes, method: bytes) -> None:
        """
        The parsers agree on what brxy accepts, and on what brxy makes of it
        for a client.
        """
        try:
            parsed = responseHead(data, method)
        except BadResponse:
            return
        head, taken = parsed or self.fail("not whole")
        self.assertEqual(taken, len(data))
        compareResponse(head, data, method)
        text = rendered(head)
        again, taken = responseHead(text, method) or self.fail("not whole")
        self.assertEqual(taken, len(text))
        compareResponse(again, text, method)

    @_bounded
    @given(responses(), st.data())
    def test_splits(self, data: bytes, draw: st.DataObject) -> None:
        """
        However a head is split, the same is read. A refused head is never
        read.
        """

        def outcome(part: bytes) -> tuple[int, bytes, int] | str | None:
            try:
                parsed = responseHead(part, b"GET")
            except BadResponse:
                return "refused"
            return parsed and (parsed[0].status, parsed[0].passed, parsed[1])

        whole = outcome(data)
        part = outcome(data[: draw.draw(st.integers(0, len(data) - 1))])
        self.assertIn(part, (None, "refused") if whole == "refused" else (None,))
        self.assertEqual(outcome(data + b"rest"), whole)
