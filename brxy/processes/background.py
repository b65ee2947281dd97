"""
Programs that go to the background, and how each is started in the foreground.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

__all__ = ["advice", "nameOf"]

# The beginnings of names of programs, in alphabetical order.
_FOREGROUND = {
    "apache": "'apache2ctl -D FOREGROUND'",
    "caddy": "'caddy run' in place of 'caddy start'",
    "dnsmasq": "'dnsmasq --keep-in-foreground'",
    "gunicorn": "'gunicorn' without --daemon",
    "haproxy": "'haproxy -db'",
    "httpd": "'httpd -D FOREGROUND'",
    "lighttpd": "'lighttpd -D'",
    "memcached": "'memcached' without --daemon",
    "mongod": "'mongod' without --fork",
    "mysqld": "'mysqld' without --daemonize",
    "nginx": "nginx -g 'daemon off;'",
    "php-fpm": "'php-fpm --nodaemonize'",
    "pm2": "'pm2-runtime' in place of 'pm2'",
    "postgres": "'postgres' in place of 'pg_ctl'",
    "redis-server": "'redis-server --daemonize no'",
    "sshd": "'sshd -D'",
    "supervisord": "'supervisord --nodaemon'",
    "twistd": "'twistd --nodaemon'",
    "uwsgi": "'uwsgi' without daemonize",
    "valkey-server": "'valkey-server --daemonize no'",
    "varnishd": "'varnishd -F'",
}


def nameOf(pid: int) -> str:
    """
    @return: the name of a process, see proc(5); empty if there is none.
    """
    with suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text("utf-8", "replace").strip()
    return ""


def advice(command: Sequence[str], name: str) -> str:
    """
    @param command: what was run.
    @param name: that of the process in the background.
    @return: what to write in place of the command.
    """
    for known in (name, *map(os.path.basename, command)):
        for beginning, foreground in _FOREGROUND.items():
            if known.startswith(beginning):
                return f"start it in the foreground: {foreground}"
    return "start it in the foreground; most programs have an option for that"
