"""
Tests that bodies stream through edge and node, whatever their size.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from hashlib import md5
from pathlib import Path
from typing import BinaryIO

from twisted.internet.threads import deferToThread

from brxy.test.apps import bulk
from brxy.test.support.processes.programs import PYTHON, ProgramTests

__all__ = ["StreamingTests"]

_GIB = 2**30

#: How much memory a process may use in addition for a body that passes through it.
_GROWTH = 32 * 2**20

_APP = str(Path(bulk.__file__))


def resident(pid: int, field: str) -> int:
    """
    @param field: C{VmRSS}, or C{VmHWM} for the maximum so far.
    @return: the memory of a process, in bytes.
    """
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(field)


class StreamingTests(ProgramTests):
    """
    Tests in which 1 GiB passes through an edge and a node in processes of
    their own.
    """

    timeout = 300

    async def _through(self, transfer: Callable[[socket.socket, BinaryIO], None]) -> None:
        """
        Make a transfer, and check the memory of edge and node meanwhile.

        @param transfer: makes it in a thread, on a connection to the edge and
            with a file to read from it.
        """
        edge = self.edge("--", PYTHON, "-m", "brxy.node", "--", PYTHON, _APP)
        address = await self.address(edge)
        self.assertEqual((await self.get(address, "/1")).status, 200)
        pids = [pid for pid in self.running() if b"brxy.node" in _command(pid)]
        self.assertEqual(len(pids), 2)
        self.assertIn(edge.pid, pids)
        before = {}
        for pid in pids:
            # This resets the maximum so far, see proc(5).
            Path(f"/proc/{pid}/clear_refs").write_text("5")
            before[pid] = resident(pid, "VmRSS")
        await deferToThread(self._transfer, int(address.rpartition(":")[2]), transfer)
        for pid in pids:
            self.assertLess(resident(pid, "VmHWM") - before[pid], _GROWTH)
        await self.stopped(edge)

    @staticmethod
    def _transfer(port: int, transfer: Callable[[socket.socket, BinaryIO], None]) -> None:
        with (
            socket.create_connection(("127.0.0.1", port), timeout=100) as connection,
            connection.makefile("rb") as stream,
        ):
            transfer(connection, stream)

    def _head(self, stream: BinaryIO) -> list[bytes]:
        """
        @return: the lines of the head of a response.
        """
        return list(iter(stream.readline, b"\r\n"))

    async def test_download(self) -> None:
        """
        A response with a length reaches a reader that stalls, unchanged byte
        for byte, and is not stored on the way.
        """

        def transfer(connection: socket.socket, stream: BinaryIO) -> None:
            connection.sendall(b"GET /%d HTTP/1.1\r\nHost: localhost\r\n\r\n" % _GIB)
            self.assertIn(b"Content-Length: %d\r\n" % _GIB, self._head(stream))
            time.sleep(1)
            self.assertEqual(_digest(stream), _expected())

        await self._through(transfer)

    async def test_chunkedDownload(self) -> None:
        """
        A chunked response reaches a reader that stalls and is not stored on
        the way, and the client sees its end.
        """

        def transfer(connection: socket.socket, stream: BinaryIO) -> None:
            connection.sendall(b"GET /%d?chunked HTTP/1.1\r\nHost: localhost\r\n\r\n" % _GIB)
            self.assertIn(b"Transfer-Encoding: chunked\r\n", self._head(stream))
            time.sleep(1)
            self.assertEqual(bulk.takeAll(stream, None), _GIB)

        await self._through(transfer)

    async def test_upload(self) -> None:
        """
        A request with a length reaches an app that stalls.
        """

        def transfer(connection: socket.socket, stream: BinaryIO) -> None:
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n"
            connection.sendall(head % _GIB)
            for block in bulk.blocks(_GIB):
                connection.sendall(block)
            self._head(stream)
            self.assertEqual(int(stream.read(len(str(_GIB)))), _GIB)

        await self._through(transfer)

    async def test_chunkedUpload(self) -> None:
        """
        A chunked request reaches an app that stalls.
        """

        def transfer(connection: socket.socket, stream: BinaryIO) -> None:
            head = b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
            connection.sendall(head)
            for block in bulk.blocks(_GIB):
                connection.sendall(bulk.chunk(block))
            connection.sendall(b"0\r\n\r\n")
            self._head(stream)
            self.assertEqual(int(stream.read(len(str(_GIB)))), _GIB)

        await self._through(transfer)


def _command(pid: int) -> bytes:
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _digest(stream: BinaryIO) -> str:
    digest = md5(usedforsecurity=False)
    remaining = _GIB
    while remaining:
        data = stream.read(min(remaining, len(bulk.BLOCK)))
        digest.update(data)
        remaining -= len(data)
    return digest.hexdigest()


def _expected() -> str:
    digest = md5(usedforsecurity=False)
    for block in bulk.blocks(_GIB):
        digest.update(block)
    return digest.hexdigest()
