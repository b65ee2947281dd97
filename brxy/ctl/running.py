"""
C{brxy run}: an edge before one app on this machine.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Sequence
from typing import Any, TextIO

from brxy.ctl.commands import command
from brxy.ctl.exitstatus import DONE, USAGE, Failure

__all__ = ["edgeArguments", "run"]

# The options that give clients a port.
_PORTS = ("-p", "--port", "--tcp", "--tls-port", "--sni-port")

_ANYWHERE = "127.0.0.1:0"


def edgeArguments(arguments: Sequence[str]) -> list[str]:
    """
    The arguments of an edge that does what C{brxy run} with these does.

    @raise Failure: there is no command.
    """
    given, app = _split(arguments)
    if not app:
        raise Failure("the command of the app is needed after --; see brxy run --help", USAGE)
    # The edge puts the folder of its own Python first, too.
    folders = os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)
    if shutil.which(app[0], path=os.pathsep.join(folders)) is None:
        raise Failure(f"cannot run {app[0]!r}: no such executable on PATH")
    options = _onThisMachine(given)
    if not any(each.partition("=")[0] in _PORTS for each in options):
        options = ["--port", _ANYWHERE, *options]
    return [*options, "--spawn", f"app: -- {shlex.join(app)}"]


def _split(arguments: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """
    @return: the options, and the command of the app.
    """
    if "--" in arguments:
        end = arguments.index("--")
        return arguments[:end], arguments[end + 1 :]
    # Only the edge knows which options have a value.
    if arguments and not arguments[0].startswith("-"):
        return (), arguments
    return arguments, ()


def _onThisMachine(options: Sequence[str]) -> list[str]:
    """
    The same options, where a port that is a mere number is one of this machine only.
    """
    changed: list[str] = []
    for each in options:
        name, equals, value = each.partition("=")
        if changed[-1:] in (["-p"], ["--port"]) and each.isdigit():
            changed.append(f"127.0.0.1:{each}")
        elif name == "--port" and equals and value.isdigit():
            changed.append(f"--port=127.0.0.1:{value}")
        else:
            changed.append(each)
    return changed


class _Announcer:
    """
    An observer of the log that prints where clients connect.
    """

    def __init__(self, file: TextIO) -> None:
        self._file = file

    def __call__(self, event: Any) -> None:
        """
        Print the URL of a port that was opened.
        """
        if event.get("log_namespace") == "brxy.edge" and event.get("log_format") == self.text:
            print(event["where"].split()[0], file=self._file, flush=True)

    @property
    def text(self) -> str:
        """
        The format of the message that such a port is open.
        """
        from brxy.edge.eventlog import TEXTS
        from brxy.edge.startstop import Listening

        return TEXTS[Listening][1]


def run(arguments: Sequence[str]) -> int:
    """
    Run the edge until a signal stops it.
    """
    if arguments and arguments[0] in ("-h", "--help"):
        _help()
        return DONE
    sys.argv[1:] = edgeArguments(arguments)
    from twisted.logger import globalLogPublisher

    # Standard output has the URL and nothing else; the log goes to standard error.
    output = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    announcer: Any = _Announcer(output)
    globalLogPublisher.addObserver(announcer)
    from brxy.edge.__main__ import main

    main()
    return DONE


def _help() -> None:
    from brxy.ctl.parser import passedOnHelp

    found = command("run")
    assert found is not None
    print(passedOnHelp(found))
