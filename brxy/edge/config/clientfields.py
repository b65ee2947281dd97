"""
Settings of an edge: where clients connect, and which hosts are served.
"""

from __future__ import annotations

from brxy.edge.config.kinds import ENDPOINT, FRONTEND, HALF_CLOSED, NETWORK
from brxy.edge.routing.errorpages import errorPages
from brxy.program.fields import FLAG, FOLDER, PORT, ROUTE, Kind, Setting
from brxy.values.converters import wholeSeconds

__all__ = ["CLIENTS", "ROUTES", "TLS"]

_CLIENTS = "Clients"
_TLS = "TLS for clients"
_ROUTES = "Routes"

CLIENTS = (
    Setting(
        name="port",
        short="p",
        group=_CLIENTS,
        kind=ENDPOINT,
        help="Where HTTP clients connect, such as 8080, 127.0.0.1:8080 or unix:/run/brxy/http.",
        field="ports",
        default="8080",
        default_note="if no other port for clients is given",
        repeatable=True,
        detail="""
        The other ports for clients are those of ``--tcp``, ``--tls-port`` and ``--sni-port``.
        A TCP port queues up to 4096 connections that the edge has not accepted yet, unless the
        endpoint has a ``backlog=`` of its own.
        """,
    ),
    Setting(
        name="tcp",
        group=_CLIENTS,
        kind=FRONTEND,
        help="Where TCP clients connect, over TLS with tls:ENDPOINT; NAME is their route.",
        field="frontends",
        repeatable=True,
        client="a broken connection where an HTTP client would get an error status.",
        detail="""
        This is a *TCP frontend*: the edge passes on the bytes of each connection and does not
        interpret them. Each connection is one exchange of the route ``NAME``. With
        ``NAME=tls:ENDPOINT`` clients connect over TLS, which ends at the edge; that needs
        ``--tls-certs``. ``NAME=tls-postgres:ENDPOINT`` is the same for clients of PostgreSQL,
        which request TLS first. Over TLS the endpoint may end with ``:alpn=PROTOCOL,PROTOCOL...``,
        the protocols that the edge agrees to by ALPN; the default is ``postgresql`` with
        ``tls-postgres:``, else none.
        """,
        see=":ref:`https`",
    ),
    Setting(
        name="proxy-trust",
        group=_CLIENTS,
        kind=NETWORK,
        help="Proxies that begin each connection with a PROXY protocol header.",
        field="proxy_trust",
        repeatable=True,
        client="its connection is closed, if it comes from such an address without a header.",
        detail="""
        From these addresses every connection to a port for clients must begin with a header of the
        `PROXY protocol <https://www.haproxy.org/download/2.8/doc/proxy-protocol.txt>`_, version
        1 or 2. With TLS the header comes before the handshake. In its log, limits and header
        fields brxy then uses the address of the client that the header names. From all other
        addresses the edge expects no header: an HTTP client that sends one gets 400.
        """,
        see=":doc:`behind-a-proxy`",
    ),
    Setting(
        name="forwarded-trust",
        group=_CLIENTS,
        kind=NETWORK,
        help="Proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are kept.",
        field="forwarded_trust",
        repeatable=True,
        detail="""
        In requests from these addresses the edge keeps ``X-Forwarded-For`` and appends to it, and
        keeps ``X-Forwarded-Proto`` and ``X-Forwarded-Host`` if they are well-formed. Of a list of
        schemes it keeps the first, and ``ws`` and ``wss`` become ``http`` and ``https``. In
        requests from all other addresses it replaces the three fields.
        """,
        see=":doc:`behind-a-proxy`",
    ),
    Setting(
        name="half-closed",
        group=_CLIENTS,
        kind=HALF_CLOSED,
        help="What becomes of an HTTP client that half-closes while its request is served.",
        field="half_closed",
        default="abort",
        client="with ``abort`` its connection is closed.",
        detail="""
        A client that has gone, such as ``curl -m 1`` or a closed browser tab, looks like one that
        shuts down only its sending side and still waits. With ``abort`` the edge takes both for
        gone: it aborts the exchange and closes the app's connection at once. With ``serve`` a
        client that half-closes after a whole request that has found an instance still gets its
        answer, but then a client that has gone keeps its instance until the answer is complete.
        Half-closes of TCP and upgraded connections are passed on in either case.
        """,
        see=":doc:`hostile`",
    ),
    Setting(
        name="error-pages",
        group=_CLIENTS,
        kind=Kind("FOLDER", errorPages, "a folder with pages such as ``503.html``"),
        help="The folder with pages for errors of the edge, such as 404.html and 503.html.",
        field="error_pages",
        default_note="each error is one line of text",
        reloadable=True,
        detail="""
        A client that names HTML in its ``Accept``, as browsers do, gets the page for the status if
        the folder has one. Errors of apps are passed on as they are.
        """,
        see=":ref:`error-pages`",
    ),
)

TLS = (
    Setting(
        name="tls-port",
        group=_TLS,
        kind=ENDPOINT,
        help="Where HTTPS clients connect, such as 443 or [::1]:8443.",
        field="tls_ports",
        repeatable=True,
        detail="TLS ends at the edge. This needs ``--tls-certs``.",
        see=":ref:`https`",
    ),
    Setting(
        name="tls-certs",
        group=_TLS,
        kind=FOLDER,
        help="The folder with the certificates for clients and their keys.",
        field="tls_certs",
        reloadable=True,
        detail="""
        Each certificate is ``NAME.pem`` (with its chain and its key), ``NAME.crt`` and
        ``NAME.key``, or ``NAME/fullchain.pem`` and ``NAME/privkey.pem``. The edge needs the folder
        for ``--tls-port`` and for ``--tcp NAME=tls:ENDPOINT``. With this option and neither of
        them the edge does not start.
        """,
        see=":ref:`https`",
    ),
    Setting(
        name="sni-port",
        group=_TLS,
        kind=ENDPOINT,
        help="Where TLS clients connect; the edge passes their bytes on without decrypting them.",
        field="sni_ports",
        repeatable=True,
        detail="""
        The server name that a client requests is the route; a client that requests none gets the
        default route. The app makes the TLS handshake and has the key. Clients of PostgreSQL may
        request TLS before (see :ref:`tls-postgres`).
        """,
        see=":ref:`https`",
    ),
    Setting(
        name="hsts",
        group=_TLS,
        kind=Kind("TIME", wholeSeconds, "a time of whole seconds, 0 or more", "seconds"),
        help="HSTS: tell browsers to use only HTTPS for this long.",
        field="hsts",
        default_note="off",
        client="``Strict-Transport-Security: max-age=SECONDS`` in each response over HTTPS.",
        detail="""
        The edge adds the field ``Strict-Transport-Security`` to each response over HTTPS, unless
        the app's response has one already. With ``0`` browsers forget the value they got before.
        """,
        see=":ref:`https`",
    ),
    Setting(
        name="https-redirect",
        group=_TLS,
        kind=PORT,
        help="Redirect the clients of --port to an https URL with this port.",
        field="https_redirect",
        default_note="off",
        client="308 with the same URL over HTTPS.",
        detail="""
        ``443`` is right where the edge is reached at the usual ports. Requests for an IP address,
        for ``localhost``, or for a path below ``/.well-known/acme-challenge/`` are not redirected.
        The scheme of a client behind a proxy in :option:`--forwarded-trust` is the one in
        ``X-Forwarded-Proto``, if the proxy sends it.
        """,
        see=":ref:`https`",
    ),
)

ROUTES = (
    Setting(
        name="route",
        group=_ROUTES,
        kind=Kind("HOST", ROUTE.convert, ROUTE.takes),
        help="A host that the edge serves; given once or more, the edge serves no other host.",
        field="routes",
        default_note="every host, or the hosts that spawn strings and nodes name",
        repeatable=True,
        client="404 for any other host, and no instance is started.",
        detail="""
        Without this option the edge serves the hosts that match the ``route=`` of a spawn string,
        and those that a node serves. With neither ``--route`` nor any ``route=``, or with a spawn
        string for all routes, it serves every host.
        """,
        see=":doc:`spawn`",
    ),
    Setting(
        name="default-route",
        group=_ROUTES,
        kind=ROUTE,
        help="The route of localhost and of all IP addresses.",
        field="default_route",
        default="default",
        detail="So ``localhost``, ``127.0.0.1`` and ``[::1]`` reach the same app.",
    ),
    Setting(
        name="default-route-for-all",
        group=_ROUTES,
        kind=FLAG,
        help="Use the default route also for every host that is not configured.",
        field="default_route_for_all",
        detail="A host is configured if ``--route`` names it or if it matches a ``route=``.",
    ),
)
