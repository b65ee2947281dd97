"""
Tests that the sockets of an app in a container are seen, on a real daemon.
"""

from __future__ import annotations

import subprocess
from typing import cast

from twisted.internet.defer import gatherResults

from brxy.errors import Unseen
from brxy.interfaces import ILocalProcess
from brxy.spawners.docker.engine import Engine
from brxy.test.spawners.docker.test_spawner import DockerSpawnerTests
from brxy.test.support.docker.containers import ContainerTests
from brxy.test.support.docker.dockerd import MISSING, MOUNTS, NODE
from brxy.test.support.processes.programs import ANYWHERE, DEMO, PYTHON, TWISTD
from brxy.uptake.namespaces import diagIn

# Prints what is seen of a connection to an app, a byte having been sent: while the app is paused,
# and after a line has come in.
_LOOK = """
import socket, sys, time
from brxy.uptake.namespaces import diagIn
from brxy.uptake.sockdiag import Seen

pid, *app = sys.argv[1], sys.argv[2], int(sys.argv[3])
diag = diagIn(int(pid), app[0])
client = socket.create_connection(app)
client.send(b"G")

def look(awaited):
    end, seen = time.monotonic() + 20, None
    while seen != awaited and time.monotonic() < end:
        seen = diag.look(app, client.getsockname())
    print(seen, diag.queue(app), flush=True)

look(Seen(False, 1))
sys.stdin.readline()
look(Seen(True, 0))
"""


class SocketsTests(DockerSpawnerTests):
    """
    Tests of the process that a container is known by, and of what is seen with it.
    """

    async def test_seen(self) -> None:
        """
        A program in the daemon's process namespace, as the edge is on the daemon's machine,
        sees when an app in a container accepts a connection, and when it reads.
        """
        instance = self.httpd().spawn(self.order())
        address = await instance.ready
        pid = ILocalProcess(instance).pid
        [found] = await self.containers(ticket="t1")
        self.dockerd.docker("pause", found["Id"])
        arguments = [str(pid), address.host, str(address.port)]
        looking = subprocess.Popen(
            [*self.dockerd.within(), PYTHON, "-c", _LOOK, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with looking:
            assert looking.stdout is not None and looking.stdin is not None
            self.assertEqual(
                looking.stdout.readline(),
                "Seen(accepted=False, unread=1) Queue(waiting=1, listeners=1)\n",
            )
            self.dockerd.docker("unpause", found["Id"])
            looking.stdin.write("\n")
            looking.stdin.flush()
            self.assertEqual(
                looking.stdout.readline(),
                "Seen(accepted=True, unread=0) Queue(waiting=0, listeners=1)\n",
            )

    async def test_otherNumber(self) -> None:
        """
        Where processes have other numbers than for the daemon, as here, another process is
        not taken for the container's.
        """
        instance = self.httpd().spawn(self.order())
        address = await instance.ready
        pid = cast(int, ILocalProcess(instance).pid)
        self.assertRaises(Unseen, diagIn, pid, address.host)

    async def test_remote(self) -> None:
        """
        A daemon that is not on a Unix socket may be on another machine: its processes are
        not looked for.
        """
        self.assertTrue(self.engine.local)
        self.assertFalse(Engine(self.reactor, "tcp://127.0.0.1:2375").local)


class EdgeTests(ContainerTests):
    """
    Tests of an edge with containers whose app takes one request at once.
    """

    if MISSING:
        skip = MISSING

    SPAWN = (
        f"docker: image={NODE} volume={MOUNTS} port=8000 max=2 -- /usr/bin/python3 {DEMO} -d 0.5"
    )

    async def test_learned(self) -> None:
        """
        In the daemon's process namespace the edge learns the capacity.
        """
        edge = self.start(
            *(*self.dockerd.within(), TWISTD, "-n", "brxy-edge", "--port", ANYWHERE),
            *("--spawn", self.SPAWN),
            DOCKER_HOST=self.dockerd.host,
        )
        address = await self.address(edge)
        answers = await gatherResults([self.get(address) for _ in range(3)])
        self.assertEqual([each.status for each in answers], [200] * 3, edge.out)
        await self.said(edge, "learned its capacity: 1")
        self.assertNotIn("can't learn", edge.out)

    async def test_unknown(self) -> None:
        """
        Elsewhere it reports once that it can't, and gives each container one request.
        """
        edge = self.dockerEdge(self.SPAWN)
        address = await self.address(edge)
        answers = await gatherResults([self.get(address) for _ in range(3)])
        self.assertEqual([each.status for each in answers], [200] * 3, edge.out)
        self.assertEqual(edge.out.count("can't learn its capacity, which counts as 1: "), 1)
        await self.stopped(edge)
