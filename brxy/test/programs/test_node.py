"""
Tests of C{twistd brxy-node} with real processes: how a node, its app and its
edge end.
"""

from __future__ import annotations

import json
import os
import re
import signal
from functools import partial

from twisted.internet.defer import Deferred

from brxy.processes.ports import PORTS
from brxy.test.support.processes.programs import PYTHON, TWISTD, Answer, Program, ProgramTests


class NodeTests(ProgramTests):
    """
    Tests of a node on its own, at an edge that starts nothing.
    """

    def setUp(self) -> None:
        super().setUp()
        self.nodes = f"unix:{self.folder}/nodes"
        self.clients = f"unix:{self.folder}/clients"
        (self.folder / "token").write_text("right\n")

    async def _edge(self, *arguments: str) -> Program:
        """
        Start an edge with fixed ports, for nodes with the right token.
        """
        places = ("--port", self.clients, "--node-port", self.nodes, "--token-file", "token")
        edge = self.start(PYTHON, "-m", "brxy.edge", *places, *arguments)
        await self.listening(self.clients)
        return edge

    def _node(self, *arguments: str, token: str = "right", **environ: str) -> Program:
        environ["BRXY_TOKEN"] = token
        return self.start(PYTHON, "-m", "brxy.node", "--edge", self.nodes, *arguments, **environ)

    async def test_environment(self) -> None:
        """
        The app gets PORT, HOST and ROUTE, and none of brxy's variables.
        """
        await self._edge()
        self._node("--", *self.gate().split(), ROUTE="example.com")
        answer = await self.get(self.clients, "/env", "example.com")
        environ = json.loads(answer.body)
        self.assertEqual((environ["HOST"], environ["ROUTE"]), ("127.0.0.1", "example.com"))
        self.assertTrue(environ["PORT"].isdigit())
        self.assertEqual([name for name in environ if name.startswith("BRXY_")], [])
        self.assertNotIn("right", answer.body)

    async def test_placeholders(self) -> None:
        """
        An app that does not read PORT gets it as an argument. It counts as
        ready when C{--ready-path} answers.
        """
        await self._edge()
        (self.folder / "ready").write_text("yes\n")
        node = self._node(
            *("--ready-path", "/ready", "--"),
            *("python", "-m", "http.server", "--bind", "{host}", "{port}"),
        )
        answer = await self.get(self.clients, "/ready")
        self.assertEqual((answer.status, answer.body), (200, "yes\n"))
        self.assertIn('"GET /ready HTTP/1.1" 200', node.out + node.err)

    async def test_notReady(self) -> None:
        """
        While C{--ready-path} answers 404, an app gets no requests. SIGTERM
        ends its node all the same.
        """
        edge = await self._edge()
        node = self._node(
            *("--ready-path", "/ready", "--"),
            *("python", "-m", "http.server", "--bind", "{host}", "{port}"),
        )
        await self.until(lambda: node.err.count('"GET /ready HTTP/1.1" 404') > 2)
        self.assertNotIn("dialled in", edge.out)
        node.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(node), -signal.SIGTERM)
        self.assertNotIn("Traceback", node.out)
        self.assertEqual(self.running(), [edge.pid])

    async def test_appPort(self) -> None:
        """
        With C{--app-port} the app listens on the given port, and with C{--app}
        a second node serves the app that runs there.
        """
        await self._edge()
        port = str(PORTS.take())
        self.addCleanup(PORTS.release, int(port))
        self._node("--app-port", port, "--route", "a", "--", *self.gate().split())
        environ = json.loads((await self.get(self.clients, "/env", "a")).body)
        self.assertEqual(environ["PORT"], port)
        second = self._node("--app", f"127.0.0.1:{port}", "--route", "b")
        answer = await self.get(self.clients, "/env", "b")
        self.assertEqual(json.loads(answer.body), environ)
        second.signal(signal.SIGTERM)
        self.assertEqual(await self.ended(second), -signal.SIGTERM)
        self.assertEqual((await self.get(self.clients, "/env", "a")).status, 200)

    async def test_appComesAndGoes(self) -> None:
        """
        A node with C{--app} stands ready while the app is there: a client that comes
        before the app, or after it has gone, is held until it is back.
        """
        edge = await self._edge()
        port = PORTS.take()
        self.addCleanup(PORTS.release, port)
        node = self._node("--app", f"localhost:{port}")
        held = self.get(self.clients, "/env")
        await self.said(node, f"waiting until the app at localhost:{port} answers")
        self.assertNotIn("dialled in", edge.out)
        for times in (1, 2):
            app = self.start(*self.gate().split(), PORT=str(port))
            self.assertEqual((await held).status, 200)
            app.signal(signal.SIGTERM)
            await self.ended(app)
            held = self.get(self.clients, "/env")
            await self.until(partial(self._lost, node, times))
        self.assertNoResult(held)
        self.assertEqual(node.out.count(f"default: the app answers at localhost:{port}"), 2)
        held.addErrback(lambda failure: None)

    def _lost(self, node: Program, times: int) -> bool:
        return node.out.count("cannot be reached any more") == times

    async def test_appExits(self) -> None:
        """
        When the app ends, its client's exchange ends, and its node exits with
        the app's status.
        """
        edge = await self._edge("--retries", "0")
        node = self._node("--", *self.gate().split())
        self.assertEqual((await self.get(self.clients, "/exit")).status, 502)
        self.assertEqual(await self.ended(node), 7)
        self.assertIn("the app ended by itself: exit status 7", node.out)
        self.assertNotIn("Traceback", node.out + edge.out)
        self.assertEqual(self.running(), [edge.pid])

    async def test_appKilled(self) -> None:
        """
        When a signal kills the app, the node exits with the status that a
        shell would report.
        """
        node = self._node("--", *self.gate().split())
        await self.said(node, "the app answers at")
        (app,) = set(self.running()) - {node.pid}
        os.kill(app, signal.SIGKILL)
        self.assertEqual(await self.ended(node), 128 + signal.SIGKILL)
        self.assertIn("the app ended by itself: killed by SIGKILL", node.out)

    async def test_nodeKilled(self) -> None:
        """
        kill -9 of a node leaves no app running.
        """
        node = self._node("--", *self.gate().split())
        await self.said(node, "the app answers at")
        self.assertEqual(len(self.running()), 2)
        node.signal(signal.SIGKILL)
        await self.until(lambda: not self.running())

    async def _asked(self, *arguments: str) -> tuple[Program, Program, Deferred[Answer]]:
        """
        @return: an edge, a node whose app runs a request, and the answer.
        """
        edge = await self._edge()
        node = self._node(*arguments, "--", *self.gate().split())
        answer = self.get(self.clients)
        await self.said(node, "asked")
        return edge, node, answer

    async def test_drains(self) -> None:
        """
        After SIGTERM a node lets its app finish its requests.
        """
        edge, node, answer = await self._asked()
        node.signal(signal.SIGTERM)
        await self.said(node, r"waiting for exchanges to finish \(1\)")
        self.openGate()
        self.assertEqual((await answer).status, 200)
        self.assertEqual(await self.ended(node), -signal.SIGTERM)
        self.assertNotIn("Traceback", node.out + edge.out)
        self.assertEqual(self.running(), [edge.pid])

    async def test_drainTimeout(self) -> None:
        """
        C{--drain-timeout} limits how long a node waits for that.
        """
        edge, node, answer = await self._asked("--drain-timeout", "0.2")
        node.signal(signal.SIGTERM)
        await self.said(node, r"no longer waiting for exchanges \(1\)")
        self.assertEqual(await self.ended(node), -signal.SIGTERM)
        self.assertNotIn("Traceback", node.out + edge.out)
        self.assertEqual(self.running(), [edge.pid])
        # The edge offers the request to the next node that connects.
        self.openGate()
        self._node("--", *self.gate().split())
        self.assertEqual((await answer).status, 200)

    async def test_standardInput(self) -> None:
        """
        With C{--exit-on-stdin-eof} a node and its app end when its standard
        input does.
        """
        edge = await self._edge()
        node = self._node("--exit-on-stdin-eof", "--", *self.gate().split())
        self.assertEqual((await self.get(self.clients, "/env")).status, 200)
        node.closeInput()
        self.assertEqual(await self.ended(node), 0)
        self.assertNotIn("Traceback", node.out)
        self.assertEqual(self.running(), [edge.pid])

    async def test_comesBack(self) -> None:
        """
        A node outlives its edge, and serves for the next one. When that edge
        has died and the app ends too, the node ends.
        """
        edge = await self._edge()
        node = self._node("--", *self.gate().split())
        self.assertEqual((await self.get(self.clients, "/env")).status, 200)
        edge.signal(signal.SIGKILL)
        await self.ended(edge)
        edge = await self._edge()
        self.assertEqual((await self.get(self.clients, "/env")).status, 200)
        edge.signal(signal.SIGKILL)
        await self.ended(edge)
        (app,) = set(self.running()) - {node.pid}
        os.kill(app, signal.SIGTERM)
        self.assertEqual(await self.ended(node), 128 + signal.SIGTERM)
        self.assertNotIn("Traceback", node.out)
        self.assertEqual(self.running(), [])

    async def test_wrongToken(self) -> None:
        """
        A node with a wrong token logs the refusal once and keeps trying, and
        the edge logs it as well. Another node with the right token serves.
        """
        edge = await self._edge()
        node = self._node("--", *self.gate().split(), token="wrong")
        await self.said(node, "retrying\n")
        self.assertEqual(edge.out.count("its token is not the edge's"), 1)
        lines = [line for line in node.out.splitlines() if "token" in line]
        self.assertEqual(len(lines), 1, node.out)
        self.assertIn("its token is not the edge's, or is for another route; retrying", lines[0])
        self._node("--token-file", "token", "--", *self.gate().split(), token="wrong")
        self.assertEqual((await self.get(self.clients, "/env")).status, 200)
        self.assertNotIn("Traceback", node.out + edge.out)

    async def test_nothingStarted(self) -> None:
        """
        With an invalid command line no app is started, not even early.
        """
        command = ("--", "touch", "started")
        for arguments in (("--capacity", "0"), ("--nonsense", "1"), ("--app-port", "x")):
            for program in ((PYTHON, "-m", "brxy.node"), (TWISTD, "-n", "brxy-node")):
                node = self.start(*program, *arguments, *command)
                self.assertEqual(await self.ended(node), 1)
                self.assertTrue(node.err.startswith("brxy-node: "), node.err)
                self.assertEqual(node.err.count("\n"), 1, node.err)
        self.assertFalse((self.folder / "started").exists())

    async def test_stoppedEarly(self) -> None:
        """
        A node that is stopped as soon as its app runs, before the node itself
        has started completely, stops the app as well.
        """
        for number in (signal.SIGTERM, signal.SIGINT):
            node = self._node("--", "sh", "-c", "echo up > up; exec sleep 1000")
            up = self.folder / "up"
            await self.until(up.exists)
            up.unlink()
            await self.stopped(node, number)

    async def test_endsEarly(self) -> None:
        """
        An app that ends before its node has started completely ends the node.
        """
        node = self._node("--", "sh", "-c", "echo bad >&2; exit 7")
        self.assertEqual(await self.ended(node), 7)
        self.assertIn("the app ended by itself: exit status 7: bad", node.out)

    async def test_inAnotherFolder(self) -> None:
        """
        An app runs in the folder that twistd was given, so it is not started
        before twistd has changed to it.
        """
        (self.folder / "apart").mkdir()
        node = self.start(TWISTD, "-n", "--rundir", "apart", "brxy-node", "--", "pwd")
        self.assertEqual(await self.ended(node), 0)
        self.assertEqual(re.findall("^/.*", node.out, re.MULTILINE), [f"{self.folder}/apart"])
