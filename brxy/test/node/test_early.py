"""
Tests of L{brxy.node.early}.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis.strategies import SearchStrategy, from_regex, just, sampled_from, tuples
from twisted.internet.endpoints import clientFromString
from twisted.trial.unittest import SynchronousTestCase

from brxy.node.early import OPTIONS, Early, PlainLine, isPlain, plainLine
from brxy.node.tap import Options
from brxy.processes.child import Child
from brxy.processes.ports import Ports
from brxy.test.support.loopback.leftovers import Output, RealTests, aliveInGroup
from brxy.test.support.memory.examples import bounded

# What is loaded with our module.
_LOADED = """
import sys
before = set(sys.modules)
import brxy.node.__main__
print(*sorted({name.partition(".")[0] for name in set(sys.modules) - before}))
"""

# Starts an app, and ends without a node that could end it.
_ABANDON = """
import os, sys
from brxy.node.early import Early
early = Early()
early.start(["sleep", "1000"], "r", None, os.environ)
print(open(f"/proc/self/task/{os.getpid()}/children").read().split()[0])
"""


def _withValue(name: str) -> SearchStrategy[tuple[str, str]]:
    return tuples(just(name), from_regex(re.compile(OPTIONS[name], re.ASCII), fullmatch=True))


def python(script: str, **environ: str) -> str:
    """
    @return: what a process prints that does this.
    """
    return subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environ},
        stdout=subprocess.PIPE,
        timeout=60,
        check=True,
        text=True,
    ).stdout


class PlainLineTests(SynchronousTestCase):
    """
    Tests of L{plainLine} and L{isPlain}.
    """

    def test_command(self) -> None:
        """
        The command stands behind C{--}, or where options end.
        """
        for arguments in (["--", "run", "-c", "1"], ["run", "-c", "1"]):
            self.assertEqual(
                plainLine(["-c", "5", *arguments], {}),
                PlainLine(["run", "-c", "1"], "default", None),
            )

    def test_forms(self) -> None:
        """
        Values are words of their own, or behind an equals sign.
        """
        for arguments in (
            ["--route", "a", "--exit-on-stdin-eof", "--app-port", "80"],
            ["--route=a", "--exit-on-stdin-eof", "--app-port=80"],
        ):
            self.assertEqual(plainLine([*arguments, "run"], {}), PlainLine(["run"], "a", 80))

    def test_environment(self) -> None:
        """
        What an edge hands over counts where no option is given.
        """
        environ = {"ROUTE": "a", "BRXY_CAPACITY": "", "BRXY_EDGE": "tcp:b:1", "HOME": "/"}
        self.assertEqual(plainLine(["run"], environ), PlainLine(["run"], "a", None))
        self.assertEqual(
            plainLine(["--route", "b", "run"], environ), PlainLine(["run"], "b", None)
        )

    def test_doubtful(self) -> None:
        """
        What it does not know for sure is left to the real parser.
        """
        for arguments in (
            [],
            ["--"],
            ["--help"],
            ["--version", "run"],
            ["--nonsense", "1", "run"],
            ["--generation", "1", "run"],
            ["--cap", "1", "run"],
            ["-c1", "run"],
            ["-x", "1", "run"],
            ["--capacity"],
            ["--capacity", "x", "run"],
            ["--app", "a:1"],
            ["--token-file", "x", "run"],
        ):
            self.assertIsNone(plainLine(arguments, {}), arguments)
        for variable in ("BRXY_EDGE", "BRXY_CAPACITY", "BRXY_IDLE_TIMEOUT", "BRXY_GENERATION"):
            self.assertIsNone(plainLine(["run"], {variable: "x"}), variable)
        self.assertIsNone(plainLine(["run"], {"BRXY_TOKEN": "\u00e4"}))

    @bounded(200)
    @given(sampled_from(sorted(OPTIONS)).flatmap(_withValue))
    def test_agrees(self, given: tuple[str, str]) -> None:
        """
        What is plain is good for the real parser, and means the same.
        """
        name, value = given
        arguments = [f"--{name}", value, "true"]
        line = plainLine(arguments, {})
        assert line is not None, arguments
        options = Options({})
        options.parseOptions(arguments)
        self.assertEqual(
            (tuple(line.command), line.route, line.port),
            (options["command"], options["route"], options["app-port"]),
        )
        clientFromString(None, options["edge"])

    def test_brink(self) -> None:
        """
        What is nearly plain is not.
        """
        for name, values in (
            ("edge", ["a:1", "tcp:a", "tcp:a:123456", "tcp:[::1]:1", "unix:", "unix:a:b"]),
            ("route", ["", "A", "a..b", "-a", "a-", "\u00e4", "a" * 61]),
            ("capacity", ["0", "10000", "1.5", "\u0661", "1\n", "Auto", "auto1"]),
            ("max-capacity", ["0", "auto"]),
            ("speaks-first", ["", "clients"]),
            ("app-port", ["0", "60000"]),
            ("ready-path", ["a", "/a b", "/\u00e4"]),
            ("idle-timeout", ["", "-1", "nan", "1e3", "1."]),
            ("transport", ["kqueue"]),
        ):
            for value in values:
                self.assertFalse(isPlain(name, value), (name, value))

    def test_every(self) -> None:
        """
        It knows each option that needs no second look.
        """
        parameters = {parameter[0] for parameter in Options.optParameters}
        checked = {"cwd", "env-file", "ready-command", "ready-log", "user"}
        files = {f"edge-tls-{name}" for name in ("ca", "name", "cert", "key")}
        self.assertEqual(parameters - set(OPTIONS), {"app", "token-file", *files, *checked})

    def test_tls(self) -> None:
        """
        Files in the environment need that look, too.
        """
        for name in ("CA", "NAME", "CERT", "KEY"):
            for value, plain in (("", True), ("x", False)):
                line = plainLine(["--", "true"], {f"BRXY_EDGE_TLS_{name}": value})
                self.assertIs(line is not None, plain, name)


class LoadTests(SynchronousTestCase):
    """
    What is loaded before the app is started.
    """

    def test_little(self) -> None:
        """
        Neither Twisted nor anything else that takes its time.
        """
        loaded = set(python(_LOADED).split())
        self.assertIn("brxy", loaded)
        self.assertEqual(loaded & {"twisted", "zope", "attr", "attrs", "asyncio", "ssl"}, set())


class _Reactor:
    """
    One that runs already.
    """

    def callWhenRunning(self, call: Callable[[], object]) -> None:
        """
        Call it.
        """
        call()


class EarlyTests(RealTests):
    """
    Tests of L{Early}.
    """

    def setUp(self) -> None:
        super().setUp()
        self.early = Early()
        self.addCleanup(signal.pthread_sigmask, signal.SIG_SETMASK, self.blocked())

    def blocked(self) -> set[signal.Signals | int]:
        """
        The signals that are held back now.
        """
        return set(signal.pthread_sigmask(signal.SIG_BLOCK, ()))

    def start(self, *command: str, port: int | None = None) -> None:
        """
        Start an app.
        """
        self.early.start(command, "r", port, {**os.environ, "BRXY_TOKEN": "x"})

    def adopted(self, output: Any) -> tuple[Child, int]:
        """
        @return: the app that was started, and its port.
        """
        taken = self.early.takeApp(_Reactor())
        assert taken is not None
        launched, port = taken
        child = Child(self.reactor, [], {}, output, die_with_parent=True)
        child.adopt(launched)
        self.addCleanup(lambda: child.emptied)
        self.addCleanup(child.kill)
        return child, port

    async def test_life(self) -> None:
        """
        An app that was started early knows where to listen; what it printed and how
        it ended is not lost.
        """
        self.start("sh", "-c", 'echo "$PORT $ROUTE ${BRXY_TOKEN-none} $1"; exit 3', "sh", "{port}")
        output = Output()
        child, port = self.adopted(output)
        self.assertEqual((await child.ended).status, 3)
        self.assertEqual(output.lines, [(1, f"{port} r none {port}".encode())])

    async def test_once(self) -> None:
        """
        There is one app, which is given once.
        """
        self.start("sleep", "1000")
        self.start("false")
        child, _ = self.adopted(print)
        self.assertIsNone(self.early.takeApp(_Reactor()))
        child.stop(100)
        self.assertEqual((await child.ended).signal, signal.SIGTERM)

    async def test_signals(self) -> None:
        """
        Signals that would end this process wait until the reactor takes them;
        they do not wait for the app.
        """
        before = self.blocked()
        self.start("sh", "-c", "kill -HUP $$")
        self.assertEqual(
            self.blocked() - before, {signal.SIGHUP, signal.SIGINT, signal.SIGTERM} - before
        )
        child, _ = self.adopted(print)
        self.assertEqual(self.blocked() & {signal.SIGHUP, signal.SIGINT, signal.SIGTERM}, set())
        self.assertEqual((await child.ended).signal, signal.SIGHUP)

    async def test_givenPort(self) -> None:
        """
        Its port can be given.
        """
        port = Ports().take()
        self.start("true", port=port)
        child, told = self.adopted(print)
        self.assertEqual(told, port)
        await child.ended

    def test_impossible(self) -> None:
        """
        What can't be started is left to the node, which can say so.
        """
        before = self.blocked()
        self.start("no-such-thing")
        self.assertIsNone(self.early.takeApp(_Reactor()))
        self.assertEqual(self.blocked() - before, set())

    def test_abandoned(self) -> None:
        """
        It ends with this process if no node takes it, even where the kernel
        can't see to that.
        """
        folder = Path(self.mktemp())
        folder.mkdir()
        for path in os.environ["PATH"].split(os.pathsep):
            if Path(path, "sleep").exists():
                (folder / "sleep").symlink_to(Path(path, "sleep"))
                break
        group = int(python(_ABANDON, PATH=str(folder.absolute())))
        while aliveInGroup(group):
            pass
