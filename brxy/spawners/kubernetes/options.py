"""
What C{kubernetes:} can be told.
"""

from __future__ import annotations

import re

from attrs import field, frozen
from attrs.converters import optional

from brxy.errors import BadSpawnSpec
from brxy.reactor.endpoints import clientEndpoint
from brxy.readiness import urlPath
from brxy.spawners.spec import portNumber, seconds

__all__ = [
    "USUAL_TIMES",
    "APITimes",
    "PodTimes",
    "PodOptions",
    "checkTogether",
    "podTimes",
    "isNamespace",
]

_NAMESPACE = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def isNamespace(name: object) -> bool:
    """
    @return: whether a namespace can have this name.
    """
    return isinstance(name, str) and _NAMESPACE.fullmatch(name) is not None


def _namespace(text: str) -> str:
    if not isNamespace(text):
        raise ValueError("a name of small letters, digits and - is needed")
    return text


@frozen(kw_only=True)
class PodOptions:
    """
    The keys of C{kubernetes:}.
    """

    image: str | None = field(default=None, metadata={"help": "the image of a Pod"})
    template: str | None = field(
        default=None, metadata={"help": "a file with a Pod, YAML or JSON, in place of image="}
    )
    edge: str | None = field(
        default=None,
        converter=optional(clientEndpoint),
        metadata={"help": "where a node in a Pod reaches the edge, as tcp:brxy-edge:9080"},
    )
    port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "where the app listens in its Pod; without it a node runs there"},
    )
    ready_path: str | None = field(
        default=None,
        converter=optional(urlPath),
        metadata={"help": "with port=: ready when a GET of this path is answered 2xx or 3xx"},
    )
    namespace: str | None = field(
        default=None,
        converter=optional(_namespace),
        metadata={"help": "where the Pods are made; else the template's, or our own"},
    )
    kubeconfig: str | None = field(
        default=None, metadata={"help": "the file that says where the cluster is"}
    )
    context: str | None = field(
        default=None, metadata={"help": "which context of it; else its current one"}
    )
    stop_timeout: float = field(
        default=30.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )
    unschedulable_timeout: float = field(
        default=20.0,
        converter=seconds,
        metadata={"help": "seconds that the cluster may have no room for a Pod"},
    )


@frozen
class APITimes:
    """
    How a spawner waits for the API, in seconds.

    @ivar answer: until an answer must be complete.
    @ivar watch: after which the API ends a watch, and the next one begins.
    @ivar soon: between two attempts of a request that failed.
    @ivar again: after which a Pod that should be gone is deleted once more.
    @ivar removal: for the API to remove a Pod, beside the Pod's own time to end.
    """

    answer: float = 20.0
    watch: int = 60
    soon: float = 1.0
    again: float = 5.0
    removal: float = 40.0


#: What fits a cluster.
USUAL_TIMES = APITimes()


@frozen
class PodTimes:
    """
    How all instances of a spawner live.

    @ivar port: where the app listens; 0: a node dials back.
    @ivar ready_path: what must be answered before it is ready.
    @ivar stop_timeout: seconds from SIGTERM to SIGKILL.
    @ivar unschedulable_timeout: seconds that no machine may have room for it.
    @ivar api: how long the API is waited for.
    """

    port: int
    ready_path: str | None
    stop_timeout: float
    unschedulable_timeout: float
    api: APITimes


def podTimes(options: PodOptions, api: APITimes) -> PodTimes:
    """
    @return: how the instances of a spawner with these options live.
    """
    return PodTimes(
        options.port or 0,
        options.ready_path,
        options.stop_timeout,
        options.unschedulable_timeout,
        api,
    )


def checkTogether(options: PodOptions) -> None:
    """
    @raise BadSpawnSpec: these options don't go together.
    """
    if (options.image is None) == (options.template is None):
        raise BadSpawnSpec("kubernetes: needs image= or template=, one of them")
    if options.ready_path is not None and options.port is None:
        raise BadSpawnSpec("kubernetes: ready-path= goes with port=; a node has its own option")
    if options.port is not None:
        if options.edge is not None:
            raise BadSpawnSpec("kubernetes: edge= is for nodes, port= for apps without one")
        return
    if options.edge is None:
        raise BadSpawnSpec(
            "kubernetes: needs edge=, where a node in a Pod reaches the edge (such as "
            "edge=tcp:brxy-edge:9080), or port= of an app without a node"
        )
