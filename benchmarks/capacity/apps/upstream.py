"""
The app behind nginx: C{python upstream.py PORT}. It takes any number of requests at once.
"""

from __future__ import annotations

import asyncio
import sys
from urllib.parse import urlsplit

from journal import Work


async def _serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """
    Serve one connection, which brings one request.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode()
    url = urlsplit(head.split(" ")[1])
    work = Work(url.path, url.query)
    work.note("+")
    await asyncio.sleep(work.seconds)
    work.note("-")
    writer.write(b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


async def _main(port: int) -> None:
    server = await asyncio.start_server(_serve, "127.0.0.1", port, backlog=1000)
    await server.serve_forever()


asyncio.run(_main(int(sys.argv[1])))
