"""
Tests for L{brxy.edge.routing.redirection}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.edge.routing.redirection import redirectCode, redirection
from brxy.errors import BadRequest
from brxy.http.messages import requestHead


class RedirectionTests(SynchronousTestCase):
    """
    Tests of where clients are redirected.
    """

    def location(self, template: str, target: bytes = b"/p?q", host: bytes = b"h") -> bytes:
        parsed = requestHead(b"GET / HTTP/1.0\r\nHost: %b\r\n\r\n" % host)
        assert parsed is not None
        return redirection(template).location(parsed[0], b"http", target)

    def test_templates(self) -> None:
        """
        A host alone keeps scheme, path and query; a template has what it names.
        """
        for template, location in (
            *(
                ("b", b"http://b/p?q"),
                ("b:8080", b"http://b:8080/p?q"),
                ("[::1]", b"http://[::1]/p?q"),
            ),
            *(("https://b", b"https://b"), ("https://b/x{path}", b"https://b/x/p")),
            *(
                ("https://www.{host}{path}{query}", b"https://www.h/p?q"),
                ("/new{path}", b"/new/p"),
            ),
            *(("/x", b"/x"), ("https://b?from={host}", b"https://b?from=h"), ("/", b"/")),
        ):
            self.assertEqual(self.location(template), location)

    def test_wrong(self) -> None:
        """
        No template lets a client choose the site.
        """
        for text in (
            *(
                "",
                "b c",
                "{path}",
                "/{path}",
                "//b",
                "https://",
                "https://{path}",
                "https:/b{path}",
            ),
            *("ftp://b", "https://u@b/", "https://b@c/", "http://b\\c", "/\\b", "b/c", "{host}"),
            *(
                "https://b/\r\nX: y",
                "https://b/{nothing}",
                "https://b/ x",
                "/é",
            ),
            *(
                "https://b{host}{path}x y",
                "javascript:alert(1)",
                "https://b:999999/",
                "https://b:80{host}",
            ),
        ):
            self.assertRaises(ValueError, redirection, text)

    def test_hostile(self) -> None:
        """
        Whatever the path is, the site stays the same.
        """
        for target in (b"//evil.example", b"/\\evil.example", b"/@evil.example", b"/.evil", b"*"):
            for template in ("b", "https://b{path}", "https://b{path}{query}", "/x{path}"):
                found = self.location(template, target)
                self.assertRegex(found, rb"\A(?:https?://b/|/x/)", (template, target))

    def test_noHost(self) -> None:
        """
        A request of HTTP/1.0 may have no host.
        """
        parsed = requestHead(b"GET / HTTP/1.0\r\n\r\n")
        assert parsed is not None
        head = parsed[0]
        self.assertEqual(redirection("b").location(head, b"http", b"/"), b"http://b/")
        target = redirection("https://{host}/")
        self.assertRaises(BadRequest, target.location, head, b"http", b"/")

    def test_codes(self) -> None:
        """
        Only codes that redirect are codes.
        """
        self.assertEqual(redirectCode("308"), 308)
        for text in ("300", "304", "200", "", "30 1", "+301", "x"):
            self.assertRaises(ValueError, redirectCode, text)
