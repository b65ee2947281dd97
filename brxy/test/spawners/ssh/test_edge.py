"""
Tests of C{ssh:} by real edges, a real sshd and real nodes.
"""

from __future__ import annotations

import json
import os
import signal

from twisted.internet.defer import Deferred, gatherResults

from brxy.test.support.processes.programs import ANYWHERE, TWISTD
from brxy.test.support.processes.sshedges import SshEdgeTests, words

__all__ = ["EndingTests", "HostileTests", "OutageTests", "ServingTests"]


class ServingTests(SshEdgeTests):
    """
    From zero and back to zero.
    """

    async def test_four(self) -> None:
        """
        Four requests at once are answered by four instances on the host; when
        these were idle they go, and with the edge goes all the rest.
        """
        edge, address = await self.launch(
            *("--capacity", "1", "--idle-timeout", "0.5", "--old-idle-timeout", "0.5")
        )
        asked = gatherResults([self.ask(address, "/") for _ in range(4)])
        await self.until(lambda: edge.out.count("asked /") == 4)
        self.openGate()
        answers = await asked
        self.assertEqual([answer.status for answer in answers], [200] * 4)
        self.assertEqual(len({json.loads(answer.body)["PORT"] for answer in answers}), 4)
        self.assertEqual(len(self.sshd.sessions()), 1)
        folder = self.way(answers[0])
        self.assertEqual(folder.stat().st_mode & 0o777, 0o700)
        await self.until(lambda: edge.out.count("gone: exit status 0") >= 4)
        self.assertEqual((await self.ask(address)).status, 200)
        await self.stopped(edge)
        self.assertFalse(folder.exists())
        self.assertEqual([*self.folder.glob("brxy-ssh-*")], [])

    async def test_noise(self) -> None:
        """
        The shell of the user may print what it likes, without the end of a line too.
        """
        noise = "printf '\\033]0;title\\007'; printf noise; printf noise >&2\n"
        (self.sshd.folder / "home" / ".bashrc").write_text(noise)
        edge, address = await self.launch()
        self.assertEqual((await self.ask(address)).status, 200, edge.out)
        await self.stopped(edge)

    async def test_unixNodePort(self) -> None:
        """
        The node port may be a unix socket; a route arrives as it is, and a token
        that no command line shows.
        """
        self.sshd.start()
        spawn = self.node()
        ports = ("--port", ANYWHERE, "--node-port", "unix:nodes")
        edge = self.start(TWISTD, "-n", "brxy-edge", *ports, "--spawn", spawn)
        await self.listening("unix:nodes")
        answer = await self.ask(await self.address(edge), host="a_b.x-1.example")
        self.assertEqual(json.loads(answer.body)["ROUTE"], "a_b.x-1.example")
        self.assertEqual(answer.status, 200, edge.out)
        given = [word for pid in self.running() for word in words(pid, "environ")]
        [token] = {word for word in given if word.startswith(b"BRXY_TOKEN=")}
        for pid in self.running():
            said = b" ".join(words(pid, "cmdline"))
            self.assertNotIn(token.partition(b"=")[2], said)
        await self.stopped(edge)


class EndingTests(SshEdgeTests):
    """
    Whatever dies, nothing is left over there.
    """

    async def test_edgeKilled(self) -> None:
        """
        The edge is killed.
        """
        edge, address = await self.launch()
        folder = self.way(await self.ask(address))
        edge.signal(signal.SIGKILL)
        await self.until(lambda: not self.running() and not folder.exists())
        await self.until(lambda: not self.sshd.sessions())
        # No socket is left here either.
        self.assertEqual([*self.folder.glob("brxy-ssh-*/*")], [])

    async def test_clientKilled(self) -> None:
        """
        The ssh of one instance is killed: the others go on.
        """
        edge, address = await self.launch("--capacity", "1", "--idle-timeout", "1000")
        asked = gatherResults([self.ask(address, "/") for _ in range(2)])
        await self.until(lambda: edge.out.count("asked /") == 2)
        self.openGate()
        await asked
        before = self.theirs(edge)
        os.kill(self.ssh(edge, master=False)[0], signal.SIGKILL)
        await self.said(edge, "gone: its ssh was killed by SIGKILL")
        await self.until(lambda: len(self.theirs(edge)) < len(before))
        self.assertEqual(len(self.ssh(edge, master=False)), 1)
        self.assertEqual((await self.ask(address)).status, 200)
        await self.stopped(edge)

    async def test_masterKilled(self) -> None:
        """
        The ssh that holds the connection is killed: the next order makes
        another.
        """
        edge, address = await self.launch()
        folder = self.way(await self.ask(address))
        os.kill(self.ssh(edge, master=True)[0], signal.SIGKILL)
        await self.said(edge, "gone: the connection was lost: ssh was killed by SIGKILL")
        await self.until(lambda: not self.theirs(edge) and not folder.exists())
        self.assertEqual((await self.ask(address)).status, 200)
        await self.stopped(edge)


class OutageTests(SshEdgeTests):
    """
    The sshd dies.
    """

    async def test_outage(self) -> None:
        """
        Without its sshd a connection lives on.  When that is lost too, its
        instances end over there, and orders fail; they succeed again when the
        sshd is back.
        """
        edge, address = await self.launch()
        folder = self.way(await self.ask(address))
        sessions = self.sshd.stopListening()
        self.assertEqual((await self.ask(address)).status, 200)
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        # How ssh says so depends on whether it had something to send.
        await self.said(edge, r"gone: the connection was lost: \S")
        await self.until(lambda: not self.theirs(edge) and not folder.exists())
        self.assertEqual((await self.ask(address)).status, 503)
        await self.said(edge, r"web1: connect to host 127.0.0.1 port \d+: Connection refused")
        self.sshd.start()
        while (await self.ask(address)).status == 503:
            await self.pause(0.2)
        self.assertEqual((await self.ask(address)).status, 200)
        await self.stopped(edge)

    async def test_underLoad(self) -> None:
        """
        The same while clients make requests all the time.  As long as the connection lives
        each is served.  Then each has an answer still, orders are not made for
        each of them, and when the sshd is back all are served again.
        """
        edge, address = await self.launch()
        await self.ask(address)
        statuses: list[int] = []
        asking = True

        async def load() -> None:
            while asking:
                statuses.append((await self.ask(address)).status)
                await self.pause(0.01)

        loads = [Deferred.fromCoroutine(load()) for _ in range(4)]
        sessions = self.sshd.stopListening()
        statuses.clear()
        await self.until(lambda: len(statuses) >= 100)
        self.assertEqual(set(statuses), {200})
        for pid in sessions:
            os.kill(pid, signal.SIGKILL)
        await self.said(edge, "gone: the connection was lost")
        await self.said(edge, "Connection refused")
        await self.until(lambda: statuses.count(503) >= 300)
        self.assertLessEqual(set(statuses), {200, 502, 503})
        self.assertLess(edge.out.count("Connection refused"), 30)
        self.sshd.start()
        await self.until(lambda: statuses[-50:] == [200] * 50)
        asking = False
        await gatherResults(loads)
        await self.stopped(edge)
        self.assertNotIn("Traceback", edge.out)


class HostileTests(SshEdgeTests):
    """
    Hosts that would like to be a command.
    """

    async def test_hosts(self) -> None:
        """
        They are refused, and nothing is started.
        """
        edge, address = await self.launch()
        long = "a" * 300
        for host in ("$(touch /x)", "a;b", "../..", "-rf", long, "b\u00fccher", "*", "a b", "`x`"):
            answer = await self.ask(address, host=host)
            self.assertIn(answer.status, (400, 404), host)
        self.assertNotIn("ordered", edge.out)
        self.assertEqual(self.sshd.sessions(), [])
        await self.stopped(edge)
