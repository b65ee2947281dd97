"""
The spawner C{app:}, which runs the app itself on this machine, fronted by the edge.
"""

from __future__ import annotations

from attrs import field, frozen
from attrs.converters import optional
from zope.interface import implementer

from brxy.apps.app import App
from brxy.interfaces import Gone, IInstance, ISpawner, SpawnOrder
from brxy.readiness import urlPath
from brxy.spawners.command import CommandFactory
from brxy.spawners.instance import BaseInstance
from brxy.spawners.local.base import LocalSpawner, ownBinFirst
from brxy.spawners.output import lineLogger
from brxy.spawners.spec import seconds

__all__ = ["AppSpawner", "AppOptions", "factory"]


@frozen
class AppOptions:
    """
    The keys of C{app:}.
    """

    ready_path: str | None = field(
        default=None,
        converter=optional(urlPath),
        metadata={"help": "the app is ready when a GET of this path is answered 2xx or 3xx"},
    )
    stop_timeout: float = field(
        default=10.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )


class AppInstance(BaseInstance):
    """
    One copy of the app.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self._app = app
        app.ready.addCallback(self.ready.callback)
        app.ended.addCallback(lambda result: self.finish(Gone(result.describe())))

    def stop(self) -> None:
        """
        See L{BaseInstance}.
        """
        self._app.stop()


@implementer(ISpawner)
class AppSpawner(LocalSpawner):
    """
    Runs a copy of the app for each instance.
    """

    dials_back = False

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        app = App(
            self._reactor,
            self._command,
            order.route,
            {**ownBinFirst(self._environ), **order.environment},
            lineLogger(self._log, order.ticket),
            ready_path=self._options.ready_path,
            send_proxy=order.environment.get("BRXY_SEND_PROXY"),
            stop_timeout=self._options.stop_timeout,
        )
        app.start()
        instance = AppInstance(app)
        self._running.add(instance, instance.over)
        return instance


factory = CommandFactory(
    "app",
    "runs the app on this machine; the edge connects to it without a node",
    AppOptions,
    AppSpawner,
)
