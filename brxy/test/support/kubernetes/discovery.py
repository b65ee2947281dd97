"""
The discovery answers of the tests' API server, as far as C{kubectl} requests
them.
"""

from __future__ import annotations

from typing import Any

__all__ = ["DISCOVERY"]

_ALL = ["create", "delete", "get", "list", "patch", "update", "watch"]

# The available kinds, by group and version.
_KINDS: dict[str, dict[str, tuple[str, list[str]]]] = {
    "v1": {
        "pods": ("Pod", ["po"]),
        "services": ("Service", ["svc"]),
        "serviceaccounts": ("ServiceAccount", ["sa"]),
    },
    "policy/v1": {"poddisruptionbudgets": ("PodDisruptionBudget", ["pdb"])},
    "networking.k8s.io/v1": {"networkpolicies": ("NetworkPolicy", ["netpol"])},
    "apps/v1": {"deployments": ("Deployment", ["deploy"])},
    "rbac.authorization.k8s.io/v1": {
        "roles": ("Role", []),
        "rolebindings": ("RoleBinding", []),
    },
}


def _resources(version: str) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": version,
        "resources": [
            {
                "name": name,
                "singularName": kind.lower(),
                "namespaced": True,
                "kind": kind,
                "verbs": _ALL,
                "shortNames": short,
            }
            for name, (kind, short) in _KINDS[version].items()
        ],
    }


def _group(version: str) -> dict[str, Any]:
    known = {"groupVersion": version, "version": "v1"}
    return {"name": version.split("/")[0], "versions": [known], "preferredVersion": known}


#: Answers by path.
DISCOVERY: dict[str, Any] = {
    "/version": {"major": "1", "minor": "30", "gitVersion": "v1.30.0"},
    "/api": {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": []},
    "/apis": {
        "kind": "APIGroupList",
        "apiVersion": "v1",
        "groups": [_group(each) for each in _KINDS if "/" in each],
    },
    "/api/v1": _resources("v1"),
    **{f"/apis/{each}": _resources(each) for each in _KINDS if "/" in each},
}
