"""
Tests of the command C{brxy} with real processes.
"""

from __future__ import annotations

import signal

from brxy.test.support.processes.programs import ANYWHERE, DEMO, PYTHON, Program, ProgramTests

__all__ = ["RunTests"]

_BRXY = (PYTHON, "-m", "brxy.ctl")


class RunTests(ProgramTests):
    """
    Tests of the commands that run programs.
    """

    def brxy(self, *arguments: str) -> Program:
        """
        Start a command.
        """
        return self.start(*_BRXY, *arguments)

    async def _serves(self, address: str) -> None:
        answer = await self.get(address)
        self.assertEqual(answer.status, 200, answer)
        self.assertIn("Hello from process", answer.body)

    async def test_run(self) -> None:
        """
        C{brxy run} prints nothing but its URL, where the app answers, and logs
        on standard error. Ctrl-C stops the edge and the app.
        """
        edge = self.brxy("run", "--", "python", DEMO)
        url = await self.said(edge, r"\Ahttp://127\.0\.0\.1:(\d+)\n")
        await self._serves(f"tcp:127.0.0.1:{url[1]}")
        self.assertEqual(len(self.running()), 2)
        edge.signal(signal.SIGINT)
        self.assertEqual(await self.ended(edge), -signal.SIGINT)
        await self.until(lambda: not self.running())
        self.assertEqual(edge.out, url[0])
        self.assertIn(": ready after ", edge.err)

    async def test_onScreen(self) -> None:
        """
        On a terminal the URL comes first, and the log follows as people read
        it. Ctrl-C is typed there.
        """
        screen = self.startOnScreen(*_BRXY, "run", "--", "python", DEMO, TERM="xterm")
        await self.until(lambda: "listening on http://127.0.0.1:" in screen.plain)
        self.assertRegex(screen.plain.lstrip(), r"\Ahttp://127\.0\.0\.1:\d+\r\n")
        screen.type("\x03")
        await self.until(lambda: screen.status is not None)
        self.assertEqual(screen.status, -signal.SIGINT)

    async def test_programs(self) -> None:
        """
        C{brxy edge} and C{brxy node} are the edge and the node.
        """
        node = f"{' '.join(_BRXY)} node -- python {DEMO}"
        ports = ("--port", ANYWHERE, "--node-port", ANYWHERE)
        edge = self.brxy("edge", *self.on, *ports, "--spawn", node)
        await self._serves(await self.address(edge))
        self.assertIn(" dialled in\n", edge.out)
        await self.stopped(edge)

    async def test_certificates(self) -> None:
        """
        C{brxy pki} makes certificates.
        """
        made = self.brxy("pki", "init", "ca")
        self.assertEqual((await self.ended(made), made.err), (0, ""))
        self.assertEqual(made.out, "ca/ca.pem ca/ca.key\n")
        wrong = self.brxy("pki", "issue", "nowhere", "edge.example.net")
        self.assertEqual(await self.ended(wrong), 1)
        self.assertIn("nowhere/ca.pem: No such file or directory", wrong.err)
