"""
Tests of L{brxy.spawners.docker.options} and L{brxy.spawners.docker.dialback}.
"""

from __future__ import annotations

import json
import os
import shutil
import socket
import socketserver
import subprocess
import tempfile
from codecs import BOM_UTF8
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from threading import Thread
from typing import Any
from unittest import SkipTest

from twisted.internet.task import Clock
from twisted.logger import capturedLogs, formatEvent
from twisted.trial.unittest import SynchronousTestCase

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.processes.environment import environmentFile
from brxy.spawners.docker import spawner as docker
from brxy.spawners.docker.base import EngineFactory
from brxy.spawners.docker.dialback import DialBack, dialBack
from brxy.spawners.docker.engine import socketFault
from brxy.spawners.docker.options import ContainerOptions, memory
from brxy.spawners.registry import buildSpawner

#: An environment; the second of L{_BOTH} is not in it.
_ENVIRON = {"BRXY_THERE": "a b", "BRXY_EMPTY": ""}
_BOTH = ("BRXY_THERE", "BRXY_NOT_THERE")


class OptionTests(SynchronousTestCase):
    """
    Tests of the keys.
    """

    def test_noDaemon(self) -> None:
        """
        That no daemon is there is reported at the start.
        """
        path = os.path.abspath(self.mktemp())
        environ = {"DOCKER_HOST": f"unix://{path}"}
        factory = EngineFactory("docker", "", docker.DockerOptions, docker.DockerSpawner, environ)
        with capturedLogs() as logged:
            factory.create(docker.DockerOptions(image="a", port="80"), [], Clock())
        self.assertEqual(
            [formatEvent(event) for event in logged],
            [
                f"docker: no Docker daemon at unix://{path} (No such file or directory); every "
                "start fails until it is there; DOCKER_HOST may name another one"
            ],
        )
        with socket.socket(socket.AF_UNIX) as daemon:
            daemon.bind(path)
            daemon.listen()
            self.assertEqual(socketFault(f"unix://{path}"), "")
        self.assertEqual(socketFault(f"unix://{path}"), "Connection refused")
        self.assertEqual(socketFault("tcp://127.0.0.1:1"), "")

    def test_bad(self) -> None:
        """
        What can't be is said in one line.
        """
        for spec, message in (
            ("docker: port=80", "docker: needs image="),
            ("docker: image=-rf", "bad value for image: '-rf' (the name of an image is needed"),
            ("docker: image=a ready-path=/", "ready-path= needs port=; a node has --ready-path"),
            ("docker: image=a port=0", "bad value for port: '0' (a whole number from 1 to 65535"),
            ("docker: image=a env=A", "bad value for env: 'A' (NAME=VALUE,NAME=VALUE is"),
            ("docker: image=a env-file=/none", "env-file: '/none' (No such file or directory)"),
            ("docker: image=a volume=/a", "(SOURCE:TARGET or SOURCE:TARGET:ro is needed"),
            ("docker: image=a volume=/a:/b:xx", "(SOURCE:TARGET or SOURCE:TARGET:ro is needed"),
            ("docker: image=a memory=1k", "bad value for memory: '1k' (6m is the least)"),
            (
                "docker: image=a memory=much",
                "(a number of bytes, 0 or more, is needed, such as 1000, 64K",
            ),
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
        path.write_text("A=1\nwhat else")
        error = self.assertRaises(ValueError, ContainerOptions, image="a", env_file=str(path))
        self.assertEqual(str(error), "line 2 is neither NAME=VALUE nor NAME")

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


#: The variables that some contents of a file make, and L{None} for those that C{docker
#: run} refuses, with the environment of L{_ENVIRON}.
_FILES: tuple[tuple[bytes, Mapping[str, str] | None], ...] = (
    (b"", {}),
    (BOM_UTF8, {}),
    (BOM_UTF8 + b"A=1\n", {"A": "1"}),
    (BOM_UTF8 + b"# a comment\nA=1\n", {"A": "1"}),
    (BOM_UTF8 + BOM_UTF8 + b"A=1\n", {"\ufeffA": "1"}),
    (b"A=1\n" + BOM_UTF8 + b"B=2\n", {"A": "1", "\ufeffB": "2"}),
    (b"BRXY_THERE\nBRXY_EMPTY\nBRXY_NOT_THERE", {"BRXY_THERE": "a b", "BRXY_EMPTY": ""}),
    (b" \tBRXY_THERE\r\n", {"BRXY_THERE": "a b"}),
    (b"BRXY_THERE \n", None),
    (b"BRXY_THERE=\n", {"BRXY_THERE": ""}),
    (b"BRXY_THERE\nBRXY_THERE=2\n", {"BRXY_THERE": "2"}),
    (b"BRXY_THERE=2\nBRXY_NOT_THERE=2\nBRXY_NOT_THERE", {x: "2" for x in _BOTH}),
    (b"A= 1 \t\nB=2\r\nC=3\r\r\nD=4\r5\n", {"A": " 1 \t", "B": "2", "C": "3\r", "D": "4\r5"}),
    (b"A='1'\nB=\"2\" # 3\nC=$A\nD=\\n", {"A": "'1'", "B": '"2" # 3', "C": "$A", "D": "\\n"}),
    (b" \t\n\r\n\v\f\n  # a comment\n\tA=#1", {"A": "#1"}),
    ("\u00a0\u2028\x85A=\u00a01\u2028\x85\x0c2\n".encode(), {"A": "\u00a01\u2028\x85\x0c2"}),
    (b"\x1cA=1\n\x0b\x1f=2\n", {"\x1cA": "1", "\x1f": "2"}),
    (b"my-var.x=1\n2=3\n\xc3\xa4=\xc3\xb6\n", {"my-var.x": "1", "2": "3", "\u00e4": "\u00f6"}),
    (b"A =1\n", None),
    (b"A\tB=1\n", None),
    (b"export A=1\n", None),
    (b"=1\n", None),
    (b"=\n", None),
    (b"A=\xff\n", None),
    (b"# \xff\n", None),
    (b"A=1\n\xed\xa0\x80=2\n", None),
)


class EnvironmentFileTests(SynchronousTestCase):
    """
    Tests of L{environmentFile}.
    """

    def setUp(self) -> None:
        self.path = Path(self.mktemp())

    def test_files(self) -> None:
        """
        A file means what it means to C{docker run --env-file}.
        """
        for content, expected in _FILES:
            self.path.write_bytes(content)
            try:
                found = environmentFile(str(self.path), _ENVIRON)
            except ValueError as error:
                self.assertIsNone(expected, f"{content!r}: {error}")
            else:
                self.assertEqual(found, expected, content)

    def test_bad(self) -> None:
        """
        The message says which line is wrong.
        """
        for content, message in (
            (b"A=1\nexport B=2", "line 2 is neither NAME=VALUE nor NAME"),
            (b"\n\n=2", "line 3 is neither NAME=VALUE nor NAME"),
            (b"A=1\nB=\xff", "line 2 is not UTF-8"),
            # No process can have it: docker run fails later.
            (b"A=1\0", "line 1 is neither NAME=VALUE nor NAME"),
        ):
            self.path.write_bytes(content)
            error = self.assertRaises(ValueError, environmentFile, str(self.path))
            self.assertEqual(str(error), message)

    def test_process(self) -> None:
        """
        The environment is that of this process.
        """
        self.path.write_text("BRXY_THERE")
        os.environ["BRXY_THERE"] = "here"
        self.addCleanup(os.environ.pop, "BRXY_THERE")
        options = ContainerOptions(image="a", env_file=str(self.path))
        self.assertEqual(options.environment({}), ["BRXY_THERE=here"])

    def test_client(self) -> None:
        """
        Docker's own client sends the same variables to its daemon.
        """
        if shutil.which("docker") is None:
            raise SkipTest("needs docker")
        # The path of a socket must be short.
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        daemon = _Daemon(f"{folder.name}/socket")
        self.addCleanup(daemon.end)
        for content, expected in _FILES:
            self.path.write_bytes(content)
            self.assertEqual(daemon.environmentOf(self.path), expected, content)


class _Creation(BaseHTTPRequestHandler):
    """
    Answers the requests of C{docker create}.
    """

    protocol_version = "HTTP/1.1"
    server: _Daemon

    def do_HEAD(self) -> None:
        self._answer(200, b"")

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        self.server.received.append(json.loads(self.rfile.read(length))["Env"] or [])
        self._answer(201, b'{"Id": "1", "Warnings": []}')

    def _answer(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("API-Version", "1.41")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def address_string(self) -> str:
        return ""

    def log_message(self, format: str, *args: Any) -> None:
        pass


class _Daemon(socketserver.ThreadingUnixStreamServer):
    """
    Takes the place of Docker's daemon, to see what its client sends.
    """

    def __init__(self, path: str) -> None:
        super().__init__(path, _Creation)
        self.received: list[list[str]] = []
        self._host = f"unix://{path}"
        self._thread = Thread(target=self.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """
        Stop serving.
        """
        self.shutdown()
        self.server_close()
        self._thread.join()

    def environmentOf(self, path: Path) -> Mapping[str, str] | None:
        """
        @return: the variables that the client sends; L{None} if it refuses the file.
        """
        self.received.clear()
        subprocess.run(
            ["docker", "create", "--env-file", str(path), "image"],
            env={**_ENVIRON, "DOCKER_HOST": self._host, "PATH": os.environ["PATH"]},
            capture_output=True,
            timeout=60,
            check=False,
        )
        if not self.received:
            return None
        [sent] = self.received
        return dict(each.split("=", 1) for each in sent)


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
