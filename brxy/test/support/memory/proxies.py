"""
A proxy on loopback and a client behind it.
"""

from __future__ import annotations

from brxy.interfaces import Address
from brxy.values.networks import Networks
from brxy.wire.proxyheader import Endpoints

__all__ = ["CLIENT", "HERE"]

#: Where tests connect from.
HERE = Networks(["127.0.0.0/8", "unix"])

#: The client that a proxy's header names, and where it connected.
CLIENT = Endpoints(Address("192.0.2.7", 40312), Address("198.51.100.1", 443))
