"""
Tests for L{brxy.edge.routing.paths}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.routing.paths import (
    hasDotSegment,
    hasEmptyStart,
    isPlain,
    matches,
    pathPrefix,
    reading,
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
            self.assertEqual(reading(path), path)
        for path in (b"//", b"/a//b", b"/.", b"/.x", b"/a%62", b"/a;b", b"/a\\b", b"*", b"/a|b"):
            self.assertFalse(isPlain(path), path)

    def test_dots(self) -> None:
        """
        Segments that go up or stay are found in each spelling.
        """
        for path in (
            *(b"/..", b"/a/../b", b"/a/./b", b"/a/..", b"/%2e%2e/b", b"/.%2E/b", b"/%252e%252e/b"),
            *(b"/a/..;/b", b"/a/..;x=1/b", b"/a/..%2fb", b"/a/..%5cb", b"/a\\..\\b", b"/%2e;/b"),
            *(b"/a/..%3bx/b", b"/a%2f..%2fb", b"/a/..%252fb"),
        ):
            self.assertTrue(hasDotSegment(path), path)
        for path in (b"/...", b"/.well-known/x", b"/a..b", b"/..a", b"/a;../b", b"/a%2fb"):
            self.assertFalse(hasDotSegment(path), path)

    def test_reading(self) -> None:
        """
        An app may decode, leave out parameters, and join slashes.
        """
        for path, read in (
            *((b"//admin", b"/admin"), (b"/%61dmin", b"/admin"), (b"/admin;x=1/y", b"/admin/y")),
            *((b"/a%2fadmin", b"/a/admin"), (b"/a\\admin", b"/a/admin"), (b"/;/admin", b"/admin")),
            *((b"/%2561dmin", b"/admin"), (b"/a%252fb", b"/a/b"), (b"/%5cadmin", b"/admin")),
        ):
            self.assertEqual(reading(path), read, path)

    def test_emptyStart(self) -> None:
        """
        Without its prefix a path must not begin as the address of another site does.
        """
        for path in (b"/a//b", b"/a/%2fb", b"/a/\\b", b"/a%2f/b", b"/a/;/b", b"/a/%5cb"):
            self.assertTrue(hasEmptyStart(path, b"/a"), path)
        for path in (b"/a", b"/a/", b"/a/b//c", b"/a/b"):
            self.assertFalse(hasEmptyStart(path, b"/a"), path)
