"""
Tests of L{brxy.edge.config.nodeports}.
"""

from __future__ import annotations

from typing import Any

from twisted.trial.unittest import SynchronousTestCase
from zope.interface import implementer

from brxy.edge.config.nodeports import defaultNodePorts
from brxy.interfaces import ILocal


class _Spawner:
    def __init__(self, dials_back: bool) -> None:
        self.dials_back = dials_back


@implementer(ILocal)
class _LocalSpawner(_Spawner):
    pass


class NodePortTests(SynchronousTestCase):
    """
    Tests of L{defaultNodePorts}.
    """

    def ports(
        self, *spawners: Any, strangers: bool = False, over_tls: bool = False
    ) -> tuple[bool, bool]:
        """
        @return: whether there is a socket, and the default port.
        """
        return defaultNodePorts(spawners, strangers=strangers, over_tls=over_tls)

    def test_needed(self) -> None:
        """
        An edge has the ports at which nodes of its own, or of others, can dial in.
        """
        app, near, far = _Spawner(False), _LocalSpawner(True), _Spawner(True)
        for spawners, expected in (
            ((), (False, True)),
            ((app,), (False, False)),
            ((near,), (True, False)),
            ((app, near), (True, False)),
            ((far,), (False, True)),
            ((app, far), (False, True)),
            ((near, far), (True, True)),
        ):
            self.assertEqual(self.ports(*spawners), expected)

    def test_strangers(self) -> None:
        """
        Nodes with a token of their own know the default port.
        """
        self.assertEqual(self.ports(_LocalSpawner(True), strangers=True), (True, True))
        self.assertEqual(self.ports(_Spawner(False), strangers=True), (False, False))

    def test_tls(self) -> None:
        """
        Nodes that are prepared for TLS get a port with TLS.
        """
        self.assertEqual(self.ports(_LocalSpawner(True), over_tls=True), (False, True))
