"""
Settings of an edge: its admin API, and its health checks.
"""

from __future__ import annotations

from brxy.edge.config.adminport import adminPort, healthPath
from brxy.program.fields import FILE, Kind, Setting

__all__ = ["ADMIN"]

_ADMIN = "Administration"

ADMIN = (
    Setting(
        name="admin",
        group=_ADMIN,
        kind=Kind(
            "ENDPOINT|off",
            adminPort,
            "a port, ``ADDRESS:PORT`` or a server endpoint, with ``tls:`` before it for TLS; or "
            "``off``",
        ),
        help="Where the admin API is served, such as unix:/run/brxy/admin or 127.0.0.1:9900.",
        field="admin",
        default_note="admin.sock in --state-dir, or none",
        repeatable=True,
        detail="""
        A Unix socket gets the mode 600 unless the endpoint has a ``mode=`` of its own: then only
        the edge's user can connect to it. Any other endpoint needs ``--admin-token-file``, and
        must be on loopback or over TLS, with a certificate of ``--tls-certs``. With ``off`` there
        is no admin API. The socket in the state folder is opened in addition to these ports.
        """,
        see=":doc:`admin`",
    ),
    Setting(
        name="admin-token-file",
        group=_ADMIN,
        kind=FILE,
        help="The file with the token of the admin API, which is needed except on Unix sockets.",
        field="admin_token_file",
        reloadable=True,
        detail="""
        The token is the first line of the file, 1 to 255 printable ASCII characters. If the file
        does not exist, the edge creates it with a random token. A request brings it as
        ``Authorization: Bearer TOKEN``.
        """,
        see=":doc:`admin`",
    ),
    Setting(
        name="health-path",
        group=_ADMIN,
        kind=Kind("PATH", healthPath, "a path that begins with ``/``"),
        help="A path at which the edge itself answers health checks of load balancers.",
        field="health_path",
        default_note="off; apps answer all paths",
        client="200, or 503 once the edge is draining.",
        detail="""
        On every port for HTTP clients, and for every host, the edge answers requests for this path
        itself. Such a request starts no app. Apps do not get requests for this path any more.
        """,
        see=":doc:`admin`",
    ),
)
