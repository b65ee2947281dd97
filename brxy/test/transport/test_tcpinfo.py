"""
Tests for L{brxy.transport.tcpinfo}, with real sockets.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from shutil import which
from types import SimpleNamespace
from unittest.mock import patch

from twisted.trial.unittest import SkipTest, SynchronousTestCase

from brxy.transport import tcpinfo
from brxy.transport.tcpinfo import isCut, isGone, readInfo

# Enough seconds for the kernel to retransmit a few times: after 0.2 s first, then after twice as
# long each time.
_WHILE = 2.0


def cut(sock: socket.socket) -> bool:
    """
    @return: whether the kernel's data about a socket show a cut link.
    """
    return isCut(readInfo(SimpleNamespace(getHandle=lambda: sock)))


def pair() -> tuple[socket.socket, socket.socket]:
    """
    @return: both ends of a TCP connection.
    """
    with socket.create_server(("127.0.0.1", 0)) as listening:
        one = socket.create_connection(listening.getsockname())
        other, _ = listening.accept()
    one.setblocking(False)
    return one, other


def fill(sock: socket.socket) -> None:
    """
    Send until there is no room.
    """
    try:
        while True:
            sock.send(bytes(65536))
    except BlockingIOError:
        pass


class GoneTests(SynchronousTestCase):
    """
    Tests of L{isGone}.
    """

    def gone(self, unread: bytes) -> bool:
        """
        @return: what it says of a connection whose peer has answered and closed, without reading
            this.
        """
        one, other = pair()
        with one:
            one.send(b"read" + unread)
            with other:
                other.recv(4)
                other.send(b"answer")
            found = isGone(readInfo(SimpleNamespace(getHandle=lambda: one)))
            self.assertEqual(one.recv(100), b"answer")
        return found

    def test_closed(self) -> None:
        """
        A peer that has read everything closes.
        """
        self.assertFalse(self.gone(b""))

    def test_reset(self) -> None:
        """
        A peer that has left something unread resets the connection.
        """
        self.assertTrue(self.gone(b"more"))


class CutTests(SynchronousTestCase):
    """
    Tests of L{isCut}.
    """

    def setUp(self) -> None:
        self.enterContext(patch.object(tcpinfo, "CUT_TIME", 500))

    def test_noRoom(self) -> None:
        """
        A link to a peer that reads nothing for long is not cut.
        """
        one, other = pair()
        with one, other:
            fill(one)
            until = time.monotonic() + _WHILE
            while time.monotonic() < until:
                time.sleep(0.05)
                self.assertFalse(cut(one))

    def test_quiet(self) -> None:
        """
        A link on which nothing is sent is not cut.
        """
        one, other = pair()
        with one, other:
            one.send(b"x")
            time.sleep(_WHILE)
            self.assertFalse(cut(one))

    def test_cut(self) -> None:
        """
        A link on which the peer acknowledges nothing is cut, whether the peer
        had room or not.
        """
        for program, package in (("ip", "iproute2"), ("iptables", "iptables")):
            if which(program, path="/usr/sbin:/usr/bin:/sbin:/bin") is None:
                raise SkipTest(f"needs {program}: apt install {package}")
        inside = f"ip link set lo up; exec {sys.executable} -m brxy.test.transport.test_tcpinfo"
        run = subprocess.run(
            ["unshare", "--net", "sh", "-c", inside], capture_output=True, text=True
        )
        self.assertEqual((run.stdout, run.stderr), ("False False\nTrue True\n", ""))


def main() -> None:
    """
    Cut two links, one of them to a peer without room, in this network namespace.
    """
    (one, other), (full, reader) = pair(), pair()
    fill(full)
    with patch.object(tcpinfo, "CUT_TIME", 500), one, other, full, reader:
        print(cut(one), cut(full))
        drop = ["iptables", "-A", "INPUT", "-i", "lo", "-j", "DROP"]
        subprocess.run(drop, check=True)
        one.send(b"x")
        until = time.monotonic() + 30
        while time.monotonic() < until and not (cut(one) and cut(full)):
            time.sleep(0.05)
        print(cut(one), cut(full))


if __name__ == "__main__":
    main()
