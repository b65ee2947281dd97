"""
Tests of L{brxy.program.options}: what the command lines of edge and node share.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from tempfile import TemporaryFile
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import Deferred
from twisted.python import usage
from twisted.scripts._twistd_unix import ServerOptions
from twisted.trial.unittest import SynchronousTestCase

import brxy
from brxy.errors import SpawnFailed, UsageError
from brxy.program.fields import COMMON, FLAG, SECONDS, Kind, Setting, Table
from brxy.program.guarded import CannotStart, Guarded, fail
from brxy.program.options import Options
from brxy.values.capacity import AUTO
from brxy.values.converters import (
    atLeastOne,
    capacity,
    count,
    firstSpeaker,
    maxCapacity,
    port,
    positive,
    route,
    seconds,
    size,
    wholeSeconds,
)


class ValueTests(SynchronousTestCase):
    """
    Tests of the values that options take.
    """

    def refuses(self, convert: Callable[[str], Any], *texts: str) -> None:
        for text in texts:
            error = self.assertRaises(ValueError, convert, text)
            self.assertNotEqual(str(error), "")
            self.assertNotIn("\n", str(error))

    def test_seconds(self) -> None:
        """
        Seconds are any number that is not negative.
        """
        self.assertEqual([seconds(text) for text in ("0", "0.5", "1e3")], [0.0, 0.5, 1000.0])
        self.refuses(seconds, "-1", "-0.001", "nan", "inf", "1e999", "", "x")

    def test_times(self) -> None:
        """
        A time may have units. What is no time is refused with examples.
        """
        for text, expected in (
            ("90s", 90.0),
            ("5m", 300.0),
            ("1h", 3600.0),
            ("1h30m", 5400.0),
            ("1.5h", 5400.0),
            ("250ms", 0.25),
            ("2d", 172800.0),
            ("0s", 0.0),
        ):
            self.assertEqual(seconds(text), expected)
        self.refuses(seconds, "5 m", "m", "5M", "5min", "-5m", "1h30", "5m!", "\u0665m", ".5m")
        self.assertEqual(positive("1m"), 60.0)
        self.refuses(positive, "0m", "0")
        self.assertEqual([wholeSeconds(each) for each in ("0", "1.5m", "365d")], [0, 90, 31536000])
        self.refuses(wholeSeconds, "1.5", "-1", "inf", "nan", "1e999", "500ms", "x", "")
        for convert in (seconds, positive, wholeSeconds):
            self.assertIn("5m", str(self.assertRaises(ValueError, convert, "soon")))

    def test_sizes(self) -> None:
        """
        A size is a number of bytes, or has a unit of 1024 bytes and so on.
        """
        for text, expected in (
            ("0", 0),
            ("1000", 1000),
            ("64K", 65536),
            ("64k", 65536),
            ("64KiB", 65536),
            ("512M", 512 << 20),
            ("2gb", 2 << 30),
            ("1T", 1 << 40),
            ("7b", 7),
        ):
            self.assertEqual(size(text), expected)
        self.refuses(size, "", "K", "-1", "1.5M", "1 M", "1P", "\u0665", "1Mi!")
        self.assertIn("512M", str(self.assertRaises(ValueError, size, "much")))

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
        self.assertEqual([maxCapacity("1"), maxCapacity("10000")], [1, 10_000])
        self.refuses(maxCapacity, "0", "10001", "auto", "")
        self.assertEqual([port("1"), port("65535")], [1, 65_535])
        self.refuses(port, "0", "65536", "-1", "http")

    def test_auto(self) -> None:
        """
        A capacity may also be learned, and the text that refuses another word says so.
        """
        self.assertEqual(capacity("auto"), AUTO)
        self.refuses(capacity, "Auto", "auto ", "automatic")
        self.assertRegex(str(self.assertRaises(ValueError, capacity, "0")), "^auto or a whole")

    def test_firstSpeaker(self) -> None:
        """
        One of two ends of a connection sends first.
        """
        self.assertEqual([firstSpeaker("client"), firstSpeaker("server")], ["client", "server"])
        self.refuses(firstSpeaker, "", "Client", "both")

    def test_positive(self) -> None:
        """
        A value that must not be 0 is refused with a text that says so.
        """
        self.assertEqual([positive("0.1"), atLeastOne("1")], [0.1, 1])
        self.refuses(positive, "0", "-1", "nan", "inf", "x", "")
        self.refuses(atLeastOne, "0", "-1", "1.5", "x", "")
        for convert in (positive, atLeastOne):
            for text in ("0", "x"):
                error = self.assertRaises(ValueError, convert, text)
                self.assertRegex(str(error), "more than 0|1 or more")

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

    table = Table(
        (
            Setting(
                name="wait",
                short="w",
                group="Some",
                kind=SECONDS,
                help="How long.",
                field=None,
                default="1",
                environment="WAIT",
            ),
            Setting(
                name="name",
                group="Some",
                kind=Kind("NAME", str, "a name"),
                help="A name.",
                field=None,
                default="x",
            ),
            Setting(
                name="more-names",
                short="m",
                group="Some",
                kind=Kind("NAME", route, "a name"),
                help="Others.",
                field=None,
                repeatable=True,
            ),
            Setting(name="quick", group="Some", kind=FLAG, help="Hurry.", field=None),
            Setting(
                name="secret",
                group="Some",
                kind=SECONDS,
                help="A secret.",
                field=None,
                environment="SECRET",
                is_option=False,
                is_secret=True,
            ),
            *COMMON[1:],
        )
    )


class _Twistd(usage.Options):
    """
    The options of twistd that brxy's own look at.
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

    def refuse(self, *arguments: str, **environ: str) -> str:
        options = _Options(environ)
        self.patch(sys, "stderr", self.stderr)
        error = self.assertRaises(SystemExit, options.parseOptions, arguments)
        self.assertEqual(error.code, 1)
        return self.stderr.getvalue()

    def test_values(self) -> None:
        """
        Values are converted, and have their defaults.
        """
        options = _Options({})
        options.parseOptions(["-w", "2", "-m", "A", "--more-names", "b"])
        self.assertEqual(
            dict(options),
            {
                "wait": 2.0,
                "name": "x",
                "more-names": ["a", "b"],
                "quick": 0,
                "secret": None,
                "log-format": "text",
            },
        )

    def test_environment(self) -> None:
        """
        The value of a variable applies if no option is given, unless it is
        empty.
        """
        for arguments, value, expected in (
            ([], "5", 5.0),
            (["--wait", "2"], "5", 2.0),
            (["--wait", "0"], "5", 0.0),
            ([], "", 1.0),
        ):
            options = _Options({"WAIT": value})
            options.parseOptions(arguments)
            self.assertEqual(options["wait"], expected)

    def test_badEnvironment(self) -> None:
        """
        A bad value of a variable is reported like one of an option, except
        that a secret is not repeated.
        """
        why = "a number of seconds, 0 or more, is needed, or a time such as 90s, 5m or 1h30m"
        self.assertEqual(self.refuse(WAIT="x"), f"brxy-some: bad WAIT 'x': {why}\n")
        self.stderr.truncate(0)
        self.stderr.seek(0)
        self.assertEqual(self.refuse(SECRET="x"), f"brxy-some: SECRET: {why}\n")

    def test_version(self) -> None:
        """
        The version is brxy's.
        """
        out = io.StringIO()
        self.patch(sys, "stdout", out)
        error = self.assertRaises(SystemExit, _Options().parseOptions, ["--version"])
        self.assertEqual((error.code, out.getvalue()), (0, f"brxy {brxy.__version__}\n"))

    def test_help(self) -> None:
        """
        C{--help} lists every option, in lines that are at most as wide as the
        terminal, but neither too narrow nor too wide.
        """
        for columns, least, most in (("60", 40, 60), ("5", 40, 60), ("200", 61, 100)):
            out = io.StringIO()
            self.patch(sys, "stdout", out)
            self.patch(os, "environ", {"COLUMNS": columns})
            error = self.assertRaises(SystemExit, _Options().parseOptions, ["--help"])
            self.assertEqual(error.code, 0)
            for name in ("--wait", "--name", "--more-names", "--quick", "--help", "--version"):
                self.assertIn(f" {name}", out.getvalue())
            widest = max(map(len, out.getvalue().splitlines()))
            self.assertTrue(least <= widest <= most, widest)

    def test_brokenPipe(self) -> None:
        """
        The program ends with status 0 when the reader of its help ends early.
        """

        class Closed(io.StringIO):
            def flush(self) -> None:
                raise BrokenPipeError

            def fileno(self) -> int:
                return file.fileno()

        with TemporaryFile() as file:
            self.patch(sys, "stdout", Closed())
            error = self.assertRaises(SystemExit, _Options().parseOptions, ["--help"])
            self.assertEqual(error.code, 0)
            os.write(file.fileno(), b"the rest")
            self.assertEqual(os.fstat(file.fileno()).st_size, 0)

    def test_helpOfPrograms(self) -> None:
        """
        C{--help} fits into 80 columns, and ends with examples.
        """
        for program in ("edge", "node"):
            out = io.StringIO()
            self.patch(sys, "stdout", out)
            self.patch(os, "environ", {"COLUMNS": "80"})
            twistd = ServerOptions()
            self.assertRaises(SystemExit, twistd.parseOptions, [f"brxy-{program}", "--help"])
            lines = out.getvalue().splitlines()
            self.assertLessEqual(max(map(len, lines)), 80)
            examples = lines[lines.index("Examples:") + 1 :]
            self.assertTrue(examples[0].startswith(f"  twistd -n brxy-{program} "), examples)

    def test_badValue(self) -> None:
        """
        A bad value ends the program with one line that names the option.
        """
        self.assertEqual(
            self.refuse("--wait", "long"),
            "brxy-some: bad --wait 'long': a number of seconds, 0 or more, is needed, "
            "or a time such as 90s, 5m or 1h30m\n",
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
        L{fail} prints one line and ends with status 1.
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
        In the foreground no pidfile is written unless one is requested.
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
        A bug is not reported as a failure to start, and keeps its traceback.
        """
        guarded = Guarded("brxy", True, _Service(ZeroDivisionError()))
        self.assertRaises(ZeroDivisionError, guarded.startService)
