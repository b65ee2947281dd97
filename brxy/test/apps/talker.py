"""
An app for tests of WebSockets and server-sent events.

A WebSocket gets back whatever it sends. C{GET /events} is answered with an
event for each line that is written to the FIFO named by the first argument.
"""

from __future__ import annotations

import asyncio
import os
import sys
from http import HTTPStatus

from websockets.asyncio.server import ServerConnection, serve
from websockets.http11 import Request, Response


async def echo(connection: ServerConnection) -> None:
    """
    Send back all messages.
    """
    async for message in connection:
        await connection.send(message)


async def answer(connection: ServerConnection, request: Request) -> Response | None:
    """
    Answer a request that is not for a WebSocket.
    """
    if request.path == "/pid":
        return connection.respond(HTTPStatus.OK, str(os.getpid()))
    if request.path != "/events":
        return None
    transport = connection.transport
    transport.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    loop = asyncio.get_running_loop()
    with open(sys.argv[1], "rb") as events:
        while line := await loop.run_in_executor(None, events.readline):
            transport.write(b"data: %b\n\n" % line.strip())
    transport.close()
    return None


async def main() -> None:
    """
    Serve forever.
    """
    async with serve(echo, "127.0.0.1", int(os.environ["PORT"]), process_request=answer) as server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
