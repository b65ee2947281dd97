"""
The values of all settings: those of the command line, else of a configuration file, else the
defaults.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from brxy.edge.config.fields import FIELDS
from brxy.edge.config.kinds import Frontend
from brxy.errors import UsageError
from brxy.program.fields import ACTION, FLAG

__all__ = ["Conflict", "check", "complete"]

#: The settings that give clients a port.
_CLIENT_PORTS = ("port", "tcp", "tls-port", "sni-port")


class Conflict(UsageError):
    """
    Settings that can't be used together.

    @ivar setting: the name of one of them.
    """

    def __init__(self, message: str, setting: str) -> None:
        super().__init__(message)
        self.setting = setting


def complete(
    given: Mapping[str, Any],
    filed: Mapping[str, Any] | None = None,
    frontends: Sequence[Frontend] = (),
) -> dict[str, Any]:
    """
    Complete what the command line gives.

    @param given: values by the names of settings; what is not given is L{None}, empty or false.
    @param filed: those of a configuration file.
    @param frontends: those of the routes of a configuration file.
    @return: the values of all settings.
    """
    filed = filed or {}
    values = dict(given)
    for each in FIELDS:
        value = given.get(each.name)
        is_given = bool(value) if each.kind is FLAG or each.repeatable else value is not None
        if each.kind is not ACTION and not is_given:
            ungiven = [] if each.repeatable else each.value
            values[each.name] = filed.get(each.name, ungiven)
    values["tcp"] = [*values["tcp"], *frontends]
    if not any(values[name] for name in _CLIENT_PORTS):
        values["port"] = [FIELDS["port"].value]
    return values


def check(values: Mapping[str, Any]) -> None:
    """
    Check that settings can be used together.

    @param values: those of all settings, by their names.
    @raise Conflict: some can't.
    """
    tcp: Sequence[Frontend] = values["tcp"]
    if len(values["admin"]) > 1 and None in values["admin"]:
        raise Conflict("--admin off leaves no other --admin", "admin")
    admin = [each for each in values["admin"] if each is not None]
    over_tls = {
        "tls-port": bool(values["tls-port"]),
        "tcp": any(each.over_tls for each in tcp),
        "admin": any(each.over_tls for each in admin),
    }
    name = next((name for name, is_over_tls in over_tls.items() if is_over_tls), None)
    if name and not values["tls-certs"]:
        raise Conflict("for clients over TLS give --tls-certs, too", name)
    if values["tls-certs"] and not name:
        raise Conflict(
            "--tls-certs is of no use without --tls-port or --tcp NAME=tls:ENDPOINT", "tls-certs"
        )
    node_tls = ("node-tls-cert", "node-tls-key")
    some = [each for each in (*node_tls, "node-tls-ca") if values[each]]
    if some and not all(values[each] for each in node_tls):
        raise Conflict("for TLS on the node port give --node-tls-cert and --node-tls-key", some[0])
