"""
The keys of C{kubernetes:}.
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
        default=None, metadata={"help": "in place of image=: a file with a Pod, YAML or JSON"}
    )
    edge: str | None = field(
        default=None,
        converter=optional(clientEndpoint),
        metadata={"help": "the endpoint at which a node dials the edge: tcp:brxy-edge:9080"},
    )
    port: int | None = field(
        default=None,
        converter=optional(portNumber),
        metadata={"help": "the port of the app in its Pod; without it a node runs there"},
    )
    ready_path: str | None = field(
        default=None,
        converter=optional(urlPath),
        metadata={"help": "with port=: ready when a GET of this path is answered with 2xx or 3xx"},
    )
    namespace: str | None = field(
        default=None,
        converter=optional(_namespace),
        metadata={"help": "the namespace of the Pods, else the template's or the edge's own"},
    )
    kubeconfig: str | None = field(
        default=None, metadata={"help": "the file that describes the cluster"}
    )
    context: str | None = field(
        default=None, metadata={"help": "the context of the kubeconfig, else its current one"}
    )
    stop_timeout: float = field(
        default=30.0,
        converter=seconds,
        metadata={"help": "seconds between SIGTERM and SIGKILL"},
    )
    unschedulable_timeout: float = field(
        default=20.0,
        converter=seconds,
        metadata={"help": "seconds to wait while the cluster has no room for a Pod"},
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


#: The times for real clusters.
USUAL_TIMES = APITimes()


@frozen
class PodTimes:
    """
    The ports and times of all instances of a spawner.

    @ivar port: the port of the app; 0: a node dials back.
    @ivar ready_path: the path that the app must answer before it is ready.
    @ivar stop_timeout: seconds from SIGTERM to SIGKILL.
    @ivar unschedulable_timeout: seconds to wait while no machine has room for a Pod.
    @ivar api: how long the API is waited for.
    """

    port: int
    ready_path: str | None
    stop_timeout: float
    unschedulable_timeout: float
    api: APITimes


def podTimes(options: PodOptions, api: APITimes) -> PodTimes:
    """
    @return: the times of the instances of a spawner with these options.
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
    Check that options don't contradict each other.

    @raise BadSpawnSpec: they do.
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
