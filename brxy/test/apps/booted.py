"""
Checks of the units inside a running systemd: C{python booted.py} prints the
results as JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import time
import urllib.request
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def systemctl(*arguments: str) -> str:
    """
    @return: the output of systemctl.
    """
    done = subprocess.run(["systemctl", "--no-pager", *arguments], stdout=subprocess.PIPE)
    return done.stdout.decode().strip()


def ask(_: int = 0) -> str:
    """
    @return: the answer to a request, which is the id of the app's process; or
        the error.
    """
    try:
        with urllib.request.urlopen("http://127.0.0.1/10", timeout=60) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return f"error: {error}"


def process(pid: str) -> dict[str, str]:
    """
    @return: what the kernel reports about a process, see proc(5).
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: told[name] for name in ("CapBnd", "NoNewPrivs", "Seccomp", "Uid")}


def restarted() -> dict[str, int]:
    """
    @return: how often each kind of answer was received while the edge
        restarts.
    """
    with ThreadPoolExecutor(10) as clients:
        answers = clients.map(ask, range(400))
        systemctl("restart", "brxy-edge")
        return Counter("ok" if answer.isdigit() else answer for answer in answers)


def main() -> None:
    """
    Make all checks.
    """
    systemctl("start", "brxy-edge.socket")
    app = ask()
    edge = systemctl("show", "--property=MainPID", "--value", "brxy-edge")
    told: dict[str, object] = {"edge": process(edge), "app": process(app)}
    told["reload"] = systemctl("reload", "brxy-edge") or "ok"
    told["answers"] = restarted()
    state = os.stat("/var/lib/private/brxy-edge/edge.json")
    told["state"] = [f"{state.st_mode:o}", state.st_uid > 1000]
    systemctl("start", "brxy-node")
    node = systemctl("show", "--property=MainPID", "--value", "brxy-node")
    while not Path(f"/proc/{node}/task/{node}/children").read_text():
        time.sleep(0.05)
    systemctl("stop", "brxy-node", "brxy-edge.socket", "brxy-edge.service")
    for unit in ("brxy-edge", "brxy-node"):
        told[unit] = systemctl("show", "--property=Result", "--value", unit)
    journal = ["journalctl", "--no-pager", "--output=cat", "-u", "brxy-*"]
    told["journal"] = subprocess.run(journal, stdout=subprocess.PIPE).stdout.decode()
    print(json.dumps(told))


if __name__ == "__main__":
    main()
