"""
Pulls images, each once at a time.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.defer import CancelledError, Deferred
from twisted.python.failure import Failure

from brxy.spawners.api.errors import DaemonError, Unreachable
from brxy.spawners.docker.engine import Engine

__all__ = ["Pulls"]

# Seconds for the pull of one image; some have many gigabytes.
_LONGEST = 3600.0


def _query(image: str) -> dict[str, str]:
    """
    Return the parameters of the request that pulls an image.  Without a tag it would pull
    all tags.
    """
    name, at, digest = image.partition("@")
    if at:
        return {"fromImage": name, "tag": digest}
    folder, slash, last = image.rpartition("/")
    last, _, tag = last.partition(":")
    return {"fromImage": folder + slash + last, "tag": tag or "latest"}


def _progress(event: Any) -> None:
    """
    Take one event of a pull.

    @raise DaemonError: the event reports that the pull failed.
    """
    if "error" in event:
        raise DaemonError(str(event["error"]))


class Pulls:
    """
    The pulls of one daemon.  All orders of an image wait for the same pull.  It goes on
    when no order waits any more, so that an image which takes longer than an order may
    take is there for a later one.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._running: dict[str, Deferred[None]] = {}
        self._waiting: dict[str, list[Deferred[None]]] = {}

    def pull(self, image: str) -> Deferred[None]:
        """
        Pull an image, or wait for the pull that runs.

        @return: fires when the image is there, or fails with L{DaemonError}.
            Cancel it to stop waiting.
        """
        waiting = self._waiting.setdefault(image, [])
        deferred: Deferred[None] = Deferred(waiting.remove)
        waiting.append(deferred)
        if image not in self._running:
            running = self._running[image] = Deferred.fromCoroutine(self._pull(image))
            running.addBoth(self._over, image)
        return deferred

    def stop(self) -> None:
        """
        End all pulls.
        """
        for running in list(self._running.values()):
            running.cancel()

    async def _pull(self, image: str) -> None:
        try:
            stream = await self._engine.follow(
                "POST", "/images/create", _progress, **_query(image)
            )
            if not await self._engine.ended(stream, timeout=_LONGEST):
                raise Unreachable(f"it took longer than {_LONGEST:g} s")
        except DaemonError as error:
            raise DaemonError(f"can't pull {image}: {error}") from None

    def _over(self, result: None | Failure, image: str) -> None:
        self._running.pop(image, None)
        for each in self._waiting.pop(image, []):
            if isinstance(result, Failure) and result.check(CancelledError):
                each.errback(DaemonError(f"the pull of {image} was stopped"))
            else:
                each.callback(result)
