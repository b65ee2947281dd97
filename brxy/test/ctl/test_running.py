"""
Tests of L{brxy.ctl.running}.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.ctl.exitstatus import Failure
from brxy.ctl.running import edgeArguments
from brxy.test.ctl.test_main import ran

__all__ = ["ArgumentsTests"]

COMMAND = ["--", "sh", "-c", "echo 1"]

#: The end of the edge's arguments for that.
APP = ["--spawn", "app: -- sh -c 'echo 1'"]


class ArgumentsTests(SynchronousTestCase):
    """
    Tests of L{edgeArguments}.
    """

    def test_freePort(self) -> None:
        """
        Without C{--port} it is a free one, on this machine only.
        """
        self.assertEqual(edgeArguments(COMMAND), ["--port", "127.0.0.1:0", *APP])
        self.assertEqual(edgeArguments(COMMAND[1:]), ["--port", "127.0.0.1:0", *APP])

    def test_port(self) -> None:
        """
        A number is a port on this machine only; anything else is as the edge
        takes it.
        """
        for given, expected in (
            (["--port", "81"], ["--port", "127.0.0.1:81"]),
            (["-p", "81"], ["-p", "127.0.0.1:81"]),
            (["--port=81"], ["--port=127.0.0.1:81"]),
            (["--port", "*:81"], ["--port", "*:81"]),
            (["--tls-port", "81"], ["--tls-port", "81"]),
        ):
            self.assertEqual(edgeArguments([*given, *COMMAND]), [*expected, *APP])

    def test_options(self) -> None:
        """
        Options of the edge are passed on, also those whose value is a number.
        """
        self.assertEqual(
            edgeArguments(["--max-instances", "2", *COMMAND]),
            ["--port", "127.0.0.1:0", "--max-instances", "2", *APP],
        )

    def test_dashes(self) -> None:
        """
        The first C{--} ends the options; others belong to the app.
        """
        arguments = edgeArguments(["--", "sh", "--", "{port}"])
        self.assertEqual(arguments[-1], "app: -- sh -- '{port}'")

    def test_noCommand(self) -> None:
        """
        The command is required, and must exist.
        """
        for given in ([], ["--"], ["--port", "81"], ["--", "no-such-program"]):
            self.assertRaises(Failure, edgeArguments, given)
        self.assertIn("is needed after --", ran("run").err)
        self.assertEqual(
            ran("run", "--", "no-such-program").err,
            "brxy: cannot run 'no-such-program': no such executable on PATH\n",
        )

    def test_help(self) -> None:
        """
        C{--help} says what it does.
        """
        self.assertIn("usage: brxy run [--port PORT]", ran("run", "--help").out)
