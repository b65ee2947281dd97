"""
Network devices of a test's own, in namespaces or between them.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

from brxy.test.support.loopback.leftovers import DIES_WITH_US

__all__ = ["MISSING", "Elsewhere", "addBridge", "ip", "plugIn", "subnet"]


def _missing() -> str:
    """
    @return: why namespaces can't be made; C{""} if they can.
    """
    if os.geteuid() != 0:
        return "needs root, for network namespaces"
    needed = {"ip": "iproute2", "unshare": "util-linux"}
    packages = [package for name, package in needed.items() if shutil.which(name) is None]
    return f"needs {', '.join(needed)}: apt install {' '.join(packages)}" if packages else ""


MISSING = _missing()


def subnet(first: int) -> str:
    """
    @param first: of the forty numbers that are reserved for one use of
        networks.
    @return: the first part of the addresses that only this process has for
        that use.
    """
    return f"10.{first + os.getpid() // 256 % 40}.{os.getpid() % 256}"


def ip(*arguments: str) -> None:
    """
    Run C{ip}.
    """
    subprocess.run(["ip", *arguments], check=True)


def addBridge(name: str, address: str) -> None:
    """
    Make a bridge that has an address on this machine.

    @param address: with the length of its network, as C{10.1.2.3/24}.
    """
    ip("link", "add", name, "type", "bridge")
    ip("address", "add", address, "dev", name)
    ip("link", "set", name, "up")


def plugIn(name: str, pid: int, address: str) -> None:
    """
    Make a cable from this machine to the network namespace of a process, whose
    C{eth0} has an address then. The cable is removed with the namespace.

    @param name: of our end.
    """
    ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", str(pid))
    ip("link", "set", name, "up")
    for arguments in (
        ("address", "add", address, "dev", "eth0"),
        ("link", "set", "eth0", "up"),
        ("link", "set", "lo", "up"),
    ):
        subprocess.run(["nsenter", "--target", str(pid), "--net", "ip", *arguments], check=True)


class Elsewhere:
    """
    Another machine, as far as network and processes are concerned, at the
    other end of a cable. It ends with this process, as do all processes that
    run there. The kernel removes the cable when no connection has
    unacknowledged bytes any more.

    @ivar address: its own.
    @ivar here: ours in its network.
    """

    def __init__(self, first: int) -> None:
        """
        @param first: see L{subnet}.
        """
        self.address, self.here = f"{subnet(first)}.2", f"{subnet(first)}.1"
        self._link = f"brxy{os.getpid()}e"
        self._process = subprocess.Popen(
            [*DIES_WITH_US, "unshare", "--net", "--pid", "--fork", "--kill-child"]
            + ["sh", "-c", "echo; exec sleep infinity"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        # This line shows that it runs.
        self._process.stdout.readline()
        children = Path(f"/proc/{self._process.pid}/task/{self._process.pid}/children")
        self._first = int(children.read_text())
        plugIn(self._link, self._first, f"{self.address}/24")
        ip("address", "add", f"{self.here}/24", "dev", self._link)

    def within(self) -> list[str]:
        """
        @return: the command that runs this command there.
        """
        return ["nsenter", "--target", str(self._first), "--net", "--pid", "--"]

    def cut(self) -> None:
        """
        Drop all packets in both directions, silently.
        """
        ip("link", "set", self._link, "down")

    def mend(self) -> None:
        """
        Let packets pass again.
        """
        ip("link", "set", self._link, "up")

    def end(self) -> None:
        """
        End all processes there.
        """
        self._process.kill()
        self._process.communicate()
        # Unless it is gone with them: a connection that has unacknowledged bytes keeps it for a
        # minute.
        subprocess.run(["ip", "link", "delete", self._link], stderr=subprocess.DEVNULL)
