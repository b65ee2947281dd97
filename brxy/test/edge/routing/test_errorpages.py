"""
Tests for L{brxy.edge.routing.errorpages}.
"""

from __future__ import annotations

from pathlib import Path

from attrs import evolve
from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.reload.changes import differences
from brxy.edge.routing.errorpages import MOST, NO_PAGES, acceptsHTML, errorPages
from brxy.edge.routing.settings import RoutedHosts, RouteSettings
from brxy.errors import UsageError
from brxy.test.support.memory.heads import get


class ErrorPagesTests(SynchronousTestCase):
    """
    Tests of L{errorPages}.
    """

    def setUp(self) -> None:
        self.folder = Path(self.mktemp())
        self.folder.mkdir()

    def refused(self, folder: Path) -> str:
        """
        @return: why a folder is refused.
        """
        return str(self.assertRaises(ValueError, errorPages, str(folder)))

    def test_pages(self) -> None:
        """
        Each page is for the status in its name; other files mean nothing.
        """
        for name in ("404.html", "599.html", "200.html", "4040.html", "504.htm", "x404.html"):
            (self.folder / name).write_text(name)
        pages = errorPages(str(self.folder))
        self.assertEqual((pages.get(404), pages.get(599)), (b"404.html", b"599.html"))
        for status in (200, 503, 504):
            self.assertIsNone(pages.get(status))
        self.assertIsNone(NO_PAGES.get(404))
        self.assertEqual(str(pages), str(self.folder))

    def test_refused(self) -> None:
        """
        A folder that is none or has no pages is refused, and so is a page that is too long, is
        no text or can't be read, with its name.
        """
        needed = "a folder with pages such as 404.html is needed: "
        self.assertEqual(self.refused(self.folder), f"{needed}it has none")
        missing = self.folder / "missing"
        self.assertEqual(self.refused(missing), f"{needed}No such file or directory")
        page = self.folder / "503.html"
        page.write_bytes(b"x" * MOST)
        self.assertEqual(errorPages(str(self.folder)).get(503), b"x" * MOST)
        page.write_bytes(b"x" * (MOST + 1))
        self.assertEqual(self.refused(self.folder), "503.html has more than 64 KiB")
        page.write_bytes(b"\xff")
        self.assertEqual(self.refused(self.folder), "503.html is not UTF-8")
        page.unlink()
        page.mkdir()
        self.assertEqual(self.refused(self.folder), f"{needed}503.html: Is a directory")

    def test_reload(self) -> None:
        """
        The folder is read again. If it can't be used, the pages stay.
        """
        page = self.folder / "404.html"
        page.write_text("one")
        pages, same = errorPages(str(self.folder)), errorPages(str(self.folder))
        self.assertEqual(pages, same)
        page.write_text("two")
        pages.reload()
        self.assertEqual(pages.get(404), b"two")
        self.assertNotEqual(pages, same)
        page.write_bytes(b"\xff")
        said = str(self.assertRaises(UsageError, pages.reload))
        self.assertEqual(said, f"--error-pages {self.folder}: 404.html is not UTF-8")
        self.assertEqual(pages.get(404), b"two")
        NO_PAGES.reload()

    def test_differences(self) -> None:
        """
        A reload knows changed pages of the edge and of a route, and that they take effect at
        once.
        """
        page = self.folder / "404.html"
        page.write_text("one")
        one = errorPages(str(self.folder))
        page.write_text("two")
        two = errorPages(str(self.folder))
        before = EdgeSettings(
            [], error_pages=one, routed=[RoutedHosts("a", ["a"], RouteSettings(error_pages=one))]
        )
        after = evolve(
            before,
            error_pages=two,
            routed=[
                RoutedHosts("a", ["a"], RouteSettings(error_pages=two, max_body=1, gzip=True))
            ],
        )
        found = {name for kind, name, _ in differences(before, after) if kind == "settings"}
        expected = {"error-pages", "error-pages of a", "max-body of a", "gzip of a"}
        self.assertEqual(found, expected)
        self.assertEqual([each for each in differences(before, before) if each[0]], [])


class AcceptTests(SynchronousTestCase):
    """
    Tests of L{acceptsHTML}.
    """

    def test_accepted(self) -> None:
        """
        Only a client that names HTML, with a weight, accepts it.
        """
        for accept, accepted in (
            (b"text/html", True),
            (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", True),
            (b"TEXT/HTML;charset=utf-8;q=0.1", True),
            (b"application/xhtml+xml", True),
            (b"text/html;q=0", False),
            (b"text/html; q=0.000", False),
            (b"*/*", False),
            (b"text/*", False),
            (b"application/json", False),
            (b"image/avif,image/webp,*/*;q=0.8", False),
            (b"", False),
        ):
            found = acceptsHTML(get(b"Accept: %b\r\n" % accept).fields)
            self.assertEqual(found, accepted, accept)
        self.assertFalse(acceptsHTML(get().fields))
