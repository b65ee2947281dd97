"""
Tests of clients over plain connections, repeated with clients that use TLS.
"""

from __future__ import annotations

from brxy.test.support.loopback.edges import onTLS
from brxy.test.whole import test_held, test_hostile_clients, test_http, test_tcp


@onTLS
class ConnectionTests(test_http.ConnectionTests):
    """
    Tests of the requests on a connection, and their order, over TLS.
    """


@onTLS
class OldClientTests(test_http.OldClientTests):
    """
    Tests of clients that speak HTTP/1.0 over TLS.
    """


@onTLS
class BodyTests(test_http.BodyTests):
    """
    Tests of bodies, and of interim responses before them, over TLS.
    """


@onTLS
class HeldTests(test_held.HeldTests):
    """
    Tests of requests for which there is no instance yet, over TLS.
    """


@onTLS
class LeavingTests(test_hostile_clients.LeavingTests):
    """
    Tests of clients that hang up while they are held, or later, over TLS.
    """


@onTLS
class TCPTests(test_tcp.TCPTests):
    """
    Tests of TLS that ends before a TCP route.
    """
