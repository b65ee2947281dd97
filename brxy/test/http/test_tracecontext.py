"""
Tests of L{brxy.http.tracecontext}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.http.messages import RequestHead, requestHead
from brxy.http.tracecontext import Parent, isPlain, readParent, withoutTrace

TRACE, SPAN = b"0af7651916cd43dd8448eb211c80319c", b"b7ad6b7169203331"
VALID = b"traceparent: 00-%b-%b-01" % (TRACE, SPAN)


def head(*lines: bytes) -> RequestHead:
    parsed = requestHead(b"\r\n".join((b"GET / HTTP/1.1", b"Host: a", *lines, b"", b"")))
    assert parsed is not None
    return parsed[0]


def read(*lines: bytes) -> Parent | None:
    return readParent(head(*lines).fields)


def state(*lines: bytes) -> bytes:
    found = read(VALID, *lines)
    assert found is not None
    return found.state


class ParentTests(SynchronousTestCase):
    """
    Tests of C{traceparent}.
    """

    def test_valid(self) -> None:
        """
        The ids are read, and the flag; all other flags are ignored, and so is the case of the
        name.
        """
        self.assertEqual(read(VALID), Parent(TRACE, SPAN, True))
        for flags, sampled in ((b"00", False), (b"02", False), (b"03", True), (b"ff", True)):
            line = b"TraceParent:  00-%b-%b-%b " % (TRACE, SPAN, flags)
            self.assertEqual(read(line), Parent(TRACE, SPAN, sampled), flags)

    def test_laterVersion(self) -> None:
        """
        Of a later version that is read which the present one knows.
        """
        for more in (b"", b"-", b"-what-comes-later"):
            line = b"traceparent: cc-%b-%b-01%b" % (TRACE, SPAN, more)
            self.assertEqual(read(line), Parent(TRACE, SPAN, True), more)

    def test_invalid(self) -> None:
        """
        What is not valid is ignored, with its tracestate.
        """
        for value in (
            b"",
            b"00",
            b"00-%b-%b" % (TRACE, SPAN),
            b"ff-%b-%b-01" % (TRACE, SPAN),
            b"0-%b-%b-01" % (TRACE, SPAN),
            b"00-%b-%b-01" % (b"0" * 32, SPAN),
            b"00-%b-%b-01" % (TRACE, b"0" * 16),
            b"00-%b-%b-01" % (TRACE.upper(), SPAN),
            b"00-%b-%b-01" % (TRACE, SPAN.upper()),
            b"00-%b-%b-0A" % (TRACE, SPAN),
            b"00-%b-%b-1" % (TRACE, SPAN),
            b"00-%b-%b-01-more" % (TRACE, SPAN),
            b"00-%b-%b-01-" % (TRACE, SPAN),
            b"cc-%b-%b-01.more" % (TRACE, SPAN),
            b"00-%b-%b-01" % (TRACE[1:], SPAN),
            b"00-%b0-%b-01" % (TRACE, SPAN),
            b"00-%b-%b-01" % (TRACE[:-1] + b"g", SPAN),
            b"00_%b_%b_01" % (TRACE, SPAN),
            b"00-%b-%b-01, 00-%b-%b-01" % (TRACE, SPAN, TRACE, SPAN),
        ):
            self.assertIsNone(read(b"traceparent: " + value, b"tracestate: a=1"), value)

    def test_none(self) -> None:
        """
        Without a traceparent, or with two of them, there is no parent.
        """
        self.assertIsNone(read())
        self.assertIsNone(read(b"tracestate: a=1"))
        self.assertIsNone(read(VALID, VALID))


class StateTests(SynchronousTestCase):
    """
    Tests of C{tracestate}.
    """

    def test_valid(self) -> None:
        """
        All members are kept, in their order, from one field or from several.
        """
        self.assertEqual(state(), b"")
        self.assertEqual(state(b"tracestate: a=1,b2_-*/=x y!"), b"a=1,b2_-*/=x y!")
        self.assertEqual(
            state(b"TraceState: b=2 ,\t, a=1", b"tracestate: t1@sys=:;"), b"b=2,a=1,t1@sys=:;"
        )
        longest = b"k" * 256 + b"=" + b"v" * 256
        self.assertEqual(state(b"tracestate: " + longest), longest)
        most = b",".join(b"k%d=1" % number for number in range(32))
        self.assertEqual(state(b"tracestate: " + most), most)

    def test_invalid(self) -> None:
        """
        If one member is invalid, or there are more than 32, none goes on.  The trace does.
        """
        for value in (
            b"a",
            b"a=",
            b"=1",
            b"A=1",
            b"a=1=2",
            b"a =1",
            b"1a=1",
            b"a=\xc3\xa9",
            b"a=1,a=2",
            b"t@=1",
            b"t@S=1",
            b"a@b@c=1",
            b"t@" + b"s" * 15 + b"=1",
            b"k" * 257 + b"=1",
            b"a=" + b"v" * 257,
            b",".join(b"k%d=1" % number for number in range(33)),
        ):
            self.assertEqual(state(b"tracestate: b=1," + value), b"", value)


class LinesTests(SynchronousTestCase):
    """
    Tests of the lines that go on to an app.
    """

    def test_plain(self) -> None:
        """
        A request without these fields is known to have none.
        """
        self.assertTrue(isPlain(head(b"Cookie: a=1")))
        for line in (VALID, b"TRACEPARENT: x", b"TraceState: a=1"):
            self.assertFalse(isPlain(head(line)), line)

    def test_without(self) -> None:
        """
        All lines of both fields are taken out, valid or not, and no others.
        """
        found = head(b"A: traceparent: x", VALID, b"TRACESTATE: a=1", b"traceparent:", b"B: 1")
        kept = head(b"A: traceparent: x", b"B: 1")
        self.assertEqual(withoutTrace(found).passed, kept.passed)
