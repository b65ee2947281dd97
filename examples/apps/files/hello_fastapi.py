"""
A FastAPI app with a WebSocket and an event stream.
"""

import asyncio
import os
from collections.abc import AsyncIterator

from fastapi import FastAPI, WebSocket
from fastapi.responses import StreamingResponse

app = FastAPI()


@app.get("/")
async def hello() -> dict[str, int]:
    """
    Say which process this is.
    """
    return {"process": os.getpid()}


@app.get("/slow")
async def slow() -> dict[str, int]:
    """
    Take half a second.
    """
    await asyncio.sleep(0.5)
    return await hello()


async def _events() -> AsyncIterator[str]:
    for number in range(3):
        yield f"data: {number}\n\n"
        await asyncio.sleep(0.5)


@app.get("/events")
async def events() -> StreamingResponse:
    """
    Send three events, half a second apart.
    """
    return StreamingResponse(_events(), media_type="text/event-stream")


@app.websocket("/echo")
async def echo(websocket: WebSocket) -> None:
    """
    Return three messages.
    """
    await websocket.accept()
    for _ in range(3):
        await websocket.send_text(await websocket.receive_text())
