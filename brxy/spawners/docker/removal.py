"""
Requests to a Docker daemon that stop and remove what it ran.
"""

from __future__ import annotations

from brxy.spawners.api.errors import Refused
from brxy.spawners.docker.engine import ANSWER_TIMEOUT, Engine

__all__ = ["removeContainer", "removeService", "stopContainer"]


async def stopContainer(engine: Engine, name: str, seconds: int) -> None:
    """
    Stop a container, if there is one: by SIGTERM, and by SIGKILL after C{seconds}.

    @raise DaemonError: it can't be stopped.
    """
    try:
        limit = seconds + ANSWER_TIMEOUT
        await engine.request("POST", f"/containers/{name}/stop", timeout=limit, t=seconds)
    except Refused as error:
        if error.status != 404:
            raise


async def removeContainer(engine: Engine, name: str) -> None:
    """
    Remove a container by force, with the anonymous volumes that were made for it.  Does
    nothing if there is no such container.

    @raise DaemonError: it can't be removed.
    """
    try:
        await engine.request("DELETE", f"/containers/{name}", force=1, v=1)
    except Refused as error:
        # 409: its removal is under way.
        if error.status not in (404, 409):
            raise


async def removeService(engine: Engine, name: str) -> None:
    """
    Remove a service, whose tasks are stopped then.  Does nothing if there is no such
    service.

    @raise DaemonError: it can't be removed.
    """
    try:
        await engine.request("DELETE", f"/services/{name}")
    except Refused as error:
        if error.status != 404:
            raise
