"""
Tests of the command lines of OpenSSH's client, and of what its messages mean.
"""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from brxy.spawners.ssh.client import SshClient, explain, forwardTarget
from brxy.spawners.ssh.remote import HOLD, RUN

__all__ = ["ClientTests", "ExplainTests", "ForwardTargetTests"]


class ClientTests(SynchronousTestCase):
    """
    Tests of L{SshClient}.
    """

    def test_master(self) -> None:
        """
        It prompts for nothing, and has everything that was given.
        """
        argv = SshClient("web1", "deploy", 2222, "/key", "/config", 2.5).master("/c%h")
        self.assertEqual(argv[-3:], ["--", "web1", HOLD])
        line = " ".join(argv[:-1])
        for part in (
            "-S /c%%h",
            "-F /config",
            "-l deploy",
            "-p 2222",
            "-i /key",
            "-oIdentitiesOnly=yes",
            "-oBatchMode=yes",
            "-oConnectTimeout=3",
        ):
            self.assertIn(part, line)

    def test_others(self) -> None:
        """
        A client of the master can't connect by itself, and reads no
        configuration.
        """
        client = SshClient("web1", config="/config")
        for argv in (client.run("/c"), client.forward("/c", "/f/edge", "127.0.0.1:9080")):
            self.assertEqual(argv[:6], ["ssh", "-F", "none", "-S", "/c", "-oProxyCommand=false"])
        self.assertEqual(client.run("/c")[-1], RUN)
        self.assertIn("/f/edge:127.0.0.1:9080", client.forward("/c", "/f/edge", "127.0.0.1:9080"))


class ForwardTargetTests(SynchronousTestCase):
    """
    Tests of L{forwardTarget}.
    """

    def test_kinds(self) -> None:
        """
        TCP and unix sockets can be reached, wherever they are.
        """
        for endpoint, target in (
            ("tcp:127.0.0.1:9080", "127.0.0.1:9080"),
            ("tcp:\\:\\:1:9080", "[::1]:9080"),
            ("unix:/run/a\\:b%", "/run/a\\:b%%"),
            ("unix:nodes", "/here/nodes"),
        ):
            self.assertEqual(forwardTarget(endpoint, "/here"), target)

    def test_others(self) -> None:
        """
        Nothing else can.
        """
        for endpoint in ("tls:edge:9080", "tcp:9080", "unix:"):
            self.assertRaises(ValueError, forwardTarget, endpoint, "/")


class ExplainTests(SynchronousTestCase):
    """
    Tests of L{explain}.
    """

    def test_reasons(self) -> None:
        """
        The line that says most is the reason.
        """
        lost = "Connection closed by UNKNOWN port 65535"
        for lines, reason in (
            ([], "ssh gave no reason"),
            (["", lost], lost),
            (
                ["Welcome!", "u@h: Permission denied (publickey)."],
                "u@h: Permission denied (publickey)",
            ),
            (["ssh: Could not resolve hostname x: y"], "Could not resolve hostname x: y"),
            (
                ["connect to host a: b", "kex_exchange_identification: c", lost],
                "connect to host a: b",
            ),
            (["Host key verification failed."], "its host key is not in known_hosts"),
            (
                [
                    "@ WARNING: REMOTE HOST IDENTIFICATION HAS CHANGED! @",
                    "Host key verification failed.",
                ],
                "its host key is not the one in known_hosts",
            ),
        ):
            self.assertEqual(explain(lines), reason)
