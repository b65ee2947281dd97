"""
Tests of which nodes an edge accepts, with real processes and OpenSSL's own
client.
"""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from brxy.program.tokenfile import readToken
from brxy.test.support.loopback.papers import Papers
from brxy.test.support.processes.programs import ANYWHERE, PYTHON, TWISTD, Program, ProgramTests

_TLS = r"SlotFactory \(TLS\)"


class TokenTests(ProgramTests):
    """
    Tests of tokens.
    """

    async def test_shared(self) -> None:
        """
        The edge makes a token that only its user can read. A node with it
        serves, and one without is refused. Each side logs that in one line,
        and neither logs the token.
        """
        token = ("--token-file", "token")
        edge = self.edge(*token)
        place = ("--edge", await self.address(edge, "SlotFactory"))
        path = self.folder / "token"
        self.assertEqual(path.stat().st_mode & 0o777, 0o600)
        app = ("--", *self.gate().split())
        stranger = self.start(PYTHON, "-m", "brxy.node", *place, "--route", "a", *app)
        why = "a node must bring a token: give it the edge's --token-file"
        await self.said(
            stranger, f"the edge at {place[1]} refuses this node: {re.escape(why)}; retrying"
        )
        node = self.start(PYTHON, "-m", "brxy.node", *place, *token, *app)
        answer = await self.get(await self.address(edge), "/env")
        self.assertEqual(answer.status, 200)
        secret = readToken(str(path))
        for program in (edge, node, stranger):
            self.assertNotIn(secret, program.out + program.err)
        self.assertNotIn(secret, answer.body)
        for pid in self.running():
            self.assertNotIn(secret, Path(f"/proc/{pid}/cmdline").read_text())
        self.assertEqual(edge.out.count("refused a node from 127.0.0.1: "), 1)
        self.assertEqual(edge.out.count(why), 1)
        self.assertEqual(stranger.out.count(why), 1)

    async def test_open(self) -> None:
        """
        An edge does not start with an unencrypted port that other machines can
        reach.
        """
        edge = self.start(TWISTD, "-n", "brxy-edge", "-p", ANYWHERE, "--node-port", "tcp:0")
        self.assertEqual(await self.ended(edge), 1)
        self.assertEqual(
            edge.err,
            "brxy-edge: --node-port tcp:0 can be reached from elsewhere: give --node-tls-cert"
            " and --node-tls-key, or --insecure-node-port if its network is private\n",
        )
        self.assertNotIn("Traceback", edge.out)


class CertificateTests(ProgramTests):
    """
    Tests of TLS.
    """

    def setUp(self) -> None:
        super().setUp()
        self.papers = Papers(str(self.folder))

    async def launch(self, *arguments: str) -> Program:
        """
        Start an edge, and have a certificate for a node.
        """
        self.papers.issue("edge", "localhost", "127.0.0.1")
        self.papers.issue("web1")
        files = ("--node-tls-cert", "edge.pem", "--node-tls-key", "edge.key")
        edge = self.edge(*files, "--node-tls-ca", "ca.pem", *arguments)
        self.place = await self.address(edge, _TLS)
        return edge

    def node(self, name: str, *arguments: str, **environ: str) -> Program:
        """
        Start a node with the certificate of this name.
        """
        files = ("--edge-tls-cert", f"{name}.pem", "--edge-tls-key", f"{name}.key")
        tls = ("--edge-tls-ca", "ca.pem", *files)
        app = ("--", *self.gate().split())
        dial = ("--edge", self.place, *tls, *arguments)
        return self.start(PYTHON, "-m", "brxy.node", *dial, *app, **environ)

    def client(self, *arguments: str) -> Program:
        """
        Connect with C{openssl s_client}.
        """
        port = self.place.rpartition(":")[2]
        to = ("-connect", f"127.0.0.1:{port}", "-CAfile", "ca.pem", "-ign_eof")
        return self.start("openssl", "s_client", *to, *arguments)

    async def shake(self, *arguments: str) -> str:
        """
        @return: all output of C{openssl} until the connection is closed.
        """
        client = self.client(*arguments)
        await self.ended(client)
        return client.out + client.err

    async def test_mutual(self) -> None:
        """
        A node serves the routes that C{--node-allow} gives it, and no other. A
        node whose certificate another CA has issued serves nothing.
        """
        edge = await self.launch("--node-allow", "web1=a.example")
        Papers(str(self.folder / "other")).issue("web1")
        self.node("web1", "--route", "a.example")
        answer = await self.get(await self.address(edge), "/env", "a.example")
        self.assertEqual(answer.status, 200)
        for node, at_edge, at_node in (
            (
                self.node("web1", "--route", "b.example"),
                "no --node-allow lets it serve b.example",
                f"the edge at {self.place} refuses this node: no --node-allow lets it serve "
                "b.example",
            ),
            (
                self.node("other/web1", "--route", "a.example"),
                "its certificate is of no authority that is trusted here",
                f"no connection to the edge at {self.place}: TLS: the other side says: unknown ca",
            ),
            (
                self.node("web1", "--edge-tls-name", "other.example"),
                "TLS: the other side says: ",
                f"no connection to the edge at {self.place}: its certificate is not for "
                "other.example",
            ),
        ):
            await self.said(edge, f"refused a node from 127.0.0.1: {at_edge}")
            await self.said(node, f"{at_node}; retrying")
            self.assertEqual(node.out.count("retrying"), 1)
            self.assertNotIn("Traceback", node.out)
        self.assertEqual(edge.out.count("refused a node from"), 3)
        self.assertNotIn("Traceback", edge.out)

    async def test_spawned(self) -> None:
        """
        A node that the edge spawns by C{process:} gets its certificate files
        from the edge's own environment, and its token as well.
        """
        command = f"{PYTHON} -m brxy.node -- {self.gate()}"
        self.papers.issue("edge", "127.0.0.1")
        edge = self.start(
            *(TWISTD, "-n", "brxy-edge", "-p", ANYWHERE, "--node-port", ANYWHERE),
            *("--node-tls-cert", "edge.pem", "--node-tls-key", "edge.key"),
            *("--spawn", command),
            BRXY_EDGE_TLS_CA="ca.pem",
        )
        answer = await self.get(await self.address(edge), "/env")
        self.assertEqual(answer.status, 200)
        self.assertNotIn("BRXY_", answer.body)
        await self.stopped(edge)

    async def test_openssl(self) -> None:
        """
        The port speaks TLS 1.3 and nothing older. A client without a
        certificate is refused. A client that has one and does not speak the
        slot protocol is disconnected.
        """
        edge = await self.launch()
        self.assertIn("alert protocol version", await self.shake("-tls1_2"))
        self.assertIn("alert certificate required", await self.shake())
        own = ("-cert", "web1.pem", "-key", "web1.key")
        client = self.client(*own)
        await self.said(client, "Verify return code: 0 .ok.")
        client.say(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await self.ended(client)
        await self.said(edge, "refused a node from 127.0.0.1: [^T]")
        self.assertNotIn("Traceback", edge.out)
        await self.stopped(edge)

    async def test_renewed(self) -> None:
        """
        After SIGHUP the edge presents a new certificate, and nodes notice
        nothing.
        """
        edge = await self.launch()
        self.node("web1")
        address = await self.address(edge)
        self.assertEqual((await self.get(address, "/env")).status, 200)
        before = re.findall("subject=(.*)", await self.shake())
        renewed = self.papers.issue("renewed", "127.0.0.1")
        for path, name in zip(renewed, ("edge.pem", "edge.key"), strict=True):
            os.replace(path, self.folder / name)
        edge.signal(signal.SIGHUP)
        await self.said(edge, "reading certificates and tokens again")
        after = re.findall("subject=(.*)", await self.shake())
        self.assertEqual((before, after), (["CN = edge"], ["CN = renewed"]))
        self.assertEqual((await self.get(address, "/env")).status, 200)
        self.assertEqual(edge.out.count("dialled in"), 1)
        self.assertNotIn("Traceback", edge.out)
