"""
The plugin of C{twistd brxy-edge}: makes the service of an edge from its command line.

Modules for twistd are called C{tap} by convention, and C{twistd} looks here for C{Options}
and C{makeService}.
"""

from __future__ import annotations

import os
from typing import Any

from twisted.application.service import IService

from brxy.edge.config.files.loading import loadFiles
from brxy.edge.config.options import Options
from brxy.edge.config.settings import EdgeSettings
from brxy.edge.service import EdgeService
from brxy.errors import UsageError
from brxy.program.guarded import Guarded, fail
from brxy.program.logs import logObserver
from brxy.program.places import checkPlaces
from brxy.program.reactors import usedReactor
from brxy.program.systemd import notifier

__all__ = ["makeService"]


def _settings(options: Options, reactor: Any) -> EdgeSettings:
    loaded = loadFiles(options.given, options.configuration, reactor)
    if loaded.settings is None:
        raise UsageError("\n".join([f"{options['config']} can't be used:", *loaded.faults]))
    return loaded.settings


def makeService(options: Options) -> IService:
    """
    The edge as a service, for twistd.
    """
    reactor = usedReactor(options["transport"])
    options.keepUmask()
    try:
        checkPlaces(options.parent)
        observer = logObserver(
            reactor,
            options.parent,
            os.environ,
            options["log-format"],
            with_output=options["app-log-dir"] is None,
        )
        settings = _settings(options, reactor)
        service = EdgeService(reactor, settings, notifier(os.environ))
        if not options.foreground():
            service.check()
    except UsageError as error:
        fail(options.program, error)
    return Guarded(options.program, options.foreground(), service, reactor, observer)
