"""
A FastAPI app with endpoints that are no coroutines: they run in a pool of threads.
"""

from __future__ import annotations

from fastapi import FastAPI, Request, Response
from journal import Work

app = FastAPI()


@app.get("/{name}")
@app.post("/{name}")
def answer(name: str, request: Request) -> Response:
    """
    Answer a request.
    """
    return Response(Work(name, request.url.query).perform())


@app.get("/")
def root(request: Request) -> Response:
    """
    Answer a request without an id.
    """
    return answer("", request)
