"""
C{python3 try_apps.py FOLDER [NAME…]}: install apps into a folder, start each with its line of
C{apps.toml}, check it with a real client, and print a table.

All apps are tried if none is named. Packages come from PyPI and npm. If a program of Debian is
missing, it is named, and its app is left out. FOLDER is kept: remove it when you are done.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import app_checks
import app_sessions
from app_runs import HERE, App, copyFiles, loadApps, runApp

#: How long instances may be idle: enough for a check, however busy the machine is.
_IDLE = ("--idle-timeout", "3", "--old-idle-timeout", "3")

CHECKS = {**app_checks.CHECKS, **app_sessions.SESSIONS}


def install(folder: Path, apps: list[App]) -> None:
    """
    Install brxy and the apps.
    """
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "venv").exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    pip = sorted({package for app in apps for package in app.pip})
    pip_install = [str(folder / "venv" / "bin" / "pip"), "install", "-q"]
    subprocess.run([*pip_install, str(HERE.parents[1]), *pip], check=True)
    npm = sorted({package for app in apps for package in app.npm})
    if npm and shutil.which("npm"):
        quiet = ("--no-audit", "--no-fund", "--loglevel=error", "--prefix", ".")
        subprocess.run(["npm", "install", *quiet, *npm], cwd=folder, check=True)


def row(app: App, folder: Path, outcome: str) -> str:
    """
    @return: an app's row in the table of doc/tried-apps.rst.
    """
    cells = (app.version(folder), app.checked, outcome, app.why)
    return "\n".join([f"   * - {app.name}", *(f"     - {each}" for each in cells)])


def main(folder: Path, names: list[str]) -> int:
    """
    @return: how many apps failed.
    """
    apps = [app for app in loadApps() if not names or app.name in names]
    if Path(sys.prefix) != folder / "venv":
        install(folder, apps)
        python = str(folder / "venv" / "bin" / "python")
        os.execv(python, [python, __file__, str(folder), *names])
    more = (folder / "venv" / "bin", folder / "node_modules" / ".bin")
    os.environ["PATH"] = os.pathsep.join((*map(str, more), os.environ["PATH"]))
    # Its parent has the modules of npm, and node looks there too.
    place = folder / "app"
    copyFiles(place)
    failed, rows = 0, []
    for app in apps:
        missing = app.missing()
        if missing:
            why = f"not tried: apt install {' '.join(missing.values())}"
            rows.append(row(app, folder, why))
            continue
        print(f"{app.name} …", file=sys.stderr, flush=True)
        try:
            prepare = app_checks.PREPARE.get(app.check)
            outcome = runApp(app, place, prepare, CHECKS[app.check], os.environ, _IDLE)
            rows.append(row(app, folder, str(outcome)))
        except Exception as error:
            failed += 1
            rows.append(row(app, folder, f"failed: {error}"))
            print(repr(error), *getattr(error, "__notes__", ()), sep="\n", file=sys.stderr)
    print("\n".join(rows))
    return failed


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    sys.exit(1 if main(Path(sys.argv[1]).absolute(), sys.argv[2:]) else 0)
