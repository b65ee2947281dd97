"""
The command line of an edge.
"""

from __future__ import annotations

from twisted.python import usage

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.files.configuration import NO_FILES
from brxy.edge.config.files.reader import readConfiguration
from brxy.edge.config.making.completing import check, complete
from brxy.errors import UsageError
from brxy.program.options import Options as CommonOptions
from brxy.spawners.describe import describeSpawners
from brxy.spawners.registry import findSpawners
from brxy.spawners.spec import SpawnSpec

__all__ = ["Options"]


class Options(CommonOptions):
    """
    The options of the edge.

    @ivar given: the values that the command line gives.
    @ivar configuration: what the configuration file says.
    """

    configuration = NO_FILES

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
        if self.configuration is NO_FILES:
            if self["watch"]:
                raise usage.UsageError("--watch needs --config")
            try:
                check(self)
            except UsageError as error:
                raise usage.UsageError(str(error)) from None
        self.withoutPidfile()

    def completeGiven(self) -> None:
        """
        Take what is not given from the configuration file.  What is wrong there is reported
        with all else, see L{brxy.edge.config.files.loading}.
        """
        self.given = dict(self)
        if self["config"]:
            self.configuration = readConfiguration(self["config"])
        self.update(complete(self.given, self.configuration.values))
