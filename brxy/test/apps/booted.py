"""
Checks of the units inside a running systemd: C{python booted.py} prints the
results as JSON.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import time
import urllib.error
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


def reloaded(old: str, new: str) -> str:
    """
    Change the edge's configuration, and reload it.

    @param old: what is replaced.
    @return: how the reload ended.
    """
    file = Path("/etc/brxy/brxy.toml")
    file.write_text(file.read_text().replace(old, new))
    done = subprocess.run(["systemctl", "reload", "brxy-edge"], capture_output=True)
    return "failed" if done.returncode else "ok"


def posted() -> str:
    """
    @return: the status of the answer to a request with a body of five bytes.
    """
    try:
        with urllib.request.urlopen("http://127.0.0.1/", b"12345", timeout=60) as answer:
            return str(answer.status)
    except urllib.error.HTTPError as error:
        return str(error.code)


def process(pid: str) -> dict[str, str]:
    """
    @return: what the kernel reports about a process, see proc(5).
    """
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    told = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
    return {name: told[name] for name in ("CapBnd", "NoNewPrivs", "Seccomp", "Uid")}


def journal(unit: str) -> str:
    """
    @return: what a unit has logged.
    """
    command = ["journalctl", "--no-pager", "--output=cat", "-u", unit]
    return subprocess.run(command, stdout=subprocess.PIPE).stdout.decode()


def printed(unit: str, what: str) -> str:
    """
    Wait until the app of a unit has printed a line that begins with C{what} and a colon.

    @return: the rest of the first such line.
    """
    while not (found := re.search(rf"\b{what}: (.*)", journal(unit))):
        time.sleep(0.05)
    return found[1]


def inside() -> str:
    """
    Have a unit look into a network namespace of its own, as that of a container is.

    @return: C{ok}, or the log of the unit.
    """
    script = "ip link set lo up; echo; exec sleep 60"
    with subprocess.Popen(["unshare", "--net", "sh", "-c", script], stdout=subprocess.PIPE) as own:
        assert own.stdout is not None
        own.stdout.readline()
        Path("/opt/check/pid").write_text(str(own.pid))
        systemctl("start", "inside")
        own.kill()
    result = systemctl("show", "--property=Result", "--value", "inside")
    return "ok" if result == "success" else journal("inside")


def restarted() -> dict[str, int]:
    """
    @return: how often each kind of answer was received while the edge
        restarts.
    """
    with ThreadPoolExecutor(10) as clients:
        answers = clients.map(ask, range(400))
        systemctl("restart", "brxy-edge")
        return Counter("ok" if answer.isdigit() else answer for answer in answers)


def upgraded() -> list[object]:
    """
    Have another edge take over while clients are served.

    @return: whether the unit has another process, whether it runs, and how often each kind of
        answer was received.
    """
    before = mainPID()
    with ThreadPoolExecutor(10) as clients:
        answers = clients.map(ask, range(400))
        command = ["/opt/brxy/bin/brxy", "upgrade", "--socket", "/var/lib/brxy-edge"]
        subprocess.run(command, capture_output=True)
        kinds = Counter("ok" if answer.isdigit() else answer for answer in answers)
    # Until systemd has noticed.
    until = time.monotonic() + 20
    while Path(f"/proc/{before}").exists() and time.monotonic() < until:
        time.sleep(0.05)
    return [mainPID() != before, systemctl("is-active", "brxy-edge"), kinds]


def mainPID() -> str:
    """
    @return: the main process of the edge's unit.
    """
    return systemctl("show", "--property=MainPID", "--value", "brxy-edge")


def main() -> None:
    """
    Make all checks.
    """
    systemctl("start", "brxy-edge.socket")
    app = ask()
    edge = mainPID()
    told: dict[str, object] = {"edge": process(edge), "app": process(app)}
    told["badly"] = reloaded("port =", "prot =")
    told["reload"] = [reloaded("prot =", "max-body = 4\nport ="), posted()]
    told["answers"] = restarted()
    told["upgrade"] = upgraded()
    state = os.stat("/var/lib/private/brxy-edge/edge.json")
    told["state"] = [f"{state.st_mode:o}", state.st_uid > 1000]
    systemctl("start", "brxy-node")
    node = systemctl("show", "--property=MainPID", "--value", "brxy-node")
    while not Path(f"/proc/{node}/task/{node}/children").read_text():
        time.sleep(0.05)
    units = "brxy-edge", "brxy-node"
    told["openDiag"] = {unit: printed(unit, "openDiag") for unit in units}
    told["inside"] = inside()
    systemctl("stop", "brxy-node", "brxy-edge.socket", "brxy-edge.service")
    for unit in units:
        told[unit] = systemctl("show", "--property=Result", "--value", unit)
    told["journal"] = journal("brxy-*")
    print(json.dumps(told))


if __name__ == "__main__":
    main()
