"""
The commands of C{brxy}.
"""

from __future__ import annotations

from brxy.ctl.asking.commands import ASKING
from brxy.ctl.table import Argument, Command

__all__ = ["COMMANDS", "PROGRAMS", "command"]

PROGRAMS = "Programs"
_TOOLS = "Other"

_RUN_DETAIL = """
The edge listens on this machine only, at a free port unless --port says another one, prints its
URL on standard output, and logs on standard error. The app starts with the first request. It finds
its port in PORT in its environment, and in place of {port} among its arguments. All options of
brxy edge can be given before --. Ctrl-C stops the edge and the app.
"""

COMMANDS = (
    Command(
        "run",
        PROGRAMS,
        "Run an edge before one app on this machine.",
        "brxy.ctl.running:run",
        synopsis="[--port PORT] [options of brxy edge] -- COMMAND...",
        options_of="edge",
        detail=_RUN_DETAIL,
    ),
    Command(
        "edge",
        PROGRAMS,
        "Run an edge in the foreground, as twistd -n brxy-edge does.",
        "brxy.ctl.programs:edge",
        synopsis="[options] [-- COMMAND...]",
        options_of="edge",
    ),
    Command(
        "node",
        PROGRAMS,
        "Run a node in the foreground, as twistd -n brxy-node does.",
        "brxy.ctl.programs:node",
        synopsis="[options] -- COMMAND...",
        options_of="node",
    ),
    Command(
        "pki",
        PROGRAMS,
        "Make certificates for edges and nodes, as python -m brxy.pki does.",
        "brxy.ctl.programs:pki",
        synopsis="init DIR | issue DIR NAME... [--for nodes|clients]",
    ),
    *ASKING,
    Command(
        "completion",
        _TOOLS,
        "Print a script that completes the words of brxy in a shell.",
        "brxy.ctl.completion:show",
        (Argument("SHELL", "The shell that reads the script.", choices=("bash", "zsh", "fish")),),
    ),
    Command(
        "check",
        _TOOLS,
        "Check a configuration file, and the files that it includes.",
        "brxy.ctl.programs:check",
        (
            Argument(
                "FILE",
                "The file; by default /etc/brxy/brxy.toml.",
                default="/etc/brxy/brxy.toml",
                optional=True,
                completes="file",
            ),
            Argument("--json", "Print the faults as JSON, for programs."),
        ),
        "It starts and opens nothing. The exit status is 1 if an edge could not use the file.",
    ),
    Command("version", _TOOLS, "Print the version of brxy.", "brxy.ctl.programs:version"),
)


def command(name: str) -> Command | None:
    """
    @return: the command of this name.
    """
    return next((each for each in COMMANDS if each.name == name), None)
