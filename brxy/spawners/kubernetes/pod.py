"""
The Pod of an order, made from a template.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from hashlib import sha256
from typing import Any

from attrs import field, frozen

from brxy.interfaces import SpawnOrder
from brxy.spawners.kubernetes.status import mainContainer

__all__ = [
    "EDGE",
    "ROUTE",
    "TICKET",
    "PodOwner",
    "PodPlan",
    "checkTemplate",
    "imageTemplate",
    "labelValue",
    "makePod",
]

#: The labels of the Pods.  An annotation of the same name has the route unchanged.
EDGE, TICKET, ROUTE = "brxy/edge", "brxy/ticket", "brxy/route"

_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?")
_NOT_IN_LABEL = re.compile(r"[^A-Za-z0-9_.-]+")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]+")

# A label has at most 63 characters; a text that does not fit is cut to these and gets a
# hash of ten more.
_MAX_FITTED = 52

# The API cuts the prefixes of names after 58 characters.
_MAX_NAME = 45

# Variables that a template may override: where the app listens, and a token, which may
# come from a Secret.
_TEMPLATE_FIRST = ("HOST", "PORT", "BRXY_TOKEN")


def labelValue(text: str) -> str:
    """
    @return: the text itself if it can be the value of a label, else a value that is
        made of it and differs for every text.
    """
    if not text or _LABEL.fullmatch(text):
        return text
    fitted = _NOT_IN_LABEL.sub("-", text)[:_MAX_FITTED].strip("-_.")
    mark = sha256(text.encode()).hexdigest()[:10]
    return f"{fitted}-{mark}" if fitted else mark


def _namePrefix(route: str) -> str:
    fitted = _NOT_IN_NAME.sub("-", route.lower())[:_MAX_NAME].strip("-")
    return f"brxy-{fitted or 'route'}-"


@frozen
class PodOwner:
    """
    The edge's own Pod.  The cluster removes what belongs to it together with it.
    """

    name: str
    uid: str


@frozen
class PodPlan:
    """
    How to make the Pods of a spawner.

    @ivar template: a Pod.
    @ivar command: replaces the arguments of its container, unless empty.
    @ivar edge: the endpoint at which a node dials the edge; C{""}: no node runs in it.
    @ivar port: the port of the app if no node runs in it.
    @ivar owner: the Pod that the Pods belong to.
    """

    template: Mapping[str, Any]
    namespace: str
    command: Sequence[str] = ()
    edge: str = ""
    port: int = 0
    owner: PodOwner | None = field(default=None)


def imageTemplate(image: str) -> dict[str, Any]:
    """
    Make a template with one container.  The app gets no credentials for the cluster.
    """
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "spec": {
            "automountServiceAccountToken": False,
            "containers": [{"name": "brxy", "image": image}],
        },
    }


def checkTemplate(pod: Any) -> dict[str, Any]:
    """
    Check the parts of a template that brxy uses; the API checks the rest.

    @return: the template.
    @raise ValueError: it is not a Pod; one line says why.
    """
    if not isinstance(pod, dict) or (pod.get("apiVersion"), pod.get("kind")) != ("v1", "Pod"):
        raise ValueError("it must be one Pod (apiVersion: v1, kind: Pod)")
    metadata = _mapping(pod, "metadata", "metadata")
    for name in ("labels", "annotations"):
        _mapping(metadata, name, f"metadata.{name}")
    if metadata.get("name"):
        raise ValueError("metadata.name can't be given: there will be several Pods")
    containers = _mapping(pod, "spec", "spec").get("containers")
    if not containers or not isinstance(containers, list):
        raise ValueError("spec.containers must be a list of containers")
    for each in containers:
        _checkContainer(each)
    try:
        json.dumps(pod, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"it can't be written as JSON: {error}") from None
    return pod


def _checkContainer(container: Any) -> None:
    if not isinstance(container, dict) or not isinstance(container.get("name"), str):
        raise ValueError("each of spec.containers must have a name")
    name = container["name"]
    for key, kind in (("env", dict), ("command", str), ("args", str)):
        values = container.get(key) or []
        if not isinstance(values, list) or not all(isinstance(each, kind) for each in values):
            what = "name: and value:" if kind is dict else "text"
            raise ValueError(f"{key} of the container {name!r} must be a list of {what}")


def _mapping(within: dict[str, Any], name: str, shown: str) -> dict[str, Any]:
    value = within.get(name)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{shown} must be a mapping")
    return value or {}


def makePod(order: SpawnOrder, plan: PodPlan) -> dict[str, Any]:
    """
    @return: the Pod of an order, as the API takes it.
    """
    pod = deepcopy(dict(plan.template))
    pod["metadata"] = _metadata(order, plan, pod.get("metadata") or {})
    spec = pod["spec"]
    spec["restartPolicy"] = "Never"
    main = mainContainer(pod)
    container = next(each for each in spec["containers"] if each["name"] == main)
    if plan.command:
        container["args"] = list(plan.command)
    for key in ("command", "args"):
        if container.get(key):
            container[key] = [_filled(each, order, plan) for each in container[key]]
    container["env"] = _environment(container.get("env") or [], order, plan)
    return pod


def _metadata(order: SpawnOrder, plan: PodPlan, given: Mapping[str, Any]) -> dict[str, Any]:
    metadata = {
        **given,
        "namespace": plan.namespace,
        "labels": {
            "app.kubernetes.io/managed-by": "brxy",
            **(given.get("labels") or {}),
            EDGE: labelValue(order.edge),
            TICKET: labelValue(order.ticket),
            ROUTE: labelValue(order.route),
        },
        "annotations": {**(given.get("annotations") or {}), ROUTE: order.route},
    }
    metadata.setdefault("generateName", _namePrefix(order.route))
    if plan.owner is not None:
        owner = {"apiVersion": "v1", "kind": "Pod", **_named(plan.owner)}
        metadata["ownerReferences"] = [*(given.get("ownerReferences") or ()), owner]
    return metadata


def _named(owner: PodOwner) -> dict[str, str]:
    return {"name": owner.name, "uid": owner.uid}


def _filled(argument: str, order: SpawnOrder, plan: PodPlan) -> str:
    text = argument.replace("{route}", _literal(order.route))
    # A node replaces {port} itself.
    return text.replace("{port}", str(plan.port)) if plan.port else text


def _literal(value: str) -> str:
    # Kubernetes replaces $(NAME) by the value of another variable.
    return value.replace("$", "$$")


def _environment(
    given: Sequence[Mapping[str, Any]], order: SpawnOrder, plan: PodPlan
) -> list[Mapping[str, Any]]:
    """
    Put the variables of brxy first, so that those of the template can refer to them.
    """
    if plan.port:
        ours = {"ROUTE": order.route, "HOST": "0.0.0.0", "PORT": str(plan.port)}
    else:
        ours = {**order.environment, "BRXY_EDGE": plan.edge}
    named = {each.get("name") for each in given}
    ours = {k: v for k, v in ours.items() if k not in named or k not in _TEMPLATE_FIRST}
    return [
        *({"name": name, "value": _literal(value)} for name, value in ours.items()),
        *(each for each in given if each.get("name") not in ours),
    ]
