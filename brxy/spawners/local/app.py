"""
The spawner C{app:}, which runs the app itself on this machine, fronted by the edge.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from attrs import asdict, field, frozen
from attrs.converters import optional
from zope.interface import implementer

from brxy.apps.app import App
from brxy.apps.settings import AppSettings, commandLine, pattern
from brxy.errors import SpawnFailed
from brxy.interfaces import Gone, IInstance, ILimited, ILocalProcess, ISpawner, SpawnOrder
from brxy.processes.child import Ended
from brxy.processes.environment import environmentFile, variables
from brxy.processes.place import Place, User, folder, user
from brxy.processes.signalnames import signalText
from brxy.readiness import urlPath
from brxy.spawners.command import CommandFactory
from brxy.spawners.instance import BaseInstance
from brxy.spawners.local.base import LocalSpawner, ownBinFirst
from brxy.spawners.output import OutputLogger, lackingLogger
from brxy.spawners.spec import portNumber, seconds

__all__ = ["AppSpawner", "AppOptions", "factory"]


@frozen(kw_only=True)
class AppOptions:
    """
    The keys of C{app:}.
    """

    app_port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "the port the app listens on; there is one instance at most then"},
    )
    env: Mapping[str, str] | None = field(
        default=None,
        converter=optional(variables),
        metadata={"help": "NAME=VALUE,NAME=VALUE: additions to the environment", "form": "table"},
    )
    env_file: Mapping[str, str] | None = field(
        default=None,
        converter=optional(environmentFile),
        metadata={
            "help": "a file of lines NAME=VALUE or NAME: additions to the environment",
            "is_file": True,
        },
    )
    cwd: str | None = field(
        default=None,
        converter=optional(folder),
        metadata={"help": "the working directory of the app"},
    )
    user: User | None = field(
        default=None,
        converter=optional(user),
        metadata={"help": "the user it runs as: USER[:GROUP]; only root can set that"},
    )
    ready_path: str | None = field(
        default=None,
        converter=optional(urlPath),
        metadata={"help": "the app is ready when a GET of this path is answered with 2xx or 3xx"},
    )
    ready_command: Sequence[str] | None = field(
        default=None,
        converter=optional(commandLine),
        metadata={
            "help": "the app is ready when this command succeeds; it is repeated",
            "form": "list",
        },
    )
    ready_log: re.Pattern[str] | None = field(
        default=None,
        converter=optional(pattern),
        metadata={"help": "the app is ready when a line of its output matches this expression"},
    )
    stop_signal: str = field(
        default="TERM",
        converter=signalText,
        metadata={"help": "the signal that stops the app, such as INT"},
    )
    stop_timeout: float = field(
        default=10.0,
        converter=seconds,
        metadata={"help": "seconds between the stop signal and SIGKILL"},
    )

    def settings(self, send_proxy: str | None) -> AppSettings:
        """
        @param send_proxy: the version of the PROXY protocol that the app expects.
        @return: how the app is run.
        """
        values = asdict(self, recurse=False)
        return AppSettings(port=values.pop("app_port"), send_proxy=send_proxy, **values)


@implementer(ILocalProcess)
class AppInstance(BaseInstance):
    """
    One copy of the app.

    @ivar stopping: it is being stopped.
    """

    def __init__(self, app: App) -> None:
        super().__init__()
        self.stopping = False
        self._app = app
        app.ready.addCallback(self.ready.callback)
        app.ended.addCallback(self._ended)

    @property
    def pid(self) -> int:
        """
        See L{ILocalProcess}.  An app can be ready before its process is known here; then it is
        this one, which has the same network.
        """
        return self._app.pid or os.getpid()

    def _ended(self, result: Ended) -> None:
        # An app that ended by itself has most probably said why.
        never = f"{self._app.lacking}; " if self.stopping and self._app.lacking else ""
        self.finish(Gone(never + result.describe()))

    def start(self) -> None:
        """
        Start the app.

        @raise SpawnFailed: it can't be started.
        """
        self._app.start()

    def startAfter(self, other: BaseInstance) -> None:
        """
        Start the app when another instance has ended.
        """
        other.over.addCallback(lambda _: self._startLate())

    def _startLate(self) -> None:
        if self.gone.called:
            return
        try:
            self.start()
        except SpawnFailed as error:
            self.finish(Gone(str(error)))

    def stop(self) -> None:
        """
        See L{BaseInstance}.
        """
        self.stopping = True
        if self._app.running:
            self._app.stop()
        elif not self.gone.called:
            self.finish(Gone("stopped before it was started"))


@implementer(ISpawner, ILimited)
class AppSpawner(LocalSpawner):
    """
    Runs a copy of the app for each instance.
    """

    dials_back = False

    # The latest instance, if all must listen on the same port.
    _latest: AppInstance | None = None

    def checkCommand(
        self, command: Sequence[str], environment: Mapping[str, str], place: Place
    ) -> None:
        """
        See L{LocalSpawner}.
        """
        around = self._options.settings(None).surroundings
        given = {**environment, **around.file, **around.env}
        for each in (command, self._options.ready_command or ()):
            super().checkCommand(each, given, around.place)

    @property
    def limit(self) -> int | None:
        """
        See L{ILimited}.
        """
        return None if self._options.app_port is None else 1

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        output = OutputLogger(self._log, order.ticket)
        app = App(
            self._reactor,
            self._command,
            order.route,
            {**ownBinFirst(self._environ), **order.environment},
            output,
            self._options.settings(order.environment.get("BRXY_SEND_PROXY")),
            progress=output.progress,
            report=lackingLogger(self._log, order.route, order.ticket),
        )
        instance = AppInstance(app)
        if self.limit is None:
            instance.start()
        else:
            self._startAlone(instance)
        self._running.add(instance, instance.over)
        return instance

    def _startAlone(self, instance: AppInstance) -> None:
        """
        Start an instance, if need be when the one before it has ended.

        @raise SpawnFailed: the one before it is to stay.
        """
        before = self._latest
        if before is None or before.over.called:
            instance.start()
        elif before.stopping:
            instance.startAfter(before)
        else:
            raise SpawnFailed(
                f"port {self._options.app_port} is taken by another instance: "
                "with app-port= there is one at a time"
            )
        self._latest = instance


factory = CommandFactory(
    "app",
    "runs the app on this machine; the edge connects to it without a node",
    AppOptions,
    AppSpawner,
)
