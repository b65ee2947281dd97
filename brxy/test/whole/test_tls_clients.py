"""
What holds for clients, for those that come by TLS.
"""

from __future__ import annotations

from brxy.test.support.loopback.edges import onTLS
from brxy.test.whole import test_held, test_hostile_clients, test_http, test_tcp


@onTLS
class ConnectionTests(test_http.ConnectionTests):
    """
    Which requests a connection carries, in which order.
    """


@onTLS
class OldClientTests(test_http.OldClientTests):
    """
    Clients that speak HTTP/1.0.
    """


@onTLS
class BodyTests(test_http.BodyTests):
    """
    Bodies and what goes before them.
    """


@onTLS
class HeldTests(test_held.HeldTests):
    """
    Requests for which there is no instance yet.
    """


@onTLS
class LeavingTests(test_hostile_clients.LeavingTests):
    """
    Clients that hang up while they are held, or later.
    """


@onTLS
class TCPTests(test_tcp.TCPTests):
    """
    TLS that ends before a TCP route.
    """
