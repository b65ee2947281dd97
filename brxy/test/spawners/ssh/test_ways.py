"""
Tests of the ways that C{ssh:} takes to a host: over a cable that is cut, through
another host, and with a key that only an agent has.
"""

from __future__ import annotations

import os
import signal
import subprocess

from brxy.test.support.loopback.leftovers import DIES_WITH_US
from brxy.test.support.processes.netlinks import MISSING, Elsewhere
from brxy.test.support.processes.programs import ANYWHERE, TWISTD
from brxy.test.support.processes.sshd import Sshd
from brxy.test.support.processes.sshedges import SshEdgeTests

__all__ = ["AgentTests", "CableTests", "JumpTests"]


class CableTests(SshEdgeTests):
    """
    The host is another machine.
    """

    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        self.elsewhere = Elsewhere(53)
        # After all that runs there.
        self.addCleanup(self.elsewhere.end)
        super().setUp()
        where = self.elsewhere.address, self.elsewhere.within()
        self.sshd = Sshd(self.folder, self.mark, "elsewhere", *where)

    async def test_cut(self) -> None:
        """
        A cable that is cut without any report is noticed within 20 s: that is
        said once for each instance, and clients get an answer.  When it is mended
        all is well, and nothing is left over there of what was lost.
        """
        edge, address = await self.launch(connect_timeout="1")
        folder = self.way(await self.ask(address))
        before = self.theirs(edge)
        self.elsewhere.cut()
        start = self.reactor.seconds()
        pattern = r"gone: (the connection was lost: .*)\n"
        reason = (await self.said(edge, pattern))[1]
        self.assertLess(self.reactor.seconds() - start, 25)
        where = f"server {self.elsewhere.address} not responding"
        self.assertEqual(reason, f"the connection was lost: Timeout, {where}")
        self.assertEqual(edge.out.count("the connection was lost"), 1)
        self.assertEqual((await self.ask(address)).status, 503)
        self.elsewhere.mend()
        while (await self.ask(address)).status == 503:
            await self.pause(0.2)
        await self.gone(*before)
        self.assertFalse(folder.exists())
        await self.stopped(edge)


class JumpTests(SshEdgeTests):
    """
    The host is reached through another (C{ProxyJump}).
    """

    async def test_jump(self) -> None:
        """
        It is as if it were reached at once; and when the one between is lost, that
        is said.
        """
        jump = Sshd(self.folder, self.mark, "jump")
        self.addCleanup(jump.kill)
        jump.start()
        with open(self.sshd.config, "a") as file, open(jump.config) as other:
            file.write(other.read().replace("Host web1 web2 web3", "Host jump"))
            file.write("Host web1\n    ProxyJump jump\n")
        edge, address = await self.launch()
        self.assertEqual((await self.ask(address)).status, 200)
        [session] = jump.sessions()
        os.kill(session, signal.SIGKILL)
        await self.said(edge, "gone: the connection was lost: ")
        self.assertEqual((await self.ask(address)).status, 200)
        jump.kill()
        await self.until(lambda: edge.out.count("gone: the connection was lost: ") == 2)
        self.assertEqual((await self.ask(address)).status, 503)
        await self.said(edge, f"web1: connect to host 127.0.0.1 port {jump.port}: ")
        await self.stopped(edge)


class AgentTests(SshEdgeTests):
    """
    The key is in an agent, and in no file.
    """

    async def test_agent(self) -> None:
        """
        The edge's own environment says where the agent is; without it the host is
        closed.
        """
        folder = self.sshd.folder
        socket = str(folder / "agent")
        agent = subprocess.Popen(
            [*DIES_WITH_US, "ssh-agent", "-D", "-a", socket], stdout=subprocess.DEVNULL
        )
        self.addCleanup(agent.wait)
        self.addCleanup(agent.kill)
        await self.listening(f"unix:{socket}")
        environment = {**os.environ, "SSH_AUTH_SOCK": socket}
        subprocess.run(["ssh-add", "-q", str(folder / "user_key")], env=environment, check=True)
        os.unlink(folder / "user_key")
        config = (folder / "config").read_text()
        lines = [each for each in config.splitlines(True) if "Identit" not in each]
        (folder / "config").write_text("".join(lines))
        self.sshd.start()
        for where, status in (("", 503), (socket, 200)):
            ports = ("--port", ANYWHERE, "--node-port", ANYWHERE)
            edge = self.start(
                *(TWISTD, "-n", "brxy-edge", *ports, "--spawn", self.node()), SSH_AUTH_SOCK=where
            )
            self.assertEqual((await self.ask(await self.address(edge))).status, status, edge.out)
            self.assertEqual("Permission denied" in edge.out, status == 503)
            await self.stopped(edge)
