"""
Tests for L{brxy.http.coding}.
"""

from __future__ import annotations

import gzip
import random
import zlib

from twisted.trial.unittest import SynchronousTestCase

from brxy.http.body import framingFor
from brxy.http.coding import LEAST, Gzip, acceptsGzip, isTextual, offered, zipped
from brxy.http.messages import CHUNKED, UNTIL_CLOSE, RequestHead, ResponseHead
from brxy.test.support.memory.heads import answer, get, rendered, request, response

_ZIP = b"Accept-Encoding: gzip\r\n"
_HTML = b"Content-Type: text/html\r\n"


def _lines(head: ResponseHead) -> list[bytes]:
    return [each.lower() for each in rendered(head).split(b"\r\n")]


class AcceptTests(SynchronousTestCase):
    """
    Tests of L{acceptsGzip}.
    """

    def accepts(self, *values: bytes) -> bool:
        """
        @return: whether a request with these fields accepts gzip.
        """
        return acceptsGzip(
            get(b"".join(b"Accept-Encoding: %b\r\n" % each for each in values)).fields
        )

    def test_accepted(self) -> None:
        """
        gzip is accepted by its name or by C{*}, with any weight but 0.
        """
        for values in (
            (b"gzip",),
            (b"GZIP",),
            (b"x-gzip",),
            (b"gzip, deflate, br, zstd",),
            (b"br", b"gzip;q=0.001"),
            (b"br ; q=1 , gzip ; q=0.5",),
            (b"*",),
            (b"*;q=0.1, br;q=0",),
            (b"gzip;q=0.5, identity;q=0.5",),
            (b"gzip;q=1.000",),
        ):
            self.assertTrue(self.accepts(*values), values)

    def test_notAccepted(self) -> None:
        """
        A client that does not mention gzip, excludes it, prefers the body as it is or can't be
        understood gets no gzip.
        """
        for values in (
            (),
            (b"",),
            (b"br",),
            (b"gzip;q=0",),
            (b"gzip;q=0.000",),
            (b"*, gzip;q=0",),
            (b"*;q=0",),
            (b"gzip;q=0.4, identity",),
            (b"gzip;q=2",),
            (b"gzip;q=-1",),
            (b"gzip;q=nan",),
            (b"gzip;q=1e0",),
            (b"gzip;level=9",),
            (b"gzipped",),
            (b"identity",),
        ):
            self.assertFalse(self.accepts(*values), values)


class TypeTests(SynchronousTestCase):
    """
    Tests of L{isTextual}.
    """

    def test_types(self) -> None:
        """
        Text, JSON, XML and scripts are compressed; images, archives and event streams are not.
        """
        for each in (
            b"text/html",
            b"Text/HTML; charset=utf-8",
            b"application/json;charset=utf-8",
            b"application/problem+json",
            b"image/svg+xml",
            b"application/javascript",
        ):
            self.assertTrue(isTextual(each), each)
        for each in (
            b"text/event-stream",
            b"TEXT/Event-Stream; charset=utf-8",
            b"image/png",
            b"application/octet-stream",
            b"application/zip",
            b"video/mp4",
            b"",
        ):
            self.assertFalse(isTextual(each), each)


class HeadTests(SynchronousTestCase):
    """
    Tests of L{offered}.
    """

    def offered(
        self, fields: bytes, status: bytes = b"200", asked: RequestHead | None = None
    ) -> tuple[ResponseHead, bool]:
        """
        @return: what becomes of an answer to a client that accepts gzip.
        """
        return offered(asked or get(_ZIP), answer(fields, status))

    def test_coded(self) -> None:
        """
        The head says that the body is compressed, and nothing of the body as it was.
        """
        fields = _HTML + b'Content-Length: 5000\r\nETag: "a"\r\nAccept-Ranges: bytes\r\nX-A: b\r\n'
        head, is_coded = self.offered(fields)
        self.assertTrue(is_coded)
        self.assertEqual(head.length, CHUNKED)
        found = _lines(head)
        for line in (
            b"content-encoding: gzip",
            b"vary: accept-encoding",
            b"transfer-encoding: chunked",
            b'etag: w/"a"',
            b"x-a: b",
        ):
            self.assertEqual(found.count(line), 1, line)
        for name in (b"content-length", b"accept-ranges"):
            self.assertNotIn(name, b"\n".join(found))

    def test_lengths(self) -> None:
        """
        A body of unknown length is compressed, too, and a short one is not.
        """
        for fields in (b"Transfer-Encoding: chunked\r\n", b"", b"Content-Length: %d\r\n" % LEAST):
            head, is_coded = self.offered(_HTML + fields)
            self.assertEqual((is_coded, head.length), (True, CHUNKED))
        short = b"Content-Length: %d\r\n" % (LEAST - 1)
        head, is_coded = self.offered(_HTML + short)
        self.assertFalse(is_coded)
        self.assertNotIn(b"vary: accept-encoding", _lines(head))

    def test_vary(self) -> None:
        """
        Vary is added once, also for clients that get the body as it is, and to what is there.
        """
        for there, expected in (
            (b"", b"vary: accept-encoding"),
            (b"Vary: Cookie\r\n", b"vary: accept-encoding"),
            (b"Vary: Cookie, ACCEPT-encoding\r\n", b"vary: cookie, accept-encoding"),
            (b"Vary: *\r\n", b"vary: *"),
        ):
            for asked in (get(_ZIP), get(), get(_ZIP, b"1.0"), get(b"Accept-Encoding: br\r\n")):
                head, _ = self.offered(_HTML + there, asked=asked)
                found = [each for each in _lines(head) if each.startswith(b"vary:")]
                self.assertIn(expected, found)
                self.assertEqual(len(found), 1 + (there == b"Vary: Cookie\r\n"))

    def test_asItIs(self) -> None:
        """
        A body goes on as it is if it is compressed already, is a part, must not be
        transformed, has a digest, trailers or another type, or if there is none.
        """
        for fields in (
            _HTML + b"Content-Encoding: br\r\n",
            _HTML + b"Content-Encoding: identity\r\n",
            _HTML + b"Connection: content-encoding\r\n",
            _HTML + b"Content-Range: bytes 0-4999/9000\r\n",
            _HTML + b"Cache-Control: public, No-Transform\r\n",
            _HTML + b"Content-Digest: sha-256=:AA==:\r\n",
            _HTML + b"Content-MD5: AA==\r\n",
            _HTML + b"Trailer: X\r\nTransfer-Encoding: chunked\r\n",
            _HTML + _HTML,
            b"Content-Type: image/png\r\n",
            b"Content-Type: text/event-stream\r\n",
            b"",
        ):
            self.unchanged(self.offered(fields), fields)
        for status in (b"204", b"205", b"206", b"304"):
            self.unchanged(self.offered(_HTML, status), status)

    def unchanged(self, found: tuple[ResponseHead, bool], what: bytes) -> None:
        """
        A response is as its app has sent it.
        """
        head, is_coded = found
        self.assertFalse(is_coded, what)
        self.assertNotIn(b"content-encoding: gzip", _lines(head), what)
        self.assertNotIn(b"vary: accept-encoding", _lines(head), what)

    def test_clients(self) -> None:
        """
        A client of HTTP/1.0 and one that forbids it get the body as it is.
        """
        for asked in (get(_ZIP, b"1.0"), get(_ZIP + b"Cache-Control: no-transform\r\n"), get()):
            head, is_coded = self.offered(_HTML + b"Content-Length: 5000\r\n", asked=asked)
            self.assertEqual((is_coded, head.length), (False, 5000))

    def test_head(self) -> None:
        """
        An answer to HEAD has the fields that a GET gets, but no length, and no body.
        """
        asked = request(b"HEAD / HTTP/1.1\r\nHost: a\r\n" + _ZIP + b"\r\n")
        data = b'HTTP/1.1 200 OK\r\nContent-Length: 5000\r\nETag: "a"\r\n' + _HTML + b"\r\n"
        head, is_coded = offered(asked, response(data, b"HEAD"))
        self.assertEqual((is_coded, head.length), (False, 0))
        found = _lines(head)
        self.assertIn(b"content-encoding: gzip", found)
        self.assertIn(b'etag: w/"a"', found)
        for name in (b"content-length", b"transfer-encoding"):
            self.assertNotIn(name, b"\n".join(found))

    def test_notModified(self) -> None:
        """
        A 304 confirms the weak ETag that the client has, and no other.
        """
        asked = get(_ZIP + b'If-None-Match: "b", W/"a"\r\n')
        head, _ = self.offered(b'ETag: "a"\r\n', b"304", asked)
        self.assertIn(b'etag: w/"a"', _lines(head))
        self.assertIn(b"vary: accept-encoding", _lines(head))
        head, _ = self.offered(b'ETag: "b"\r\n', b"304", asked)
        self.assertIn(b'etag: "b"', _lines(head))

    def test_untilClose(self) -> None:
        """
        A body that the end of the app's connection ends becomes chunked, so that the client's
        connection can be kept.
        """
        plain = answer(_HTML, version=b"1.0")
        self.assertEqual(plain.length, UNTIL_CLOSE)
        head, is_coded = offered(get(_ZIP), plain)
        self.assertEqual((is_coded, head.length), (True, CHUNKED))
        self.assertNotIn(b"connection: close", _lines(head))


class BodyTests(SynchronousTestCase):
    """
    Tests of L{Gzip} and L{zipped}.
    """

    def test_whole(self) -> None:
        """
        A body that is there as a whole gets a length.
        """
        body = b"hello, " * 1000
        head, _ = offered(get(_ZIP), answer(_HTML + b"Content-Length: 7000\r\n"))
        head, packed = zipped(head, body)
        self.assertEqual(gzip.decompress(packed), body)
        found = _lines(head)
        self.assertIn(b"content-length: %d" % len(packed), found)
        self.assertNotIn(b"transfer-encoding: chunked", found)
        self.assertEqual(head.length, len(packed))
        self.assertLess(len(packed), 200)

    def test_parts(self) -> None:
        """
        What was given can be read at once; nothing waits for more.
        """
        seed = random.Random(5)
        for parts in ([], [b"a"], [b"a", b"bc" * 40000], [seed.randbytes(70000), b"", b"x"]):
            coder, chunks = Gzip(), framingFor(CHUNKED, decode=True)
            reader = zlib.decompressobj(31)
            for part in parts:
                plain, rest = chunks.feed(coder.part(part))
                self.assertEqual((reader.decompress(plain), rest), (part, b""))
            plain, rest = chunks.feed(coder.end())
            self.assertEqual((reader.decompress(plain), rest), (b"", b""))
            self.assertTrue(reader.eof)
            self.assertTrue(chunks.done)
