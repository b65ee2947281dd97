"""
C{docker:} and C{swarm:} pass the suite for spawners.
"""

from __future__ import annotations

from twisted.trial.unittest import TestCase

from brxy.spawners.docker import spawner as docker
from brxy.spawners.testing import SpawnerTests
from brxy.test.support.docker.daemonbeds import NODE_COMMAND, DaemonBed, SwarmBed
from brxy.test.support.docker.dockerd import MISSING, MOUNTS, NODE, theDockerd


class FrontedDockerTests(DaemonBed, SpawnerTests, TestCase):
    """
    C{docker:} passes with an image that knows nothing of us.
    """

    if MISSING:
        skip = MISSING

    factory = docker.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} port=8000 volume={MOUNTS} -- {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} port=8000 -- no-such-program"


class NodeDockerTests(DaemonBed, SpawnerTests, TestCase):
    """
    C{docker:} passes with a node in the image.
    """

    if MISSING:
        skip = MISSING

    factory = docker.factory

    def spec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return f"docker: image={NODE} volume={MOUNTS} -- {NODE_COMMAND} {self.appCommand()}"

    def brokenSpec(self) -> str:
        """
        See L{SpawnerTests}.
        """
        return "docker: image=no-such-image pull=never -- sh"


class SwarmTests(SwarmBed, SpawnerTests, TestCase):
    """
    C{swarm:} passes.
    """

    if MISSING:
        skip = MISSING

    def setUp(self) -> None:
        """
        Prepare what all tests need.
        """
        super().setUp()
        theDockerd().joinSwarm()
