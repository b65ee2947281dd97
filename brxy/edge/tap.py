"""
The plugin of C{twistd brxy-edge}: makes the service of an edge from its command line.

Modules for twistd are called C{tap} by convention, and C{twistd} looks here for C{Options}
and C{makeService}.
"""

from __future__ import annotations

import os
from typing import Any

from attrs import evolve
from twisted.application.service import IService

from brxy.edge.config.files.apart import Apart
from brxy.edge.config.files.configuration import Configuration, FilePart
from brxy.edge.config.files.loading import Loaded, loadFiles, reloadFiles
from brxy.edge.config.options import Options
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.reload.reloader import Reading
from brxy.edge.service import EdgeService
from brxy.edge.upgrade.former import Former
from brxy.edge.upgrade.origin import findOrigin
from brxy.errors import UsageError
from brxy.program.guarded import Guarded, fail
from brxy.program.logs import logObserver
from brxy.program.places import checkPlaces
from brxy.program.reactors import usedReactor
from brxy.program.systemd import notifier
from brxy.reactor.slices import inSlices
from brxy.transport.epollreactor import EpollReactor

__all__ = ["makeService"]


class _Files:
    """
    The settings of the command line and of configuration files, which may be read again.
    """

    def __init__(self, options: Options, reactor: Any) -> None:
        """
        @raise UsageError: they can't be used.
        """
        self._given = options.given
        self._reactor = reactor
        self._apart = Apart(reactor, options.given, options.configuration)
        self._loaded = loadFiles(options.given, options.configuration, reactor)
        if self._loaded.settings is None:
            raise UsageError(
                "\n".join([f"{options['config']} can't be used:", *self._loaded.faults])
            )
        self.settings: EdgeSettings = self._loaded.settings

    async def read(self, before: EdgeSettings) -> Reading:
        """
        See L{brxy.edge.reload.reloader.Reader}.
        """
        self._loaded = loaded = await self._reload(before, await self._apart.read())
        return Reading(loaded.settings or before, tuple(loaded.faults))

    async def preview(self, before: EdgeSettings, file: str | None) -> Reading:
        """
        See L{brxy.edge.reload.reloader.Previewer}.
        """
        part = FilePart(file or self._loaded.configuration.file)
        apart = Apart(self._reactor, self._given, Configuration({}, (part,)))
        loaded = await self._reload(before, await apart.read())
        return Reading(loaded.settings or before, tuple(loaded.faults))

    async def _reload(self, before: EdgeSettings, new: Configuration) -> Loaded:
        previous = evolve(self._loaded, settings=before)
        return await inSlices(
            self._reactor, reloadFiles(self._given, previous, new, self._reactor)
        )


def makeService(options: Options) -> IService:
    """
    The edge as a service, for twistd.
    """
    reactor = usedReactor(options["transport"])
    options.keepUmask()
    former = Former.find(reactor, os.environ)
    origin = findOrigin(
        os.environ,
        foreground=options.foreground(),
        own_transport=isinstance(reactor, EpollReactor),
    )
    try:
        checkPlaces(options.parent)
        observer = logObserver(
            reactor,
            options.parent,
            os.environ,
            options["log-format"],
            with_output=options["app-log-dir"] is None,
        )
        files = _Files(options, reactor)
        read = files.read if options["config"] else None
        notify, environ = notifier(os.environ), os.environ
        service = EdgeService(
            reactor, files.settings, notify, read, environ, origin=origin, former=former
        )
        if options["config"]:
            service.parts.reloader.previewBy(files.preview)
        if not options.foreground():
            service.check()
    except UsageError as error:
        if former is not None:
            former.refuse(str(error))
        fail(options.program, error)
    return Guarded(options.program, options.foreground(), service, reactor, observer)
