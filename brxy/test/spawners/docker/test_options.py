"""
Tests of L{brxy.spawners.docker.options} and L{brxy.spawners.docker.dialback}.
"""

from __future__ import annotations

from pathlib import Path

from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.spawners.docker import spawner as docker
from brxy.spawners.docker.base import EngineFactory
from brxy.spawners.docker.dialback import DialBack, dialBack
from brxy.spawners.docker.options import ContainerOptions, memory
from brxy.spawners.registry import buildSpawner


class OptionTests(SynchronousTestCase):
    """
    Tests of the keys.
    """

    def test_bad(self) -> None:
        """
        What can't be is said in one line.
        """
        for spec, message in (
            ("docker: port=80", "docker: needs image="),
            ("docker: image=-rf", "bad value for image: '-rf' (the name of an image is needed"),
            ("docker: image=a port=0", "bad value for port: '0' (a whole number from 1 to 65535"),
            ("docker: image=a env=A", "bad value for env: 'A' (NAME=VALUE,NAME=VALUE is"),
            ("docker: image=a env-file=/none", "env-file: '/none' (No such file or directory)"),
            ("docker: image=a volume=/a", "(SOURCE:TARGET or SOURCE:TARGET:ro is needed"),
            ("docker: image=a volume=/a:/b:xx", "(SOURCE:TARGET or SOURCE:TARGET:ro is needed"),
            ("docker: image=a memory=1k", "bad value for memory: '1k' (6m is the least)"),
            ("docker: image=a memory=much", "(an amount is needed, as 512m or 2g)"),
            ("docker: image=a cpus=nan", "(a number of processors is needed, as 1.5)"),
            ("docker: image=a network=-a", "bad value for network: '-a' (a name is needed)"),
            ("docker: image=a user=..", "bad value for user: '..' (a name is needed)"),
            ("docker: image=a pull=often", "(missing, always or never is needed)"),
            ("docker: image=a edge=there", "bad value for edge: 'there' (it is not a client"),
            ("docker: image=a edge=ssl:a:1", "bad value for edge: 'ssl:a:1' (for TLS "),
            ("docker: image=a port=80 network=host", "which network=host has not"),
            ("swarm: image=a port=80", "swarm: does not know port="),
        ):
            error = self.assertRaises(BadSpawnSpec, buildSpawner, spec, Clock())
            self.assertIn(message, str(error))

    def test_memory(self) -> None:
        """
        Amounts have the usual units.
        """
        self.assertEqual(
            [memory(each) for each in ("8000000", "6144k", "6m", "6MB", "2g")],
            [8000000, 6 << 20, 6 << 20, 6 << 20, 2 << 30],
        )

    def test_environment(self) -> None:
        """
        A file counts for less than C{env=}, and that for less than what is ours.
        """
        path = Path(self.mktemp())
        path.write_text("# a comment\n\nA=1=2\nB=file\nC=file\n")
        options = ContainerOptions(image="a", env_file=str(path), env="B=b,C=c")
        self.assertEqual(options.environment({"C": "ours"}), ["A=1=2", "B=b", "C=ours"])
        path.write_text("A=1\nwhat")
        error = self.assertRaises(ValueError, ContainerOptions, image="a", env_file=str(path))
        self.assertEqual(str(error), "line 2 is no NAME=VALUE")

    def test_stopTimeout(self) -> None:
        """
        A node gets longer to end than an app, unless it is said.
        """
        options = ContainerOptions(image="a")
        self.assertEqual([options.stopTimeout(True), options.stopTimeout(False)], [10, 30])
        self.assertEqual(ContainerOptions(image="a", stop_timeout="0.5").stopTimeout(True), 1)

    def test_daemon(self) -> None:
        """
        Where the daemon is must be a place that can be reached.
        """
        for environ, message in (
            (
                {"DOCKER_HOST": "ssh://box"},
                "DOCKER_HOST 'ssh://box' is neither unix:///PATH nor tcp://HOST:PORT",
            ),
            (
                {"DOCKER_TLS_VERIFY": "1"},
                "docker: no TLS to the daemon (DOCKER_TLS_VERIFY); forward its socket by ssh",
            ),
        ):
            factory = EngineFactory(
                "docker", "", docker.DockerOptions, docker.DockerSpawner, environ
            )
            options = docker.DockerOptions(image="a")
            error = self.assertRaises(BadSpawnSpec, factory.create, options, (), Clock())
            self.assertEqual(str(error), message)


class DialBackTests(SynchronousTestCase):
    """
    Tests of L{dialBack}.
    """

    def test_told(self) -> None:
        """
        Options are used as given.
        """
        self.assertEqual(dialBack("tcp:127.0.0.1:1", "tcp:edge:2", False), DialBack("tcp:edge:2"))

    def test_network(self) -> None:
        """
        Loopback is the same only for a container on this machine's network.
        """
        for edge in ("tcp:127.0.0.1:9080", r"tcp:\:\:1:9080"):
            self.assertEqual(dialBack(edge, None, True), DialBack(edge))
            error = self.assertRaises(SpawnFailed, dialBack, edge, None, False)
            self.assertEqual(
                str(error),
                f"a node in a container can't reach the edge at {edge}: "
                "it needs --node-port unix:PATH, network=host or edge=",
            )
        self.assertEqual(dialBack("tcp:192.0.2.1:1", None, False), DialBack("tcp:192.0.2.1:1"))

    def test_socket(self) -> None:
        """
        The folder of a socket is mounted, which must be its own.
        """
        folder = Path(self.mktemp()).absolute()
        folder.mkdir()
        for name in ("a=b", "a=b.lock"):
            (folder / name).touch()
        self.assertEqual(
            dialBack(rf"unix:{folder}/a\=b", None, False),
            DialBack(r"unix:/run/brxy/a\=b", (f"{folder}:/run/brxy:ro",)),
        )
        (folder / "docker.sock").touch()
        error = self.assertRaises(SpawnFailed, dialBack, rf"unix:{folder}/a\=b", None, False)
        self.assertIn("needs a folder of its own", str(error))
        error = self.assertRaises(SpawnFailed, dialBack, "unix:/none/a", None, False)
        self.assertEqual(str(error), "/none: No such file or directory")
