"""
An app that serves any number of slow clients at once, for tests of floods.

C{GET /N} is answered with N bytes, a POST with C{ok} when its body has
arrived.
"""

from __future__ import annotations

import asyncio
import os

_BLOCK = b"x" * 65536


async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """
    Answer the requests of one connection.
    """
    try:
        while True:
            await _answer(await reader.readuntil(b"\r\n\r\n"), reader, writer)
    except (asyncio.IncompleteReadError, OSError):
        writer.close()


async def _answer(head: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    line, *fields = head.decode().split("\r\n")[:-2]
    method, target, _ = line.split(" ")
    for name, _, value in (field.partition(":") for field in fields):
        if name.lower() == "content-length":
            await reader.readexactly(int(value))
    size = 2 if method == "POST" else int(target[1:] or 0)
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
    while size > 0:
        writer.write(_BLOCK[:size])
        size -= len(_BLOCK)
        await writer.drain()


async def main() -> None:
    """
    Serve forever.
    """
    server = await asyncio.start_server(
        serve, os.environ["HOST"], int(os.environ["PORT"]), backlog=4096
    )
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
