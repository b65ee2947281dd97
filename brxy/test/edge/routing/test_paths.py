"""
Tests for L{brxy.edge.routing.paths}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.routing.paths import (
    MOST,
    hasDotSegment,
    isPlain,
    joined,
    matches,
    pathPrefix,
    readings,
)


class PrefixTests(SynchronousTestCase):
    """
    Tests of prefixes of paths.
    """

    def test_right(self) -> None:
        """
        A prefix has whole segments of plain characters.
        """
        for text in ("/api", "/api/v2", "/api/v2.1", "/a-b_c~d", "/@x/y:z", "/a/b/c/d"):
            self.assertEqual(pathPrefix(text), text.encode())

    def test_wrong(self) -> None:
        """
        What apps could read in different ways is no prefix.
        """
        for text in (
            *("", "/", "api", "/api/", "//api", "/a//b", "/.", "/..", "/a/..", "/a/../b", "/.git"),
            *("/a%2fb", "/%61", "/a;b", "/a?b", "/a#b", "/a b", "/a\\b", "/é", "/a\r\nb", "/a\0"),
        ):
            self.assertRaises(ValueError, pathPrefix, text)

    def test_segments(self) -> None:
        """
        A prefix ends where a segment ends, and letters match in their own case only.
        """
        for path in (b"/api", b"/api/", b"/api/x", b"/api//x"):
            self.assertTrue(matches(b"/api", path), path)
        for path in (b"/", b"/apis", b"/api.json", b"/API", b"/ap", b"/x/api", b"//api", b"*"):
            self.assertFalse(matches(b"/api", path), path)
        self.assertTrue(matches(b"", b"*"))


class ReadingTests(SynchronousTestCase):
    """
    Tests of the ways to read a path.
    """

    def test_plain(self) -> None:
        """
        Usual paths can be read in one way only.
        """
        for path in (b"/", b"/a", b"/a/", b"/a/b.html", b"/a-b/c_d/~e/@f/1,2=3"):
            self.assertTrue(isPlain(path), path)
            self.assertEqual(readings(path), {path})
        for path in (b"//", b"/a//b", b"/.", b"/.x", b"/a%62", b"/a;b", b"/a\\b", b"*", b"/a|b"):
            self.assertFalse(isPlain(path), path)

    def test_dots(self) -> None:
        """
        Segments that go up or stay are found in each spelling.
        """

        def found(path: bytes) -> bool:
            return any(hasDotSegment(each) for each in readings(path))

        for path in (
            *(b"/..", b"/a/../b", b"/a/./b", b"/a/..", b"/%2e%2e/b", b"/.%2E/b", b"/%252e%252e/b"),
            *(b"/a/..;/b", b"/a/..;x=1/b", b"/a/..%2fb", b"/a/..%5cb", b"/a\\..\\b", b"/%2e;/b"),
            *(b"/a/..%3bx/b", b"/a%2f..%2fb", b"/a/..%252fb", b"/a/.;x;y/b", b"/a/..;x%2f/b"),
        ):
            self.assertTrue(found(path), path)
        for path in (b"/...", b"/.well-known/x", b"/a..b", b"/..a", b"/a;../b", b"/a%2fb"):
            self.assertFalse(found(path), path)

    def test_readings(self) -> None:
        """
        An app may decode, leave out parameters, and join slashes, in any order.
        """
        for path, read in (
            *((b"//admin", b"/admin"), (b"/%61dmin", b"/admin"), (b"/admin;x=1/y", b"/admin/y")),
            *((b"/a%2fadmin", b"/a/admin"), (b"/a\\admin", b"/a/admin"), (b"/;/admin", b"/admin")),
            *((b"/%2561dmin", b"/admin"), (b"/a%252fb", b"/a/b"), (b"/%5cadmin", b"/admin")),
            # Decoded once, parameters, decoded again; and parameters first.
            *((b"/%3b%252fx/admin", b"/admin"), (b"/a;%2fb/%61", b"/a/a")),
        ):
            self.assertIn(read, {joined(each) for each in readings(path)}, path)

    def test_many(self) -> None:
        """
        The number of readings is bounded, and usual ones are few.
        """
        for path in (b"/a%2Fb", b"/a;b=c/d", b"/a%20b;v=1/%C3%A9", b"/a%25b", b"/a//b"):
            self.assertTrue(0 < len(readings(path)) <= 6, path)
        for path in (b"/%5c;%5c%3b%255c%253bx" * 50, b"/\\;a%5c;%2f%253b" * 500):
            self.assertTrue(len(readings(path)) <= MOST)
        self.assertEqual(readings(b"/\\;a%5c;%2f%253bx/%255c;/a;\\%5c%253b"), set())
