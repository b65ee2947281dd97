"""
Tests for L{brxy.http.body} and L{brxy.http.chunks}.
"""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadRequest, BadResponse
from brxy.http.body import Body, framingFor
from brxy.http.messages import CHUNKED, UNTIL_CLOSE, requestHead
from brxy.test.support.memory.examples import bounded
from brxy.test.support.memory.hostile import PASSES, REFUSED_BODIES
from brxy.test.support.memory.requests import chunkedBodies

_bounded = bounded(200)


def feedAll(body: Body, pieces: list[bytes]) -> tuple[bytes, bytes]:
    """
    @return: what passes of some pieces of input, and what is left over.
    """
    passed, left = [], b""
    for piece in pieces:
        out, rest = body.feed(piece)
        passed.append(out)
        left += rest
    return b"".join(passed), left


def cut(data: bytes, places: list[int]) -> list[bytes]:
    """
    @return: C{data}, cut at these positions.
    """
    ends = [0, *sorted(min(place, len(data)) for place in places), len(data)]
    return [data[a:b] for a, b in zip(ends, ends[1:], strict=False)]


class LengthTests(SynchronousTestCase):
    """
    Tests of bodies of known length.
    """

    def test_none(self) -> None:
        """
        A body of 0 bytes is complete from the beginning.
        """
        body = framingFor(0)
        self.assertTrue(body.done)
        self.assertEqual(body.feed(b"GET"), (b"", b"GET"))

    def test_passes(self) -> None:
        """
        While the body continues, the same bytes object is returned.
        """
        body = framingFor(1000)
        data = b"x" * 400
        self.assertIs(body.feed(data)[0], data)
        self.assertIs(body.feed(data)[0], data)
        self.assertFalse(body.done)
        self.assertEqual(body.feed(data), (b"x" * 200, b"x" * 200))
        self.assertTrue(body.done)
        self.assertEqual(body.feed(data), (b"", data))

    def test_exact(self) -> None:
        """
        The last byte of the length ends the body.
        """
        body = framingFor(3)
        self.assertEqual(body.feed(b"abc"), (b"abc", b""))
        self.assertTrue(body.done)


class UntilCloseTests(SynchronousTestCase):
    """
    Tests of bodies that the end of the connection ends.
    """

    def test_passes(self) -> None:
        """
        All bytes belong to the body.
        """
        body = framingFor(UNTIL_CLOSE, error=BadResponse)
        data = b"x" * 400
        self.assertIs(body.feed(data)[0], data)
        self.assertFalse(body.done)


class ChunkedTests(SynchronousTestCase):
    """
    Tests of chunked bodies.
    """

    def test_hostile(self) -> None:
        """
        Each hostile body is refused, however it is split, and none of its
        invalid bytes is passed on.
        """
        for case in REFUSED_BODIES:
            head, taken = requestHead(case.data) or self.fail("not whole")
            data = case.data[taken:]
            self.assertRaises(BadRequest, framingFor(head.length).feed, data)
            body = framingFor(head.length)
            passed = b""
            with self.assertRaises(BadRequest) as caught:
                for i in range(len(data)):
                    passed += body.feed(data[i : i + 1])[0]
            self.assertEqual(caught.exception.status, case.status, case.name)
            self.assertIn(passed, (b"", b"1\r\na", b"0\r\n"), case.name)

    def test_hostileTrailer(self) -> None:
        """
        A trailer field that affects framing is dropped.
        """
        data = next(case.data for case in PASSES if case.name == "trailer CL")
        head, taken = requestHead(data) or self.fail("not whole")
        self.assertEqual(framingFor(head.length).feed(data[taken:]), (b"0\r\n\r\n", b""))

    def test_wholeInput(self) -> None:
        """
        If all of the input passes, the same bytes object is returned.
        """
        body = framingFor(CHUNKED)
        for data in (b"5;a=b\r\nhel", b"lo\r\n14\r\nand ", b"so on", b" and on.xxx\r\n"):
            self.assertIs(body.feed(data)[0], data)
        data = b"0\r\nX: y\r\n\r\n"
        self.assertIs(body.feed(data)[0], data)
        self.assertTrue(body.done)
        self.assertEqual(body.feed(b"GET"), (b"", b"GET"))

    def test_held(self) -> None:
        """
        Bytes that may still turn out to be invalid are kept until that is
        decided.
        """
        body = framingFor(CHUNKED)
        for data, out in (
            (b"1", b""),
            (b";a\r", b""),
            (b"\nx", b"1;a\r\nx"),
            (b"\r", b""),
            (b"\n0", b"\r\n"),
            (b"\r\nA: 1", b"0\r\n"),
            (b"\r\n\r", b""),
            (b"\nGET", b"A: 1\r\n\r\n"),
        ):
            self.assertFalse(body.done)
            passed, left = body.feed(data)
            self.assertEqual(passed, out, data)
        self.assertEqual(left, b"GET")
        self.assertTrue(body.done)

    def test_trailers(self) -> None:
        """
        Trailers that affect framing, routing or authentication, or that
        describe the client, are dropped. The others pass.
        """
        bad = (
            *("Content-Length", "transfer-encoding", "Host", "Trailer", "Connection", "TE", "Via"),
            *("Upgrade", "Keep-Alive", "Authorization", "Cookie", "Set-Cookie", "Content-Type"),
            *(
                "X-Forwarded-For",
                "X-Forwarded-Any",
                "Forwarded",
                "X_Forwarded_For",
                "content_length",
            ),
            *("X-Request-ID", "Expect", "Proxy-Authorization"),
        )
        section = b"".join(
            b"X-%d: 1\r\n%b: 2\r\n" % (i, n.encode()) for i, n in enumerate(bad[:15])
        )
        section2 = b"".join(b"%b: 2\r\n" % n.encode() for n in bad)
        expected = b"".join(b"X-%d: 1\r\n" % i for i in range(15))
        for data, out in (
            (b"0\r\n" + section + b"\r\n", b"0\r\n" + expected + b"\r\n"),
            (b"0\r\n" + section2 + b"\r\n", b"0\r\n\r\n"),
        ):
            body = framingFor(CHUNKED)
            self.assertEqual(body.feed(data + b"rest"), (out, b"rest"))

    def test_trailersOfConnection(self) -> None:
        """
        Trailers that Connection names in the head are dropped (RFC 9110 §7.6.1).
        """
        fields = [(b"connection", b"Connection", b"close, X"), (b"connection", b"C", b"x-b")]
        data = b"1\r\na\r\n0\r\nX: 1\r\nX-A: 2\r\nx-B: 3\r\n\r\nrest"
        self.assertEqual(
            framingFor(CHUNKED, fields).feed(data), (b"1\r\na\r\n0\r\nX-A: 2\r\n\r\n", b"rest")
        )

    def test_trailersSplit(self) -> None:
        """
        Trailers such as Host are dropped however they are split.
        """
        data = b"1\r\na\r\n0\r\nHost: b\r\nX: 1\r\n\r\nrest"
        for i in range(len(data)):
            for j in range(i, len(data)):
                self.assertEqual(
                    feedAll(framingFor(CHUNKED), [data[:i], data[i:j], data[j:]]),
                    (b"1\r\na\r\n0\r\nX: 1\r\n\r\n", b"rest"),
                )

    def test_decode(self) -> None:
        """
        For a receiver that does not support chunks only the content is
        returned.
        """
        body = framingFor(CHUNKED, decode=True)
        data = b"5;a\r\nhello\r\n1\r\n!\r\n0\r\nX: 1\r\nHost: b\r\n\r\nrest"
        self.assertEqual(body.feed(data), (b"hello!", b"rest"))
        self.assertTrue(body.done)

    def test_error(self) -> None:
        """
        A broken body from an app is reported as the app's fault.
        """
        body = framingFor(CHUNKED, error=BadResponse)
        self.assertRaises(BadResponse, body.feed, b"x")

    def test_extensions(self) -> None:
        """
        Well-formed extensions pass.
        """
        for extension in (b";a", b";a=b", b";a;b=c", b';a="b;\\"\xe9 "', b";" + b"a" * 252):
            data = b"1" + extension + b"\r\na\r\n0\r\n\r\n"
            self.assertEqual(framingFor(CHUNKED).feed(data), (data, b""))

    def test_blanksInExtensions(self) -> None:
        """
        Extensions with white space around their signs are removed with it (RFC 9110 §5.6.3),
        from this line alone, however the bytes are split.
        """
        for extension in (
            b" ;a",
            b"; a",
            b"\t; \ta",
            b" ; a = b",
            b";a =b",
            b";a= b",
            b";a;b ;c=d",
            b' ; a = "b c\r;\\"" ; d'.replace(b"\r", b""),
        ):
            line = b"1%b\r\n" % extension
            for data, out in (
                (line + b"a\r\n0\r\n\r\n", b"1\r\na\r\n0\r\n\r\n"),
                (
                    b"1;x\r\nb\r\n" + line + b"a\r\n0;y\r\n\r\n",
                    b"1;x\r\nb\r\n1\r\na\r\n0;y\r\n\r\n",
                ),
                (line + b"a\r\n" + line + b"b\r\n0\r\n\r\n", b"1\r\na\r\n1\r\nb\r\n0\r\n\r\n"),
                (b"0%b\r\nX: 1\r\n\r\n" % extension, b"0\r\nX: 1\r\n\r\n"),
                (b"0%b\r\nX: 1\r\nHost: 1\r\n\r\n" % extension, b"0\r\nX: 1\r\n\r\n"),
            ):
                for place in range(len(data) + 1):
                    pieces = cut(data + b"rest", [place])
                    self.assertEqual(feedAll(framingFor(CHUNKED), pieces), (out, b"rest"), data)
        body = framingFor(CHUNKED, decode=True)
        self.assertEqual(body.feed(b"1 ; a = b\r\nx\r\n0 ;a\r\n\r\n"), (b"x", b""))

    def test_badExtensions(self) -> None:
        """
        Malformed extensions are refused.
        """
        for extension in (
            b";",
            b";;a",
            b";a=",
            b"; ",
            b" ;",
            b";a ",
            b"; a ",
            b";a = ",
            b" ; a = b ",
            b" a",
            b" =a",
            b"\t",
            b"\n;a",
            b"\x0b;a",
            b" ;;a",
            b';a="b',
            b';a="\0"',
            b" ",
            b",a",
            b";a=b=c",
        ):
            data = b"1" + extension + b"\r\na\r\n0\r\n\r\n"
            self.assertRaises(BadRequest, framingFor(CHUNKED).feed, data)

    def test_bounded(self) -> None:
        """
        However the bytes are split, few of them are kept.
        """
        body = framingFor(CHUNKED)
        self.assertRaises(BadRequest, feedAll, body, [b"1;", *[b"a"] * 254])
        body = framingFor(CHUNKED)
        self.assertRaises(BadRequest, feedAll, body, [b"0\r\n", *[b"X: 1\r\n"] * 1400])

    def test_largest(self) -> None:
        """
        A chunk may have 2^63 - 1 bytes.
        """
        body = framingFor(CHUNKED)
        data = b"7fffffffffffffff\r\nx"
        self.assertEqual(body.feed(data), (data, b""))

    @_bounded
    @given(chunkedBodies(), st.lists(st.integers(0, 300), max_size=12), st.booleans())
    def test_splits(self, made: tuple[bytes, bytes], places: list[int], decode: bool) -> None:
        """
        However the bytes are split, the same bytes pass.
        """
        data, content = made
        once = framingFor(CHUNKED, decode=decode)
        out, left = once.feed(data + b"rest")
        self.assertTrue(once.done)
        self.assertEqual(left, b"rest")
        if decode:
            self.assertEqual(out, content)
        pieces = framingFor(CHUNKED, decode=decode)
        self.assertEqual(feedAll(pieces, cut(data + b"rest", places)), (out, left))
        self.assertTrue(pieces.done)

    @_bounded
    @given(chunkedBodies(), st.integers(0, 300), st.binary(max_size=3), st.integers(0, 300))
    def test_broken(
        self, made: tuple[bytes, bytes], place: int, change: bytes, split: int
    ) -> None:
        """
        A body with changed bytes passes in pieces if and only if it passes
        whole.
        """
        data = made[0][:place] + change + made[0][place + 1 :]

        def outcome(pieces: list[bytes]) -> tuple[bytes, bytes] | None:
            try:
                return feedAll(framingFor(CHUNKED), pieces)
            except BadRequest:
                return None

        self.assertEqual(outcome(cut(data, [split])), outcome([data]))
        self.assertEqual(outcome([data[i : i + 1] for i in range(len(data))]), outcome([data]))
