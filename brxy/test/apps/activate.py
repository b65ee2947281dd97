"""
A stand-in for systemd with socket units, for tests.

C{python activate.py ADDRESS... -- COMMAND...} listens on each address
(C{HOST:PORT}, or the path of a Unix socket), runs the command with the sockets
by LISTEN_FDS, and prints their addresses. SIGHUP restarts the command:
SIGTERM, wait for its end, start again. SIGTERM ends both.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys

# The first descriptor that is handed over, see sd_listen_fds(3).
_FIRST = 3


def listening(address: str) -> socket.socket:
    """
    @return: a listening socket, made as systemd makes it.
    """
    if address.startswith("/"):
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(address)
        os.chmod(address, 0o600)
    else:
        host, _, port = address.rpartition(":")
        sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((host.strip("[]"), int(port)))
    sock.listen(4096)
    print("listens on", sock.getsockname(), flush=True)
    return sock


def run(sockets: list[socket.socket], command: list[str]) -> subprocess.Popen[bytes]:
    """
    Start the command.
    """

    def handOver() -> None:
        # First duplicate them to numbers where none of them is, then to the right ones.
        high = [os.dup2(sock.fileno(), 100 + index) for index, sock in enumerate(sockets)]
        for index, descriptor in enumerate(high):
            os.dup2(descriptor, _FIRST + index)
            os.close(descriptor)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        names = ":".join(f"s{index}" for index, _ in enumerate(sockets))
        told = {"LISTEN_PID": str(os.getpid()), "LISTEN_FDS": str(len(sockets))}
        os.environ.update(told, LISTEN_FDNAMES=names)
        os.execvp(command[0], command)

    return subprocess.Popen(command, preexec_fn=handOver)


def main(arguments: list[str]) -> int:
    """
    Listen, and run the command until a signal stops it.

    @return: whether the command ended because it was stopped, and not before.
    """
    split = arguments.index("--")
    signals = (signal.SIGHUP, signal.SIGTERM, signal.SIGCHLD)
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    sockets = [listening(address) for address in arguments[:split]]
    while True:
        process = run(sockets, arguments[split + 1 :])
        asked = signal.sigwait(signals)
        if asked == signal.SIGCHLD:
            return 1
        process.terminate()
        print("ended by", -process.wait(), flush=True)
        # This signal announces that end.
        signal.sigwait((signal.SIGCHLD,))
        if asked == signal.SIGTERM:
            return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
