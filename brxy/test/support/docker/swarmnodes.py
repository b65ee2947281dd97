"""
A Docker swarm of two machines for tests: network namespaces on a bridge, with
a daemon in each.
"""

from __future__ import annotations

import atexit

from brxy.test.support.docker.dockerd import Dockerd, until
from brxy.test.support.processes.netlinks import addBridge, ip, plugIn, subnet

__all__ = ["Swarm", "SwarmNode", "theSwarm"]


class SwarmNode(Dockerd):
    """
    One machine of a swarm.

    @ivar address: its own.
    @ivar id: of the node in the swarm, once it has joined.
    """

    walls = (*Dockerd.walls, "--net")

    id = ""

    def __init__(self, suffix: str, address: str, bridge: str) -> None:
        """
        @param bridge: what it is connected to; C{""}: a bridge of its own.
        """
        self.address = address
        self._bridge = bridge
        super().__init__(suffix)
        self.host = f"tcp://{address}:2375"

    @property
    def bridge(self) -> str:
        """
        The bridge that connects the machines.
        """
        return self._bridge or f"{self.link}g"

    def plug(self) -> None:
        """
        See L{Dockerd}.
        """
        if not self._bridge:
            addBridge(self.bridge, f"{here()}/24")
        plugIn(self.link, self.first, f"{self.address}/24")
        ip("link", "set", self.link, "master", self.bridge)

    def settings(self) -> dict[str, object]:
        """
        See L{Dockerd}. In its own network its port can be open, because other
        machines can't reach it.
        """
        ours = {"bridge": "none", "iptables": True, "ip-forward": True, "ip-masq": True}
        return {**super().settings(), **ours, "tls": False}

    def swarm(self, *arguments: str) -> None:
        """
        Run C{docker swarm} to create or join one.
        """
        where = ("--advertise-addr", self.address, "--listen-addr", self.address)
        self.docker("swarm", arguments[0], *where, *arguments[1:])
        self.id = self.docker("info", "--format", "{{.Swarm.NodeID}}").stdout.strip()

    def running(self) -> list[str]:
        """
        @return: the containers that run here.
        """
        return self.docker("ps", "--quiet", "--no-trunc").stdout.split()


def here() -> str:
    """
    @return: the address at which the machines of L{Swarm} reach this one.
    """
    return f"{subnet(173)}.254"


class Swarm:
    """
    A swarm of two machines.

    @ivar manager: the first of them, the only manager.
    @ivar worker: the other.
    @ivar here: our own address in their network.
    """

    def __init__(self) -> None:
        self.here = here()
        self.manager = SwarmNode("a", f"{subnet(173)}.1", "")
        atexit.register(self.manager.end)
        self.worker = SwarmNode("b", f"{subnet(173)}.2", self.manager.bridge)
        atexit.register(self.worker.end)
        for node in self.nodes:
            node.start()
            node.makeImages()
        # A machine may be silent for three times this number of seconds.
        self.manager.swarm("init", "--dispatcher-heartbeat", "2s")
        token = self.manager.docker("swarm", "join-token", "--quiet", "worker").stdout.strip()
        self.worker.swarm("join", "--token", token, f"{self.manager.address}:2377")

    def untilReady(self) -> None:
        """
        Wait until the swarm assigns tasks to both machines: a restarted daemon
        answers before the manager notices it.
        """
        until(lambda: self._states() == ["Ready", "Ready"], "a swarm of two")

    def _states(self) -> list[str]:
        listed = self.manager.docker("node", "ls", "--format", "{{.Status}}", check=False)
        return listed.stdout.split()

    @property
    def nodes(self) -> tuple[SwarmNode, SwarmNode]:
        """
        Both machines.
        """
        return self.manager, self.worker


_swarm: list[Swarm] = []


def theSwarm() -> Swarm:
    """
    @return: the swarm that all tests share. The first test makes it, and it
        ends with this process.
    """
    if not _swarm:
        _swarm.append(Swarm())
    return _swarm[0]
