"""
The spawner C{ssh:}, which runs a command on another host by OpenSSH's client.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from twisted.internet.defer import CancelledError, Deferred, gatherResults
from zope.interface import implementer

from brxy.errors import BadSpawnSpec, SpawnFailed
from brxy.interfaces import Gone, IInstance, ISpawner, SpawnOrder
from brxy.spawners.command import CommandFactory
from brxy.spawners.instance import BaseInstance
from brxy.spawners.output import OutputLogger
from brxy.spawners.running import Running
from brxy.spawners.ssh.client import SshClient, forwardTarget
from brxy.spawners.ssh.folder import ControlFolder
from brxy.spawners.ssh.hosts import Hosts
from brxy.spawners.ssh.link import SshLink
from brxy.spawners.ssh.options import SshOptions
from brxy.spawners.ssh.remote import instructions
from brxy.spawners.ssh.session import Session

__all__ = ["SshOptions", "SshSpawner", "factory"]


class _Links:
    """
    The connections to all hosts.
    """

    def __init__(self, reactor: Any, options: SshOptions, environ: Mapping[str, str]) -> None:
        self._reactor = reactor
        self._options = options
        self._environ = environ
        self._folder = ControlFolder()
        self._links: dict[str, list[SshLink]] = {host: [] for host in options.host}

    def take(self, host: str, target: str | None) -> SshLink:
        """
        Take a connection for one more instance.

        @return: the connection, which may not be up yet.
        @raise SpawnFailed: there is none.
        """
        links = self._links[host]
        link = next((each for each in links if each.room and each.target == target), None)
        if link is None:
            control = self._folder.next()
            client = self._client(host)
            link = SshLink(self._reactor, client, self._environ, control, target, links.remove)
            link.start()
            links.append(link)
        link.sessions += 1
        return link

    def release(self, host: str, link: SshLink) -> None:
        """
        An instance no longer needs a connection.  One connection is kept for the next.
        """
        link.sessions -= 1
        others = [each for each in self._links[host] if each is not link and each.room]
        if others and not link.sessions and link.room:
            # L{close} waits for it too, if it is called meanwhile.
            link.close()

    async def close(self) -> None:
        """
        Close all connections.
        """
        await gatherResults([link.close() for links in self._links.values() for link in links])
        self._folder.remove()

    def _client(self, host: str) -> SshClient:
        options = self._options
        return SshClient(
            host, options.user, options.port, options.key, options.config, options.connect_timeout
        )


class SshInstance(BaseInstance):
    """
    One run of the command.
    """

    def __init__(self, spawner: SshSpawner, order: SpawnOrder, target: str | None) -> None:
        super().__init__()
        self._spawner = spawner
        self._order = order
        self._target = target
        self._session: Session | None = None
        self._run: Deferred[None] | None = None

    def start(self) -> None:
        """
        Begin.
        """
        self._run = self.live(self._live())

    def stop(self) -> None:
        """
        See L{IInstance}.
        """
        if self._session is not None:
            self._session.stop()
        elif self._run is not None:
            self._run.cancel()

    async def _live(self) -> Gone:
        try:
            host, link = await self._spawner.place(self._target)
            try:
                self._log.info("{ticket}: on {host}", ticket=self._order.ticket, host=host)
                return Gone(await self._work(link))
            finally:
                self._spawner.leave(host, link)
        except SpawnFailed as error:
            return Gone(str(error))
        except CancelledError:
            return Gone("stopped before it ran")

    async def _work(self, link: SshLink) -> str:
        order, spawner = self._order, self._spawner
        environment = dict(order.environment)
        if link.edge is not None:
            environment["BRXY_EDGE"] = link.edge
        given = instructions(environment, spawner.command(order.route), spawner.stop_timeout)
        output = OutputLogger(self._log, order.ticket)
        self._session = Session(spawner.reactor, link, output, spawner.stop_timeout)
        return await self._session.run(given)


@implementer(ISpawner)
class SshSpawner:
    """
    Runs the same command for each instance, on one of some hosts.
    """

    dials_back = True

    def __init__(
        self,
        options: SshOptions,
        command: Sequence[str],
        reactor: Any,
        environ: Mapping[str, str] = os.environ,
    ) -> None:
        if shutil.which("ssh", path=environ.get("PATH", os.defpath)) is None:
            raise BadSpawnSpec("ssh: needs OpenSSH's client (apt install openssh-client)")
        self.reactor = reactor
        self.stop_timeout = options.stop_timeout
        self._command = command
        self._hosts = Hosts(options.host, options.per_host)
        self._links = _Links(reactor, options, environ)
        self._running = Running()

    def spawn(self, order: SpawnOrder) -> IInstance:
        """
        See L{ISpawner}.
        """
        self._running.check()
        edge = order.environment.get("BRXY_EDGE")
        try:
            target = forwardTarget(edge, os.getcwd()) if edge else None
        except ValueError as error:
            raise SpawnFailed(str(error)) from None
        instance = SshInstance(self, order, target)
        self._running.add(instance, instance.over)
        instance.start()
        return instance

    def stop(self) -> Deferred[None]:
        """
        See L{ISpawner}.
        """
        return Deferred.fromCoroutine(self._stop())

    async def _stop(self) -> None:
        await self._running.stop()
        await self._links.close()

    # For its instances

    def command(self, route: str) -> list[str]:
        """
        @return: the command for a route.
        """
        return [argument.replace("{route}", route) for argument in self._command]

    async def place(self, target: str | None) -> tuple[str, SshLink]:
        """
        Find a host and connect to it, until L{leave} is called.

        @param target: what nodes there are to reach, see L{forwardTarget}.
        @raise SpawnFailed: no host can be used; the message has the reasons.
        """
        reasons: dict[str, str] = {}
        while (host := self._hosts.take(self.reactor.seconds(), reasons)) is not None:
            try:
                return host, await self._reach(host, target)
            except SpawnFailed as error:
                self._hosts.failed(host, self.reactor.seconds())
                reasons[host] = str(error)
        raise SpawnFailed(self._refusal(reasons))

    async def _reach(self, host: str, target: str | None) -> SshLink:
        link: SshLink | None = None
        try:
            link = self._links.take(host, target)
            await link.whenUp()
        except BaseException:
            if link is not None:
                self._links.release(host, link)
            self._hosts.release(host)
            raise
        self._hosts.reached(host)
        return link

    def leave(self, host: str, link: SshLink) -> None:
        """
        An instance is gone from a host.
        """
        self._links.release(host, link)
        self._hosts.release(host)

    def _refusal(self, reasons: Mapping[str, str]) -> str:
        full: Collection[str] = self._hosts.full(reasons)
        failed = [f"{host}: {reason}" for host, reason in reasons.items()]
        return "; ".join([*failed, *(f"{host}: full" for host in full)])


factory = CommandFactory(
    "ssh",
    "runs a command that runs a node on another host, by OpenSSH's client",
    SshOptions,
    SshSpawner,
)
