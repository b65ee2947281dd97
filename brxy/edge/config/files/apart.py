"""
Reads and checks configuration files in a process of its own.

In the process of the edge many files would take long, also in a thread, which keeps the reactor
from running while it parses.
"""

from __future__ import annotations

import os
import pickle
import sys
from collections.abc import Mapping
from typing import Any

from twisted.internet.threads import deferToThreadPool

from brxy import __version__
from brxy.edge.config.files.configuration import Configuration
from brxy.edge.config.files.frames import OtherVersion, decode, encode, encodeError, remember
from brxy.edge.config.files.loading import loadFiles
from brxy.edge.config.files.reader import readConfiguration
from brxy.errors import SpawnFailed, UsageError
from brxy.program.apart import runApart
from brxy.reactor.endpoints import HANDED_ON
from brxy.reactor.slices import inSlices

__all__ = ["Apart", "main"]


class Apart:
    """
    Reads the files of an edge again and again.
    """

    def __init__(
        self, reactor: Any, given: Mapping[str, Any], configuration: Configuration
    ) -> None:
        """
        @param given: the values on the command line.
        @param configuration: what the files say now.
        """
        self._reactor = reactor
        self._given = given
        self._received = remember(configuration)

    async def read(self) -> Configuration:
        """
        Read the configuration file and the files that it includes, and check them as
        C{brxy check} does.

        @return: what they say, with all that is wrong.
        @raise UsageError: they can't be read at all.
        """
        request = pickle.dumps((self._received.configuration.file, self._given))
        pool = self._reactor.getThreadPool()
        try:
            data = await deferToThreadPool(self._reactor, pool, runApart, __name__, request)
            self._received = await inSlices(self._reactor, decode(data, self._received))
        except UsageError:
            raise
        except SpawnFailed as error:
            raise UsageError(f"the settings can't be read again: {error}") from None
        except OtherVersion as error:
            raise UsageError(
                f"brxy {error} is installed now, and this edge is {__version__}: restart it to "
                "read the settings again"
            ) from None
        except Exception as error:
            # Another brxy may have been installed under the same version.
            raise UsageError(f"the settings can't be read again: {error!r}") from error
        return self._received.configuration


def main() -> None:
    """
    The process: takes the path and the values on standard input, and writes the configuration
    to standard output.
    """
    # What a spawner prints is not to be taken for that.
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    path, given = pickle.load(sys.stdin.buffer)
    # The edge has the sockets that systemd passed; this process does not.
    os.environ.setdefault(HANDED_ON, "")
    # Spawners of others may need more of a reactor than a clock.  It does not run.
    from twisted.internet import reactor

    with output:
        try:
            loaded = loadFiles(given, readConfiguration(path), reactor)
        except UsageError as error:
            output.write(encodeError(str(error)))
        else:
            output.writelines(encode(loaded.configuration))
