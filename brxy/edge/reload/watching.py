"""
Reloads when configuration files change.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Mapping
from fnmatch import fnmatchcase
from typing import Any, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger

from brxy.edge.config.settings import EdgeSettings
from brxy.edge.events import Events
from brxy.edge.startstop import CannotWatch
from brxy.reactor.inotify import FolderWatcher

__all__ = ["PAUSE", "Reloads", "Watching"]

#: Seconds from the last change to the reload: many files may change at once.
PAUSE = 0.5

# Which limit is reached, by the error.
_LIMITS = {
    errno.ENOSPC: "the limit fs.inotify.max_user_watches is reached",
    errno.EMFILE: "the limit fs.inotify.max_user_instances or of open files is reached",
}


class Reloads(Protocol):
    """
    What reads the settings again.

    @ivar settings: those that hold.
    """

    settings: EdgeSettings

    def reload(self) -> Deferred[Any]:
        """
        Read them.
        """

    def follow(self, follower: Callable[[EdgeSettings], object]) -> None:
        """
        Have something called when they have changed.
        """


class Watching:
    """
    Watches the folders of configuration files, if the settings say so.
    """

    _log = Logger()

    def __init__(self, reactor: Any, reloader: Reloads, events: Events) -> None:
        self._reactor = reactor
        self._places: Mapping[str, frozenset[str]] = reloader.settings.watched
        self._reload = reloader.reload
        self._events = events
        self._folders = FolderWatcher(reactor, self._changed)
        self._call: IDelayedCall | None = None
        self._runs = False
        reloader.follow(self._use)

    def start(self) -> None:
        """
        Begin to watch.
        """
        self._runs = True
        self._watch()

    def stop(self) -> None:
        """
        Watch nothing any more.
        """
        self._runs = False
        self._folders.stop()
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _use(self, settings: EdgeSettings) -> None:
        """
        Other settings hold.
        """
        self._places = settings.watched
        # What has changed in a new folder since it was read has not been noticed.
        if self._watch() and self._call is None:
            self._call = self._reactor.callLater(PAUSE, self._due)

    def _watch(self) -> bool:
        """
        @return: whether another folder is watched than before.
        """
        is_new = False
        if not self._runs:
            return is_new
        self._folders.keep(self._places)
        for folder in self._places:
            try:
                is_new = self._folders.watch(folder) or is_new
            except OSError as error:
                reason = _LIMITS.get(error.errno or 0, error.strerror)
                self._events.emit(CannotWatch(folder, str(reason)))
                if error.errno in _LIMITS:
                    # All others would fail likewise.
                    break
        return is_new

    def _changed(self, folder: str | None, name: str) -> None:
        if folder is None or not name or self._matters(folder, name):
            if self._call is not None:
                self._call.cancel()
            self._call = self._reactor.callLater(PAUSE, self._due)

    def _matters(self, folder: str, name: str) -> bool:
        return any(fnmatchcase(name, each) for each in self._places.get(folder, ()))

    def _due(self) -> None:
        self._call = None
        done = self._reload()
        # A folder may have been replaced by another one of its name.
        done.addCallback(lambda _: self._watch())
        done.addErrback(lambda failure: self._log.failure("while reloading", failure))
