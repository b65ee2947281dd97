"""
The command line of an edge.
"""

from __future__ import annotations

from twisted.python import usage

from brxy.edge.config.fields import FIELDS
from brxy.program.options import Options as CommonOptions
from brxy.spawners.describe import describeSpawners
from brxy.spawners.registry import findSpawners
from brxy.spawners.spec import SpawnSpec

__all__ = ["Options"]

#: The options that give clients a port.
_CLIENT_PORTS = ("port", "tcp", "tls-port", "sni-port")


class Options(CommonOptions):
    """
    The options of the edge.
    """

    program = "brxy-edge"

    table = FIELDS

    synopsis = "[options] [-- command...]"

    longdesc = (
        "Accepts clients, and holds them while no instance of their app is free. "
        "A command after -- is one more --spawn, for process:."
    )

    examples = (
        'twistd -n brxy-edge --spawn "app: -- python app.py --port {port}"',
        'twistd -n brxy-edge --spawn "docker: image=nginx port=80 max=4"',
        "twistd -n brxy-edge --port 80 --tls-port 443 --tls-certs /etc/certs \\\n"
        '    --https-redirect 443 --spawn "app: max=4 -- gunicorn app:app"',
    )

    def opt_help_spawners(self) -> None:
        """
        Print all spawners and their keys, and exit.
        """
        self.printAndExit(describeSpawners(*findSpawners()).rstrip("\n"))

    def parseArgs(self, *command: str) -> None:
        """
        Take what follows C{--} as a command for C{process:}.
        """
        if command:
            self["spawn"].append(SpawnSpec("process", {}, command))

    def postOptions(self) -> None:
        """
        Complete the options, and check them against each other.
        """
        super().postOptions()
        if not any(self[name] for name in _CLIENT_PORTS):
            self["port"].append(FIELDS["port"].value)
        if len(self["admin"]) > 1 and None in self["admin"]:
            raise usage.UsageError("--admin off leaves no other --admin")
        admin = [each for each in self["admin"] if each is not None]
        over_tls = self["tls-port"] or any(each.over_tls for each in [*self["tcp"], *admin])
        if over_tls and not self["tls-certs"]:
            raise usage.UsageError("for clients over TLS give --tls-certs, too")
        if self["tls-certs"] and not over_tls:
            raise usage.UsageError(
                "--tls-certs is of no use without --tls-port or --tcp NAME=tls:ENDPOINT"
            )
        self.withoutPidfile()
