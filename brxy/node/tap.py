"""
C{twistd brxy-node}: its command line, and the service it makes.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from typing import Any

from twisted.application.service import IService
from twisted.python import usage

from brxy.errors import UsageError
from brxy.interfaces import Address
from brxy.node.early import EARLY, isPlain
from brxy.program.exitstatus import exitWith
from brxy.program.guarded import Guarded
from brxy.program.options import Options as CommonOptions
from brxy.program.reactors import TRANSPORT, usedReactor
from brxy.program.tokenfile import isToken, readToken
from brxy.reactor.endpoints import clientEndpoint
from brxy.readiness import urlPath
from brxy.values.converters import capacity, count, port, route, seconds
from brxy.wire.proxyheader import proxyVersion

__all__ = ["Options", "makeService"]

_TLS = ("edge-tls-ca", "edge-tls-name", "edge-tls-cert", "edge-tls-key")


class Options(CommonOptions):
    """
    The options of the node.  What the edge hands over by the environment is
    the default of its option.
    """

    program = "brxy-node"

    synopsis = "[options] -- command..."

    longdesc = (
        "Stands beside one instance of an app: starts it with PORT in its environment, "
        "dials the edge once it answers, and pulls work for it."
    )

    optParameters = [
        ["edge", None, None, "The edge, a Twisted client endpoint. [default: BRXY_EDGE, or "
         "tcp:127.0.0.1:9080]"],
        ["route", None, None, "The route that the app serves. [default: ROUTE, or default]"],
        ["capacity", "c", None, "Exchanges the app takes at once. [default: BRXY_CAPACITY, or 1]",
         capacity],
        ["app", None, None, "HOST:PORT of a server that runs already, instead of a command."],
        ["app-port", None, None, "The port the app listens on. [default: a free one]", port],
        ["ready-path", None, None, "The app is ready when a GET of this is answered 2xx or 3xx. "
         "[default: when it accepts a connection]", urlPath],
        ["idle-timeout", None, None, "Leave when idle for so long. [default: 300]", seconds],
        ["old-idle-timeout", None, None, "The same, if there is a newer instance. [default: 10]",
         seconds],
        ["send-proxy", None, None, "v1 or v2: tell the app of its clients by the PROXY protocol. "
         "[default: BRXY_SEND_PROXY, or not]", proxyVersion],
        ["stop-timeout", None, 10.0, "From SIGTERM to SIGKILL for the app.", seconds],
        ["drain-timeout", None, 25.0, "For finishing when the node is stopped.", seconds],
        ["token-file", None, None, "A file with the token for the edge. [default: BRXY_TOKEN]"],
        ["edge-tls-ca", None, None, "The edge is dialled by TLS; its certificate must be of an "
         "authority in this file. [default: BRXY_EDGE_TLS_CA]"],
        ["edge-tls-name", None, None, "What the edge's certificate must be for. "
         "[default: BRXY_EDGE_TLS_NAME, or the host in --edge]"],
        ["edge-tls-cert", None, None, "The node's own certificate, for the edge. "
         "[default: BRXY_EDGE_TLS_CERT]"],
        ["edge-tls-key", None, None, "Its key. [default: BRXY_EDGE_TLS_KEY]"],
        TRANSPORT,
    ]  # fmt: skip

    optFlags = [["exit-on-stdin-eof", None, "End when standard input is closed."]]

    def __init__(self, environ: Any = os.environ) -> None:
        super().__init__()
        self._environ = environ
        self["command"] = ()

    def parseArgs(self, *command: str) -> None:
        """
        What follows C{--} is the app.
        """
        self["command"] = command

    def postOptions(self) -> None:
        """
        See L{usage.Options}.
        """
        self._fromEnvironment("edge", "BRXY_EDGE", "tcp:127.0.0.1:9080", _endpoint)
        self._fromEnvironment("route", "ROUTE", "default", route)
        self._fromEnvironment("capacity", "BRXY_CAPACITY", "1", capacity)
        self._fromEnvironment("idle-timeout", "BRXY_IDLE_TIMEOUT", "300", seconds)
        self._fromEnvironment("old-idle-timeout", "BRXY_OLD_IDLE_TIMEOUT", "10", seconds)
        if self._environ.get("BRXY_SEND_PROXY"):
            self._fromEnvironment("send-proxy", "BRXY_SEND_PROXY", "", proxyVersion)
        self._fromEnvironment("ticket", "BRXY_TICKET", "", str)
        self._fromEnvironment("generation", "BRXY_GENERATION", "0", count)
        self["token"] = token = self._environ.get("BRXY_TOKEN", "")
        if token and not isToken(token):
            raise usage.UsageError("BRXY_TOKEN: it is no token")
        if self["token-file"]:
            _check(lambda: readToken(self["token-file"]))
        self._useTLS()
        self._checkApp()
        self.withoutPidfile()

    def inPlace(self) -> bool:
        """
        Does twistd leave this process as it is?  It may fork, so that what we
        started is no child of ours any more, or change what children inherit.
        """
        changes = ("chroot", "uid", "gid", "umask")
        parent = self.parent or {"rundir": "."}
        return (
            self.foreground()
            and parent["rundir"] == "."
            and all(parent.get(change) is None for change in changes)
        )

    def _fromEnvironment(self, name: str, variable: str, default: str, coerce: Any) -> None:
        given = self.get(name)
        if given is not None and coerce not in (_endpoint, route):
            return
        source = f"--{name}" if given is not None else variable
        text = given if given is not None else self._environ.get(variable) or default
        try:
            self[name] = coerce(text)
        except (ValueError, usage.UsageError) as error:
            raise usage.UsageError(f"bad {source} {text!r}: {error}") from None

    def _useTLS(self) -> None:
        for name in _TLS:
            variable = f"BRXY_{name.upper().replace('-', '_')}"
            self[name] = self[name] or self._environ.get(variable) or None
        ca, name, certificate, key = (self[name] for name in _TLS)
        if (certificate is None) != (key is None):
            raise usage.UsageError("--edge-tls-cert and --edge-tls-key go together")
        if ca is None:
            if name or certificate:
                raise usage.UsageError("for TLS give --edge-tls-ca, too")
            self["tls"] = None
            return

        # Takes long to load, and is not needed without TLS.
        from brxy.node.dial import EdgeTLS, hostOf

        name = name or hostOf(self["edge"])
        if not name:
            raise usage.UsageError(
                f"give --edge-tls-name: {self['edge']!r} doesn't say what the edge is called"
            )
        self["tls"] = tls = EdgeTLS(ca, name, certificate, key)
        _check(tls.read)

    def _checkApp(self) -> None:
        app, command = self["app"], self["command"]
        if (app is None) == (not command):
            raise usage.UsageError("give the app's command after --, or --app HOST:PORT")
        if app is not None:
            host, _, port = app.rpartition(":")
            if not host or not port.isdigit() or not 0 < int(port) < 65536:
                raise usage.UsageError(f"--app {app!r} is not HOST:PORT")
            self["app"] = Address(host.strip("[]"), int(port))
        elif shutil.which(command[0]) is None:
            raise usage.UsageError(
                f"can't run {command[0]!r}: there is no such executable on PATH"
            )


def _check(read: Callable[[], object]) -> None:
    try:
        read()
    except UsageError as error:
        raise usage.UsageError(str(error)) from None


def _endpoint(text: str) -> str:
    # Checking loads Twisted's endpoints, which takes long before the app was started.
    return text if isPlain("edge", text) else clientEndpoint(text, "use --edge-tls-ca")


def makeService(options: Options) -> IService:
    """
    The node as a service, for twistd.
    """
    if options["command"] and options.inPlace():
        EARLY.start(options["command"], options["route"], options["app-port"], os.environ)

    # Takes long to load, while the app starts.
    from brxy.node.service import NodeService
    from brxy.node.settings import NodeSettings

    reactor = usedReactor(options["transport"])
    settings = NodeSettings(
        edge=options["edge"],
        route=options["route"],
        capacity=options["capacity"],
        command=options["command"],
        app=options["app"],
        app_port=options["app-port"],
        ready_path=options["ready-path"],
        send_proxy=options["send-proxy"],
        ticket=options["ticket"],
        token=options["token"],
        token_file=options["token-file"],
        tls=options["tls"],
        generation=options["generation"] or None,
        idle_timeout=options["idle-timeout"],
        old_idle_timeout=options["old-idle-timeout"],
        stop_timeout=options["stop-timeout"],
        drain_timeout=options["drain-timeout"],
    )
    service = NodeService(
        reactor,
        settings,
        exitWith,
        exit_on_stdin_eof=bool(options["exit-on-stdin-eof"]),
        early=EARLY.takeApp,
    )
    return Guarded(options.program, options.foreground(), service)
