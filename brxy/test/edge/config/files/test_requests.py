"""
Tests of the keys of a route that are about its requests.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.task import Clock

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.files.loading import loadFiles
from brxy.edge.config.files.reader import readConfiguration
from brxy.edge.routing.redirection import redirection
from brxy.edge.routing.settings import RoutedHosts
from brxy.test.edge.config.files.folders import FileTests

_SPAWN = '[[route."a".spawn]]\nkind = "app"\ncommand = ["x"]\n'


class RequestKeyTests(FileTests):
    """
    Tests of C{headers}, C{redirect} and C{hold-timeout}.
    """

    def check(self, text: str, *expected: str) -> None:
        """
        Check what is wrong with a route.
        """
        found = self.faults(f'[route."a"]\n{text}{_SPAWN}')
        self.assertEqual(len(found), len(expected), found)
        for said, start in zip(found, expected, strict=True):
            self.assertEqual(said[: len(start)], start)

    def routed(self, text: str) -> list[RoutedHosts]:
        """
        @return: the routes of a file that have settings for their requests.
        """
        configuration = readConfiguration(self.write(text))
        given: dict[str, Any] = {each.name: [] if each.repeatable else None for each in FIELDS}
        loaded = loadFiles(given, configuration, Clock())
        assert loaded.settings is not None, loaded.faults
        return [*loaded.settings.routed]

    def test_headers(self) -> None:
        """
        Fields are added, set and removed.
        """
        [found] = self.routed(
            '[route."a"]\nheaders.request.set = { X-Env = "prod", X-Number = 5 }\n'
            'headers.request.remove = ["Cookie"]\nheaders.response.remove = "Server"\n'
            f'[route."a".headers.response.add]\nLink = " </a>; rel=x "\n{_SPAWN}'
        )
        request, response = found.settings.headers.request, found.settings.headers.response
        self.assertEqual(request.set, ((b"X-Env", b"prod"), (b"X-Number", b"5")))
        self.assertEqual((request.add, request.remove), ((), [b"Cookie"]))
        self.assertEqual(response.add, ((b"Link", b"</a>; rel=x"),))
        self.assertEqual(response.remove, [b"Server"])

    def test_smuggling(self) -> None:
        """
        What frames or routes a message, or only the edge may write, can't be changed.
        """
        request = (
            *("Host", "Content-Length", "transfer-encoding", "Connection", "Upgrade", "TE"),
            *("Trailer", "Expect", "Via", "Keep-Alive", "Proxy-Connection", "HTTP2-Settings"),
            *("Content_Length", "Transfer_Encoding", "X-Forwarded-For", "X_Forwarded_Host"),
            *("X-Forwarded-Prefix", "Forwarded", "X-Real-IP", "X-Request-ID", "Proxy"),
        )
        response = (
            *("Content-Length", "Transfer-Encoding", "Transfer_Encoding", "Connection"),
            *("Upgrade", "Trailer", "Via", "Date", "Keep-Alive", "X-Request-ID"),
        )
        for kind, names in (("request", request), ("response", response)):
            for name in names:
                for key in (
                    f'set = {{ {name} = "1" }}',
                    f'add.{name} = "1"',
                    f'remove = "{name}"',
                ):
                    what = key.partition(" ")[0].partition(".")[0]
                    self.check(f"headers.{kind}.{key}\n", f"2: bad {what}")
                    [said] = self.faults(f'[route."a"]\nheaders.{kind}.{key}\n{_SPAWN}')
                    self.assertIn(f"{name} is the edge's own to write", said)

    def test_injection(self) -> None:
        """
        Neither a name nor a value can end its line.
        """
        for value in ("a\\r\\nHost: b", "a\\nb", "a\\rb", "a\\u0000b", "\\u001b[0m", "\\u00e9"):
            self.check(
                f'headers.response.set = {{ X-A = "{value}" }}\n', "2: bad set: the value of X-A"
            )
        for name in ("X-A\\r\\nHost", "X A", "X-A:", "", "X\\u0000", "\\u00e9", "X" * 129):
            said = "the name of a header field is needed"
            self.check(f'headers.request.remove = ["X-B", "{name}"]\n', "2: bad remove")
            self.check(f'headers.request.set = {{ "{name}" = "1" }}\n', f"2: bad set: {said}")

    def test_shapes(self) -> None:
        """
        Each wrong shape is named with its line, and an unknown key with the nearest.
        """
        self.check(
            '[route."a".headers]\nrequest = 1\nreponse = {}\n'
            '[route."a".headers.response]\nset = "X-A: b"\nadd = [1]\nremoves = "X"\n'
            'remove = [1, true]\n[route."a".headers.response.unset]\n',
            "3: request needs to be a table",
            "4: reponse is not known; did you mean response?",
            "6: bad set: a table of fields is needed",
            "7: bad add",
            "8: removes is not known; did you mean remove?",
            "9: bad remove true: ",
            "10: unset is not known; did you mean set?",
        )
        self.check(
            '[route."a".headers.request.set]\nX-A = "1"\nX-B = true\n',
            "4: bad set: X-B needs a text or a number",
        )
        self.check(
            '[route."a".headers.request.set]\nX-A = "1"\nVia = "x"\n',
            "4: bad set: Via is the edge's",
        )

    def test_redirect(self) -> None:
        """
        A route that redirects has no spawn.
        """
        [found] = self.routed('[route."a"]\nredirect = "b"\nredirect-code = 301\n')
        self.assertEqual(found.settings.redirect, redirection("b"))
        self.assertEqual(found.settings.redirect_code, 301)
        self.check('redirect = "b"\n', "3: a route with redirect starts nothing: it has no spawn")
        self.check("redirect-code = 301\n", "2: redirect-code needs redirect")
        for text in ("", "b c", "{path}", "ftp://b", "https://", "//b", "b/c", "https://u@b/"):
            faults = self.faults(f'[route."a"]\nredirect = "{text}"\n')
            self.assertIn("2: bad redirect", "".join(faults), text)
        [said] = self.faults('[route."a"]\nredirect = "b"\nredirect-code = 200\n')
        self.assertEqual(said, "3: bad redirect-code 200: 301, 302, 303, 307 or 308 is needed")

    def test_defaults(self) -> None:
        """
        Headers may be for all routes that have none of their own.
        """
        one, two = self.routed(
            '[defaults]\nheaders.response.set = { X-Frame-Options = "DENY" }\n'
            f'[route."a"]\n{_SPAWN}[route.b]\nheaders.response.remove = ["Server"]\n'
            f"{_SPAWN.replace(chr(34) + 'a' + chr(34), 'b')}"
        )
        self.assertEqual(one.settings.headers.response.set, ((b"X-Frame-Options", b"DENY"),))
        self.assertEqual(two.settings.headers.response.set, ())
        [said] = self.faults('[defaults]\npaths = ["/x"]\n')
        self.assertTrue(said.startswith("2: paths is not known"), said)

    def test_otherTable(self) -> None:
        """
        A key in the wrong table names the right one.
        """
        where = "belongs in [edge] or in a route, above its spawns"
        hold = f"hold-timeout is not known; hold-timeout {where}"
        self.assertEqual(
            self.faults(
                '[edge]\npaths = ["/x"]\nheaders = {}\n[defaults]\nhold-timeout = 5\n'
                f'[route."a"]\n{_SPAWN}headers = {{}}\nhold-timeout = 5\n'
            ),
            [
                "2: paths is not known; paths belongs in a route",
                "3: headers is not known; headers belongs in [defaults] or in a route",
                f"5: {hold}",
                "10: headers is not known; headers belongs in a route, above its spawns",
                f"11: {hold}",
            ],
        )

    def test_holdTimeout(self) -> None:
        """
        A route has a hold timeout of its own.
        """
        [found] = self.routed(f'[route."a"]\nhold-timeout = "1m"\n{_SPAWN}')
        self.assertEqual(found.settings.hold_timeout, 60.0)
        self.check('hold-timeout = "x"\n', "2: bad hold-timeout 'x': a number of seconds")
