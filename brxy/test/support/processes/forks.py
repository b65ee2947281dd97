"""
A program that runs C{twistd} in forks of itself, so that many edges and nodes
start without importing everything again.

It reads orders, one line of JSON each, from its standard input: C{argv},
C{folder}, C{environ}, C{output} (a file). For each it prints the child's
process id, and when the child has ended, its id and its exit status.
"""

from __future__ import annotations

import json
import os
import select
import sys
from typing import Any

from twisted.scripts import twistd

import brxy.edge.service
import brxy.edge.tap
import brxy.node.service
import brxy.node.tap
from brxy.processes.ports import PORTS, Ports

__all__ = ["serve"]


def _become(order: dict[str, Any]) -> None:
    """
    Run C{twistd} in this process.
    """
    output = os.open(order["output"], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for number, source in enumerate((nothing, output, output)):
        os.dup2(source, number)
    os.chdir(order["folder"])
    os.environ.clear()
    os.environ.update(order["environ"])
    # Each process chooses ports of its own.
    Ports.__init__(PORTS)
    sys.argv[:] = order["argv"]
    twistd.run()


def serve() -> None:
    """
    Carry out orders until standard input is closed.
    """
    assert "twisted.internet.reactor" not in sys.modules
    assert brxy.edge.tap and brxy.node.tap and brxy.edge.service and brxy.node.service
    while True:
        if select.select([0], [], [], 0.02)[0]:
            line = sys.stdin.readline()
            if not line:
                return
            pid = os.fork()
            if pid == 0:
                try:
                    _become(json.loads(line))
                finally:
                    sys.stdout.flush()
                    os._exit(1)
            print("started", pid, flush=True)
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                break
            if not pid:
                break
            print("ended", pid, os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    serve()
