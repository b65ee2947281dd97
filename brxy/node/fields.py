"""
The settings of a node, each declared once.

From here come its command line, C{--help}, the defaults of its settings object and the
reference of its options.
"""

from __future__ import annotations

from brxy.interfaces import Address
from brxy.node.early import isPlain
from brxy.program.fields import (
    CAPACITY,
    COMMON,
    FILE,
    FLAG,
    PORT,
    ROUTE,
    SECONDS,
    Kind,
    Setting,
    Table,
)
from brxy.program.tokenfile import isToken
from brxy.reactor.endpoints import clientEndpoint
from brxy.readiness import urlPath
from brxy.values.converters import count
from brxy.wire.proxyheader import proxyVersion

__all__ = ["FIELDS"]

_APP = "App"
_EDGE = "Edge"
_TLS = "TLS to the edge"
_STOPPING = "Stopping"
_ORDER = "Order"

_ELSEWHERE = ":ref:`elsewhere`"


def _endpoint(text: str) -> str:
    # Checking loads Twisted's endpoints, which takes long before the app was started.
    return text if isPlain("edge", text) else clientEndpoint(text, "use --edge-tls-ca")


def _address(text: str) -> Address:
    host, _, port = text.rpartition(":")
    try:
        if host:
            return Address(host.strip("[]"), PORT.convert(port))
    except ValueError:
        pass
    raise ValueError("HOST:PORT is needed")


def _token(text: str) -> str:
    if text and not isToken(text):
        raise ValueError("it is not a token")
    return text


def _generation(text: str) -> int | None:
    return count(text) or None


_APP_SETTINGS = (
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
        default="1",
        environment="BRXY_CAPACITY",
        see=":ref:`which-capacity`",
    ),
    Setting(
        name="app",
        group=_APP,
        kind=Kind("HOST:PORT", _address, "a host and a port"),
        help="The address of an app that runs already, in place of a command.",
        field="app",
    ),
    Setting(
        name="app-port",
        group=_APP,
        kind=PORT,
        help="The port that the app listens on.",
        field="app_port",
        default_note="a free port",
        detail="Use this for an app whose port cannot be set.",
    ),
    Setting(
        name="ready-path",
        group=_APP,
        kind=Kind("PATH", urlPath, "a path that begins with ``/``"),
        help="The app is ready when a GET of this path is answered by 200 to 399.",
        field="ready_path",
        default_note="ready when it accepts a connection",
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

_EDGE_SETTINGS = (
    Setting(
        name="edge",
        group=_EDGE,
        kind=Kind("ENDPOINT", _endpoint, "a client endpoint"),
        help="Where the node dials the edge, at its --node-port: a client endpoint.",
        field="edge",
        default="tcp:127.0.0.1:9080",
        environment="BRXY_EDGE",
    ),
    Setting(
        name="token-file",
        group=_EDGE,
        kind=FILE,
        help="The file whose first line is the token for the edge.",
        field="token_file",
        default_note="the token in BRXY_TOKEN",
        detail="The node reads the file each time it dials.",
        see=":ref:`tokens`",
    ),
    Setting(
        name="edge-tls-ca",
        group=_TLS,
        kind=FILE,
        help="Dial over TLS, to an edge with a certificate of an authority in this file.",
        field="tls.ca",
        environment="BRXY_EDGE_TLS_CA",
        detail="""
        The file is PEM. The node reads it each time it dials, as the files of ``--edge-tls-cert``
        and ``--edge-tls-key``.
        """,
        see=_ELSEWHERE,
    ),
    Setting(
        name="edge-tls-name",
        group=_TLS,
        kind=Kind("NAME", str, "a host name or an IP address"),
        help="The name that the certificate of the edge must be for.",
        field="tls.name",
        default_note="the host in --edge",
        environment="BRXY_EDGE_TLS_NAME",
        see=_ELSEWHERE,
    ),
    Setting(
        name="edge-tls-cert",
        group=_TLS,
        kind=FILE,
        help="The certificate of the node, as PEM.",
        field="tls.certificate",
        environment="BRXY_EDGE_TLS_CERT",
        detail="It needs ``--edge-tls-key``.",
        see=_ELSEWHERE,
    ),
    Setting(
        name="edge-tls-key",
        group=_TLS,
        kind=FILE,
        help="The key of the certificate of --edge-tls-cert, as PEM.",
        field="tls.key",
        environment="BRXY_EDGE_TLS_KEY",
        see=_ELSEWHERE,
    ),
)

_STOPPING_SETTINGS = (
    Setting(
        name="stop-timeout",
        group=_STOPPING,
        kind=SECONDS,
        help="How long the app may take to end after SIGTERM.",
        field="stop_timeout",
        default="10",
        detail="Then the app is killed by SIGKILL.",
        see=":doc:`signals`",
    ),
    Setting(
        name="drain-timeout",
        group=_STOPPING,
        kind=SECONDS,
        help="How long running exchanges may continue when the node is stopped.",
        field="drain_timeout",
        default="25",
        see=":doc:`signals`",
    ),
    Setting(
        name="exit-on-stdin-eof",
        group=_STOPPING,
        kind=FLAG,
        help="Stop when standard input is closed.",
        field=None,
        detail="""
        Use this where you run a node by ``ssh`` yourself: the node then ends when the connection
        breaks.
        """,
    ),
)

# What only an edge can say to the nodes that it spawns.
_ORDER_SETTINGS = (
    Setting(
        name="ticket",
        group=_ORDER,
        kind=Kind("TICKET", str, "a ticket"),
        help="The ticket of the order for this instance.",
        field="ticket",
        default="",
        environment="BRXY_TICKET",
        is_option=False,
    ),
    Setting(
        name="generation",
        group=_ORDER,
        kind=Kind("N", _generation, "a whole number"),
        help="When the instance was ordered; an instance with a higher number is newer.",
        field="generation",
        environment="BRXY_GENERATION",
        is_option=False,
    ),
    Setting(
        name="token",
        group=_ORDER,
        kind=Kind("TOKEN", _token, "1 to 255 printable ASCII characters"),
        help="The token for the edge.",
        field="token",
        default="",
        environment="BRXY_TOKEN",
        is_option=False,
        is_secret=True,
    ),
)

#: All of them.  L{Setting.field} is a path from L{brxy.node.settings.NodeSettings}.
FIELDS = Table((*_APP_SETTINGS, *_EDGE_SETTINGS, *_STOPPING_SETTINGS, *COMMON, *_ORDER_SETTINGS))
