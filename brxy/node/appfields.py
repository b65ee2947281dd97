"""
The settings of a node that are about its app.
"""

from __future__ import annotations

from brxy.apps.settings import commandLine, pattern
from brxy.interfaces import Address
from brxy.processes.environment import environmentFile, variable
from brxy.processes.place import folder, user
from brxy.processes.signalnames import signalText
from brxy.program.fields import (
    CAPACITY,
    MAX_CAPACITY,
    PORT,
    ROUTE,
    SECONDS,
    SPEAKER,
    Kind,
    Setting,
)
from brxy.readiness import urlPath
from brxy.wire.proxyheader import proxyVersion

__all__ = ["APP", "STOPPING"]

_APP = "App"


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        if host:
            return Address(host.strip("[]"), PORT.convert(port))
    except ValueError:
        pass
    raise ValueError("HOST:PORT is needed")


APP = (
    Setting(
        name="route",
        group=_APP,
        kind=ROUTE,
        help="The route that the app serves.",
        field="route",
        default="default",
        environment="ROUTE",
    ),
    Setting(
        name="capacity",
        short="c",
        group=_APP,
        kind=CAPACITY,
        help="How many exchanges the app takes at once.",
        field="capacity",
        default="auto",
        environment="BRXY_CAPACITY",
        detail="""
        With ``auto`` the node learns the number from what the app takes up. Where that cannot be
        seen, it takes one exchange at a time.
        """,
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="max-capacity",
        group=_APP,
        kind=MAX_CAPACITY,
        help="The highest capacity that is learned.",
        field="max_capacity",
        default="100",
        environment="BRXY_MAX_CAPACITY",
        detail="A capacity that is given as a number may be higher.",
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="speaks-first",
        group=_APP,
        kind=SPEAKER,
        help="Which end of a TCP connection sends first.",
        field="speaks_first",
        default="client",
        environment="BRXY_SPEAKS_FIRST",
        detail="""
        This matters only while the capacity is learned, and not for HTTP. With ``server``, as for
        SMTP, FTP and MySQL, the app has taken a connection up when it has accepted it; with
        ``client``, when it has also read the first byte.
        """,
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="app",
        group=_APP,
        kind=Kind("HOST:PORT", _address, "a host and a port"),
        help="The address of an app that runs already, in place of a command.",
        field="app",
        detail="""
        The node waits until the app answers (with ``--ready-path``, until that is answered). If
        the app cannot be reached later, the node takes no exchanges until it answers again, and
        the log says so; clients are held meanwhile, or served by other instances.
        """,
    ),
    Setting(
        name="app-port",
        group=_APP,
        kind=PORT,
        help="The port that the app listens on.",
        field="app_port",
        default_note="a free port",
        detail="""
        Use this for an app whose port cannot be set. Such an app can run once on a machine: a node
        does not start while the port is taken, or claimed for the app of another node.
        """,
    ),
    Setting(
        name="env",
        group=_APP,
        kind=Kind("NAME=VALUE", variable, "a name, ``=`` and a value"),
        help="A variable for the environment of the app.",
        field="env",
        repeatable=True,
        detail="""
        ``{port}``, ``{host}`` and ``{route}`` are replaced in the value. ``PORT``, ``HOST`` and
        ``ROUTE`` themselves cannot be set.
        """,
    ),
    Setting(
        name="env-file",
        group=_APP,
        kind=Kind("FILE", environmentFile, "a file"),
        help="A file of lines NAME=VALUE or NAME, for the environment of the app.",
        field="env_file",
        detail="""
        It is read once, as ``docker run --env-file`` reads it: quotes and blanks are part of a
        value, and a ``NAME`` alone takes its value from the environment of the node. ``--env`` has
        precedence over the file.
        """,
    ),
    Setting(
        name="cwd",
        group=_APP,
        kind=Kind("FOLDER", folder, "a folder"),
        help="The working directory of the app.",
        field="cwd",
        default_note="that of the node",
        detail="If the command itself is a relative path, it is relative to this folder.",
    ),
    Setting(
        name="user",
        group=_APP,
        kind=Kind("USER[:GROUP]", user, "names or ids"),
        help="The user that the app runs as, with all of that user's groups.",
        field="user",
        default_note="that of the node",
        detail="""
        Only root can use this. The app finds ``HOME``, ``USER`` and ``LOGNAME`` of that user in
        its environment. With ``:GROUP``, that group is the primary one.
        """,
    ),
    Setting(
        name="ready-path",
        group=_APP,
        kind=Kind("PATH", urlPath, "a path that begins with ``/``"),
        help="The app is ready when a GET of this path is answered with a status from 200 to 399.",
        field="ready_path",
        default_note="ready when it accepts a connection",
        detail="""
        The request has the route as its ``Host``, or ``localhost`` for the route ``default``. The
        log says which other status the app answers with.
        """,
    ),
    Setting(
        name="ready-command",
        group=_APP,
        kind=Kind("COMMAND", commandLine, "a command, split into words as a shell does"),
        help="The app is ready when this command exits with status 0.",
        field="ready_command",
        detail="""
        It runs as the app does, with the same variables, ``{port}``, ``{host}`` and ``{route}``
        replaced, once the app accepts connections. It is repeated until it succeeds, and killed if
        it takes longer than 10 s.
        """,
    ),
    Setting(
        name="ready-log",
        group=_APP,
        kind=Kind("REGEX", pattern, "a regular expression of Python"),
        help="The app is ready when a line that it prints matches this expression.",
        field="ready_log",
        detail="""
        The expression may match anywhere in the line. If several of ``--ready-log``,
        ``--ready-path`` and ``--ready-command`` are given, the app must satisfy all.
        """,
    ),
    Setting(
        name="send-proxy",
        group=_APP,
        kind=Kind("v1|v2", proxyVersion, "``v1`` or ``v2``"),
        help="Begin each connection to the app with a PROXY protocol header.",
        field="send_proxy",
        default_note="no header",
        environment="BRXY_SEND_PROXY",
        detail="""
        The header names the client. The app must expect it, as nginx does with ``listen …
        proxy_protocol`` and HAProxy with ``accept-proxy``. The requests for ``--ready-path``
        begin with a header, too. A connection for HTTP is then kept only for further requests of
        the same client's connection.
        """,
    ),
    Setting(
        name="idle-timeout",
        group=_APP,
        kind=SECONDS,
        help="How long the node may be idle if it is the newest instance of its route.",
        field="idle_timeout",
        default="300",
        environment="BRXY_IDLE_TIMEOUT",
        detail="Then it stops the app and exits.",
    ),
    Setting(
        name="old-idle-timeout",
        group=_APP,
        kind=SECONDS,
        help="How long the node may be idle if its route has a newer instance.",
        field="old_idle_timeout",
        default="10",
        environment="BRXY_OLD_IDLE_TIMEOUT",
        detail="Then it stops the app and exits.",
    ),
)

STOPPING = (
    Setting(
        name="stop-signal",
        group="Stopping",
        kind=Kind("SIGNAL", signalText, "a signal: ``INT``, ``SIGINT`` or ``2``"),
        help="The signal that stops the app.",
        field="stop_signal",
        default="TERM",
        detail="""
        PostgreSQL, for example, waits for its clients at TERM, and disconnects them at INT.
        """,
        see=":doc:`signals`",
    ),
    Setting(
        name="stop-timeout",
        group="Stopping",
        kind=SECONDS,
        help="How long the app may take to end after --stop-signal.",
        field="stop_timeout",
        default="10",
        detail="Then the app is killed by SIGKILL.",
        see=":doc:`signals`",
    ),
)
