"""
Tests of configurations as bytes.
"""

from __future__ import annotations

from brxy.edge.config.files.configuration import NO_FILES, Configuration, FilePart, FileRoute
from brxy.edge.config.files.frames import Received, decode, encode, remember
from brxy.edge.config.files.reader import readConfiguration
from brxy.reactor.slices import atOnce
from brxy.test.edge.config.files.folders import FileTests
from brxy.test.support.pages import ROOT

_NONE = Received(NO_FILES, {})


def _passed(configuration: Configuration, before: Received = _NONE) -> Received:
    return atOnce(decode(b"".join(encode(configuration)), before))


class FramesTests(FileTests):
    """
    Tests of L{encode} and L{decode}.
    """

    def test_equal(self) -> None:
        """
        What arrives is what was sent, also with faults.
        """
        path = self.write('[edge]\nretries = 3\ninclude = "*.toml"\n[route.a]\n')
        for each in (str(ROOT / "examples" / "brxy.toml"), path):
            configuration = readConfiguration(each)
            self.assertEqual(_passed(configuration).configuration, configuration)

    def test_same(self) -> None:
        """
        A route that is as it was is the same object as before, in whatever file it is.
        """
        routes = [FileRoute(host, (host,)) for host in ("a", "b", "c")]
        before = _passed(Configuration({}, (FilePart("x.toml", tuple(routes)),)))
        parts = (
            FilePart("x.toml", (routes[2], FileRoute("b", ("b", "d")))),
            FilePart("y", (routes[0],)),
        )
        after = _passed(Configuration({}, parts), before)
        first, _, third = before.configuration.routes()
        self.assertEqual([each.hosts for each in after.configuration.routes()][1], ("b", "d"))
        same, _, other = after.configuration.routes()
        self.assertIs(same, third)
        self.assertIs(other, first)
        self.assertEqual(len(after.frames), 3)

    def test_remembered(self) -> None:
        """
        What was read in this process is not made again either.
        """
        configuration = readConfiguration(str(ROOT / "examples" / "brxy.toml"))
        received = _passed(
            readConfiguration(configuration.file), remember(configuration)
        ).configuration
        for first, second in zip(configuration.routes(), received.routes(), strict=True):
            self.assertIs(first, second)

    def test_steps(self) -> None:
        """
        There is a step for each route and each file.
        """
        routes = tuple(FileRoute(f"{number}", (f"{number}",)) for number in range(50))
        parts = (FilePart("x.toml", routes), FilePart("y.toml"))
        data = b"".join(encode(Configuration({}, parts)))
        self.assertEqual(len(list(decode(data, _NONE))), 52)
