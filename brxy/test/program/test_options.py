"""
Tests of L{brxy.program.options}: what the command lines of edge and node share.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import SpawnFailed, UsageError
from brxy.program.guarded import CannotStart, Guarded, fail
from brxy.program.options import Options
from brxy.values.converters import capacity, count, port, route, seconds


class ValueTests(SynchronousTestCase):
    """
    Tests of the values that options take.
    """

    def refuses(self, convert: Callable[[str], Any], *texts: str) -> None:
        for text in texts:
            error = self.assertRaises((ValueError, usage.UsageError), convert, text)
            self.assertNotEqual(str(error), "")
            self.assertNotIn("\n", str(error))

    def test_seconds(self) -> None:
        """
        Seconds are any number that is not negative.
        """
        self.assertEqual([seconds(text) for text in ("0", "0.5", "1e3")], [0.0, 0.5, 1000.0])
        self.refuses(seconds, "-1", "-0.001", "nan", "inf", "1e999", "", "5s", "x")

    def test_count(self) -> None:
        """
        Counts are whole numbers, 0 or more, in plain digits.
        """
        self.assertEqual([count("0"), count("17")], [0, 17])
        self.refuses(count, "-1", "1.5", "", "1e3", "x", "\u0663", "\u00b2", "+1", " 1")

    def test_bounds(self) -> None:
        """
        Capacities and ports have limits.
        """
        self.assertEqual([capacity("1"), capacity("10000")], [1, 10_000])
        self.refuses(capacity, "0", "10001", "-1", "")
        self.assertEqual([port("1"), port("65535")], [1, 65_535])
        self.refuses(port, "0", "65536", "-1", "http")

    def test_route(self) -> None:
        """
        Routes are written as hosts are, and an invalid one is refused.
        """
        self.assertEqual(route("Example.COM."), "example.com")
        self.refuses(route, "", "a b", "-x", "a/b", "a" * 64, "\u00e4")


class _Options(Options):
    """
    Some options.
    """

    program = "brxy-some"

    optParameters = [
        ["wait", "w", 1.0, "How long.", seconds],
        ["name", None, "x", "A name."],
    ]


class _Twistd(usage.Options):
    """
    The part of twistd's own options that ours read.
    """

    optFlags = [["nodaemon", "n", "Stay."]]
    optParameters = [["pidfile", None, "twistd.pid", "The pidfile."]]
    subCommands = [["some", None, _Options, "Some."]]


class OptionsTests(SynchronousTestCase):
    """
    Tests of L{Options}.
    """

    def setUp(self) -> None:
        self.stderr = io.StringIO()

    def refuse(self, *arguments: str) -> str:
        options = _Options()
        self.patch(sys, "stderr", self.stderr)
        error = self.assertRaises(SystemExit, options.parseOptions, arguments)
        self.assertEqual(error.code, 1)
        return self.stderr.getvalue()

    def test_values(self) -> None:
        """
        Values are converted, and have their defaults.
        """
        options = _Options()
        options.parseOptions(["-w", "2"])
        self.assertEqual(dict(options), {"wait": 2.0, "name": "x"})

    def test_bad_value(self) -> None:
        """
        A bad value ends the program with one line that names the option.
        """
        self.assertEqual(
            self.refuse("--wait", "long"),
            "brxy-some: bad --wait 'long': a number of seconds, 0 or more, is needed\n",
        )

    def test_unknown(self) -> None:
        """
        An unknown option, an option without its value, and one argument too
        many each end the program with one line.
        """
        for arguments in (["--what"], ["--wait"], ["argument"]):
            self.stderr.truncate(0)
            self.stderr.seek(0)
            line = self.refuse(*arguments)
            self.assertTrue(line.startswith("brxy-some: "))
            self.assertEqual(line.count("\n"), 1)

    def test_fail(self) -> None:
        """
        L{fail} prints one line and exits with status 1.
        """
        self.patch(sys, "stderr", self.stderr)
        error = self.assertRaises(SystemExit, fail, "brxy", UsageError("no such port"))
        self.assertEqual((error.code, self.stderr.getvalue()), (1, "brxy: no such port\n"))

    def twistd(self, *arguments: str) -> tuple[_Twistd, _Options]:
        twistd = _Twistd()
        twistd.parseOptions([*arguments, "some"])
        options: Any = twistd.subOptions
        options.withoutPidfile()
        return twistd, options

    def test_pidfile(self) -> None:
        """
        In the foreground there is no pidfile unless the user requests one.
        """
        self.assertEqual(self.twistd("-n")[0]["pidfile"], "")
        self.assertEqual(self.twistd("-n", "--pidfile", "my.pid")[0]["pidfile"], "my.pid")
        self.assertEqual(self.twistd()[0]["pidfile"], "twistd.pid")

    def test_foreground(self) -> None:
        """
        Without twistd, or with its -n, the program runs in the foreground.
        """
        self.assertTrue(_Options().foreground())
        self.assertTrue(self.twistd("-n")[1].foreground())
        self.assertFalse(self.twistd()[1].foreground())


class _Service(Service):
    """
    A service that can fail to start.
    """

    def __init__(self, error: Exception | None = None) -> None:
        self.error = error
        self.stopped: Deferred[None] = Deferred()

    def startService(self) -> None:
        super().startService()
        if self.error is not None:
            raise self.error

    def stopService(self) -> Deferred[None]:
        super().stopService()
        return self.stopped


class GuardedTests(SynchronousTestCase):
    """
    Tests of L{Guarded}.
    """

    def test_starts(self) -> None:
        """
        L{Guarded} starts and stops its service, and waits for it to end.
        """
        service = _Service()
        guarded = Guarded("brxy", True, service)
        guarded.startService()
        self.assertTrue(service.running)
        stopping = guarded.stopService()
        self.assertFalse(service.running)
        self.assertNoResult(stopping)
        service.stopped.callback(None)
        self.successResultOf(stopping)

    def test_foreground(self) -> None:
        """
        In the foreground a failure to start is one line on the terminal.
        """
        stderr = io.StringIO()
        self.patch(sys, "__stderr__", stderr)
        for error in (UsageError("the port is taken"), SpawnFailed("no such file")):
            guarded = Guarded("brxy", True, _Service(error))
            raised = self.assertRaises(CannotStart, guarded.startService)
            self.assertEqual(raised.code, 1)
        self.assertEqual(stderr.getvalue(), "brxy: the port is taken\nbrxy: no such file\n")

    def test_background(self) -> None:
        """
        In the background twistd itself writes the line to the terminal.
        """
        stderr = io.StringIO()
        self.patch(sys, "__stderr__", stderr)
        guarded = Guarded("brxy", False, _Service(UsageError("the port is taken")))
        raised = self.assertRaises(CannotStart, guarded.startService)
        self.assertEqual(str(raised), "the port is taken")
        self.assertIsInstance(raised, SystemExit)
        self.assertEqual(stderr.getvalue(), "")

    def test_bug(self) -> None:
        """
        A bug is not treated as a failure to start, and keeps its traceback.
        """
        guarded = Guarded("brxy", True, _Service(ZeroDivisionError()))
        self.assertRaises(ZeroDivisionError, guarded.startService)
