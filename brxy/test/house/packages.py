"""
The packages of brxy, from the lowest up, and what each may import.

C{doc/architecture.rst} shows them from here, and
L{brxy.test.house.test_imports} checks the code against them.
"""

from __future__ import annotations

__all__ = ["PURE", "SPAWNER_PARTS", "EDGE_PARTS", "ROOT", "allowed", "packageOf"]

#: The packages and modules of brxy, and which of those before it each may import.
ROOT = {
    "interfaces": "",
    "errors": "",
    "values": "errors",
    "wire": "values errors interfaces",
    "http": "values errors",
    "tomlfile": "",
    "broker": "",
    "scaler": "broker values errors",
    "reactor": "errors",
    "transport": "reactor errors",
    "tls": "reactor values errors",
    "slots": "wire transport reactor errors",
    "processes": "reactor values errors",
    "readiness": "",
    "uptake": "errors",
    "apps": "uptake processes transport wire readiness values errors interfaces",
    "program": "processes transport reactor values errors",
    "pki": "program values errors",
    "spawners": "apps processes tls reactor readiness wire values errors interfaces",
    "node": "apps uptake slots tls processes program readiness wire transport reactor values"
    " errors interfaces",
    "edge": "spawners.registry spawners.spec spawners.describe program apps uptake slots tls"
    " tomlfile transport reactor scaler broker http wire values errors interfaces",
    "ctl": "edge.__main__ edge.config edge.eventlog edge.startstop node pki program values errors",
}

#: The parts of brxy.spawners, and what each may import besides the package's own imports.
SPAWNER_PARTS = {
    "spec": "",
    "running": "",
    "output": "",
    "command": "",
    "api": "",
    "instance": "",
    "describe": "spec",
    "registry": "spec",
    "local": "spec running output command instance",
    "docker": "spec running output command instance api",
    "swarm": "spec running output command instance api docker",
    "kubernetes": "spec running output command instance api",
    "ssh": "spec running output command instance",
    "testing": "spec registry",
}

#: The parts of brxy.edge, and what each may import besides the package's own imports.
EDGE_PARTS = {
    "routing": "",
    "config": "routing",
    "events": "",
    "startstop": "events",
    "shortages": "events",
    "learning": "events",
    "records": "",
    "accesslog": "records events",
    "applogs": "accesslog events",
    "traces": "records events",
    "eventlog": "accesslog applogs traces events startstop shortages learning",
    "exchanges": "records routing events",
    "slots": "exchanges config events",
    "clients": "exchanges records routing config events",
    "fleet": "exchanges slots config events shortages learning",
    "routes": "",
    "supply": "exchanges",
    "matching": "supply exchanges records events",
    "dispatch": "matching supply exchanges",
    "endpoints": "",
    "nodeports": "slots endpoints config events startstop",
    "ports": "clients endpoints events startstop",
    "reload": "nodeports ports dispatch routes routing fleet clients slots exchanges config"
    " events startstop",
    "upgrade": "reload ports dispatch fleet clients exchanges endpoints events startstop",
    "admin": "upgrade reload nodeports ports dispatch fleet clients exchanges records eventlog"
    " startstop endpoints events config",
    "metrics": "admin reload exchanges records traces config events",
    "making": "upgrade reload ports dispatch routes routing clients records accesslog applogs"
    " traces events config",
    "wiring": "making metrics admin upgrade reload nodeports ports dispatch fleet clients slots"
    " endpoints exchanges routing records accesslog traces eventlog events config",
    "service": "wiring admin upgrade reload ports dispatch fleet endpoints config events"
    " startstop",
    "tap": "service upgrade reload config",
    "__main__": "",
}

#: Packages that only decide: they use no clock, no file and no Twisted.
PURE = "values wire http tomlfile broker scaler"

_PARTS = {"spawners": SPAWNER_PARTS, "edge": EDGE_PARTS}


def packageOf(module: str) -> str:
    """
    @return: the package of a module in the lists: C{edge.clients} of
        C{brxy.edge.clients.http1}.
    """
    _, *names = module.split(".")
    depth = 2 if names and names[0] in _PARTS else 1
    return ".".join(names[:depth])


def allowed(package: str) -> set[str]:
    """
    @return: what the modules of a package may import, besides each other.
    """
    root, _, part = package.partition(".")
    found = set(ROOT[root].split())
    if part:
        found |= {f"{root}.{each}" for each in _PARTS[root][part].split()}
    return found
