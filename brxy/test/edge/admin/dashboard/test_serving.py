"""
Tests of L{brxy.edge.admin.dashboard.serving}, and of what the page consists of.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from importlib.resources import files

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.admin.dashboard.serving import Dashboard
from brxy.edge.admin.door import Door
from brxy.test.support.memory.admins import AdminClient, MemoryAdmin, ask

__all__ = ["FileTests", "ServingTests"]

# What makes code or HTML of a text.
_DANGEROUS = re.compile(
    r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|srcdoc|"
    r"DOMParser|setHTML|localStorage|document\.cookie|javascript:"
)

# An address of another site.
_ELSEWHERE = re.compile(r"(?:https?:)?//[a-z0-9.-]+", re.IGNORECASE)

# The name of a format, which nothing is loaded from.
_SVG = "http://www.w3.org/2000/svg"


def _texts() -> Iterator[tuple[str, str]]:
    for each in files("brxy.edge.admin.dashboard").joinpath("page").iterdir():
        yield each.name, each.read_text()


class ServingTests(SynchronousTestCase):
    """
    The page as a browser gets it, from a port with a token.
    """

    def setUp(self) -> None:
        self.admin = MemoryAdmin(Dashboard().endpoints(), Door(tokens=lambda: ["secret"]))
        self.addCleanup(self.admin.server.abort)

    def get(self, target: str) -> tuple[AdminClient, list[bytes]]:
        """
        @return: a client that has sent a request without the token, and the head of its
            response.
        """
        client = self.admin.send(ask(target))
        return client, bytes(client.received).partition(b"\r\n\r\n")[0].split(b"\r\n")

    def test_page(self) -> None:
        """
        The page needs no token. It is restricted to what this server serves, and may not be
        embedded.
        """
        client, head = self.get("/")
        self.assertEqual(client.statuses, [200])
        self.assertIn(b"Content-Type: text/html; charset=utf-8", head)
        [policy] = [each for each in head if each.startswith(b"Content-Security-Policy:")]
        rules = policy.partition(b": ")[2].split(b"; ")
        for rule in (b"default-src 'self'", b"frame-ancestors 'none'", b"form-action 'none'"):
            self.assertIn(rule, rules)
        self.assertNotIn(b"unsafe", policy)
        self.assertIn(b"Referrer-Policy: no-referrer", head)
        self.assertIn(b"X-Frame-Options: DENY", head)

    def test_files(self) -> None:
        """
        Each file has its type; there are no others.
        """
        for name, kind in (
            ("index.html", b"text/html; charset=utf-8"),
            ("main.js", b"text/javascript; charset=utf-8"),
            ("dashboard.css", b"text/css; charset=utf-8"),
            ("icon.svg", b"image/svg+xml"),
        ):
            client, head = self.get(f"/dashboard/{name}")
            self.assertEqual(client.statuses, [200], name)
            self.assertIn(b"Content-Type: " + kind, head)
        for name in ("none.js", "..%2Fserving.py", "%2e%2e", "serving.py"):
            self.assertEqual(self.get(f"/dashboard/{name}")[0].statuses, [404], name)


class FileTests(SynchronousTestCase):
    """
    Rules for the files of the page.
    """

    def test_elsewhere(self) -> None:
        """
        Nothing is loaded from another site, and all that the page refers to is there.
        """
        texts = dict(_texts())
        for name, text in texts.items():
            for address in _ELSEWHERE.findall(text.replace(_SVG, "")):
                self.fail(f"{name} names {address}")
            for other in re.findall(r"""["'](?:/dashboard|\.)/([\w.]+)["']""", text):
                self.assertIn(other, texts, name)

    def test_harmless(self) -> None:
        """
        No script makes HTML or code of a text, or keeps anything beyond its tab.
        """
        for name, text in _texts():
            self.assertIsNone(_DANGEROUS.search(text), name)
        page = dict(_texts())["index.html"]
        self.assertNotRegex(page, r"<script(?! type=\"module\" src=)|<style|\sstyle=|\son\w+=")

    def test_sizes(self) -> None:
        """
        Scripts keep to the limits of modules.
        """
        for name, text in _texts():
            lines = text.split("\n")
            self.assertLess(len(lines), 351, name)
            if name.endswith(".js"):
                self.assertLess(max(map(len, lines)), 111, name)
