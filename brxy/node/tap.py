"""
The plugin of C{twistd brxy-node}: the command line of a node, and the service it makes.

Modules for twistd are called C{tap} by convention, and C{twistd} looks here for C{Options}
and C{makeService}.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from brxy.apps.command import HOST, Surroundings, appEnvironment
from brxy.errors import SpawnFailed, UsageError
from brxy.node.early import EARLY
from brxy.node.fields import FIELDS
from brxy.processes.launch import findExecutable
from brxy.processes.place import Place
from brxy.processes.ports import PORTS
from brxy.program.exitstatus import exitWith
from brxy.program.guarded import Guarded, fail
from brxy.program.options import Options as CommonOptions
from brxy.program.places import checkPlaces
from brxy.program.reactors import usedReactor
from brxy.program.tokenfile import readToken

__all__ = ["Options", "makeService"]


# Options that concern an app which the node starts, without those that have a default.
_OF_COMMANDS = ("app-port", "env", "env-file", "cwd", "user", "ready-command", "ready-log")


class Options(CommonOptions):
    """
    The options of the node.  What the edge passes to it in the environment is the
    default of an option.
    """

    program = "brxy-node"

    table = FIELDS

    synopsis = "[options] -- command..."

    longdesc = (
        "Runs beside one instance of an app: starts the app with PORT in its environment, "
        "dials the edge when the app is ready, and takes requests for it."
    )

    examples = (
        "twistd -n brxy-node --route shop.example.com -- python app.py --port {port}",
        "twistd -n brxy-node --edge tcp:edge.example.net:9080 --edge-tls-ca ca.pem \\\n"
        "    --token-file token -- gunicorn --threads 8 app:app",
        "twistd -n brxy-node --route redis --app 127.0.0.1:6379",
    )

    def __init__(self, environ: Mapping[str, str] = os.environ) -> None:
        super().__init__(environ)
        self["command"] = ()

    def parseArgs(self, *command: str) -> None:
        """
        Take what follows C{--} as the command of the app.
        """
        self["command"] = command

    def postOptions(self) -> None:
        """
        Complete the options, and check what they name.
        """
        super().postOptions()
        if self["token-file"]:
            _check(lambda: readToken(self["token-file"]))
        self["tls"] = self._tls()
        self._checkApp()
        self.withoutPidfile()

    def inPlace(self) -> bool:
        """
        Whether twistd leaves this process as it is.  Otherwise it may fork, and then an app
        that was started before is not a child of the node any more, or it may change what
        children inherit.
        """
        changes = ("chroot", "uid", "gid", "umask")
        parent = self.parent or {"rundir": "."}
        return (
            self.foreground()
            and parent["rundir"] == "."
            and all(parent.get(change) is None for change in changes)
        )

    def _tls(self) -> Any:
        """
        How the edge is dialled over TLS, as a L{brxy.node.dial.EdgeTLS}, whose files were
        read once; L{None} without TLS.
        """
        given = FIELDS.values(self, "tls.")
        if (given["certificate"] is None) != (given["key"] is None):
            raise usage.UsageError("--edge-tls-cert and --edge-tls-key go together")
        if given["ca"] is None:
            if any(given.values()):
                raise usage.UsageError("for TLS give --edge-tls-ca, too")
            return None

        # Takes long to load, and is not needed without TLS.
        from brxy.node.dial import EdgeTLS, hostOf

        given["name"] = given["name"] or hostOf(self["edge"])
        if not given["name"]:
            raise usage.UsageError(
                f"give --edge-tls-name: {self['edge']!r} does not say what the edge is called"
            )
        tls = EdgeTLS(**given)
        _check(tls.read)
        return tls

    def _checkApp(self) -> None:
        command = self["command"]
        if (self["app"] is None) == (not command):
            raise usage.UsageError("give the app's command after --, or --app HOST:PORT")
        if self["app"] is not None:
            useless = [name for name in _OF_COMMANDS if self[name]]
            if useless:
                raise usage.UsageError(
                    f"--{useless[0]} is for an app that the node starts: "
                    "give a command after -- in place of --app"
                )
        if command:
            around = self.surroundings()
            environment = appEnvironment(os.environ, 0, HOST, self["route"], around)
            _check(lambda: findExecutable(command[0], environment, around.place))

    def surroundings(self) -> Surroundings:
        """
        The environment, folder and user of the app.
        """
        place = Place(self["cwd"], self["user"])
        return Surroundings(self["env-file"] or {}, dict(self["env"]), place)


def _check(read: Callable[[], object]) -> None:
    try:
        read()
    except (UsageError, SpawnFailed) as error:
        raise usage.UsageError(str(error)) from None


def makeService(options: Options) -> IService:
    """
    The node as a service, for twistd.
    """
    if options["command"] and options.inPlace():
        EARLY.start(
            options["command"],
            options["route"],
            options["app-port"],
            os.environ,
            options.surroundings(),
        )
    options.keepUmask()

    # Takes long to load, while the app starts.
    from brxy.node.service import NodeService
    from brxy.node.settings import NodeSettings
    from brxy.program.logs import logObserver

    reactor = usedReactor(options["transport"])
    try:
        checkPlaces(options.parent)
        if not options.foreground() and options["app-port"]:
            # In the background twistd would report it in its own words.
            PORTS.claim(options["app-port"])
            PORTS.release(options["app-port"])
        observer = logObserver(reactor, options.parent, os.environ, options["log-format"])
    except (UsageError, SpawnFailed) as error:
        fail(options.program, error)
    settings = NodeSettings(
        **FIELDS.values(options), command=options["command"], tls=options["tls"]
    )
    service = NodeService(
        reactor,
        settings,
        exitWith,
        exit_on_stdin_eof=bool(options["exit-on-stdin-eof"]),
        early=EARLY.takeApp,
    )
    return Guarded(options.program, options.foreground(), service, reactor, observer)
