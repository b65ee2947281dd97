"""
The settings of a node, each declared once.

From here come its command line, C{--help}, the defaults of its settings object and the
reference of its options.
"""

from __future__ import annotations

from brxy.node.appfields import APP, STOPPING
from brxy.node.early import isPlain
from brxy.program.fields import (
    COMMON,
    FILE,
    FLAG,
    SECONDS,
    Kind,
    Setting,
    Table,
)
from brxy.program.tokenfile import isToken
from brxy.reactor.endpoints import clientEndpoint
from brxy.values.converters import count

__all__ = ["FIELDS"]

_EDGE = "Edge"
_TLS = "TLS to the edge"
_ORDER = "Order"

_ELSEWHERE = ":ref:`elsewhere`"


def _endpoint(text: str) -> str:
    # Checking loads Twisted's endpoints, which takes long before the app was started.
    return text if isPlain("edge", text) else clientEndpoint(text, "use --edge-tls-ca")


def _token(text: str) -> str:
    if text and not isToken(text):
        raise ValueError("it is not a token")
    return text


def _generation(text: str) -> int | None:
    return count(text) or None


_EDGE_SETTINGS = (
    Setting(
        name="edge",
        group=_EDGE,
        kind=Kind("ADDRESS", _endpoint, "``HOST:PORT`` or a client endpoint"),
        help="Where the node dials the edge, at its --node-port, such as edge.example.net:9080.",
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
    *STOPPING,
    Setting(
        name="drain-timeout",
        group="Stopping",
        kind=SECONDS,
        help="How long running exchanges may continue when the node is stopped.",
        field="drain_timeout",
        default="25",
        see=":doc:`signals`",
    ),
    Setting(
        name="exit-on-stdin-eof",
        group="Stopping",
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
FIELDS = Table((*APP, *_EDGE_SETTINGS, *_STOPPING_SETTINGS, *COMMON, *_ORDER_SETTINGS))
