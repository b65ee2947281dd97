"""
The state of Pods, and errors, as the Kubernetes API reports them.

The objects are described at U{https://kubernetes.io/docs/reference/kubernetes-api/}.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

from attrs import frozen

from brxy.interfaces import Address
from brxy.spawners.api.errors import Refused
from brxy.values.text import oneLine

__all__ = [
    "Hindrance",
    "appAddress",
    "endOf",
    "hindranceOf",
    "mainContainer",
    "refusal",
    "stageOf",
]

# Bytes of an answer that are shown if it is not JSON.
_MAX_TEXT = 300

# Reasons for which a container can't be started that don't go away by themselves.
_HOPELESS = {
    "CreateContainerConfigError",
    "CreateContainerError",
    "ErrImageNeverPull",
    "ErrImagePull",
    "ImageInspectError",
    "ImagePullBackOff",
    "InvalidImageName",
}


def refusal(code: int, body: bytes, retry_after: str | None = None) -> Refused:
    """
    Read the error in an answer.

    @param body: a C{Status} object, or any other text from a proxy.
    @param retry_after: the header of this name.
    """
    try:
        status = json.loads(body)
        reason, message = status.get("reason") or "", status.get("message") or ""
    except (ValueError, AttributeError):
        reason, message = "", body[:_MAX_TEXT].decode("utf-8", "replace")
    text = oneLine(message)
    head = " ".join(filter(None, [str(code), oneLine(reason)]))
    seconds = float(retry_after) if retry_after and retry_after.isdecimal() else None
    return Refused(f"{head}: {text}" if text else head, code, seconds)


def mainContainer(pod: Mapping[str, Any]) -> str:
    """
    @return: the name of the container with the app or node: C{brxy} if there is one,
        else the first.
    """
    names = [str(each.get("name", "")) for each in pod["spec"]["containers"]]
    return "brxy" if "brxy" in names else names[0]


def _status(pod: Mapping[str, Any]) -> Mapping[str, Any]:
    return pod.get("status") or {}


def _containers(pod: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """
    The statuses of all containers, that of the main container first.
    """
    status = _status(pod)
    main = mainContainer(pod)
    containers = list(status.get("containerStatuses") or ())
    containers.sort(key=lambda each: each.get("name") != main)
    return containers + list(status.get("initContainerStatuses") or ())


def _states(pod: Mapping[str, Any], kind: str) -> Iterable[tuple[str, Mapping[str, Any]]]:
    """
    @param kind: C{waiting}, C{running} or C{terminated}.
    @return: name and state of the containers in a state of this kind.
    """
    for each in _containers(pod):
        state = each.get("state") or {}
        if state.get(kind) is not None:
            yield str(each.get("name", "")), state[kind]


def endOf(pod: Mapping[str, Any]) -> str | None:
    """
    @return: how the app ended, in one line; L{None} while it has not.
    """
    phase = _status(pod).get("phase")
    main = mainContainer(pod)
    terminated = dict(_states(pod, "terminated"))
    if phase not in ("Succeeded", "Failed") and main not in terminated:
        return None
    # When an init container failed, the main container never ran.
    failed = (state for state in terminated.values() if state.get("exitCode"))
    state = terminated.get(main) or next(failed, None)
    status = _status(pod)
    why = [status.get("reason"), status.get("message")]
    words = [oneLine(each) for each in why if each]
    if state is not None:
        words.insert(0, _exit(state))
    return ": ".join(words) or f"the Pod is {oneLine(phase)}"


def _exit(state: Mapping[str, Any]) -> str:
    text = f"exit status {state.get('exitCode', '?')}"
    reason = state.get("reason")
    if reason and reason not in ("Completed", "Error"):
        text = f"{oneLine(reason)}, {text}"
    message = state.get("message")
    return f"{text}: {oneLine(message)}" if message else text


@frozen
class Hindrance:
    """
    The reason for which a Pod does not run.

    @ivar reason: a line for the log.
    @ivar hopeless: the reason does not go away by itself.
    """

    reason: str
    hopeless: bool


def hindranceOf(pod: Mapping[str, Any]) -> Hindrance | None:
    """
    @return: the reason for which a Pod does not run; L{None} if there is none.
    """
    for _, state in _states(pod, "waiting"):
        if state.get("reason") in _HOPELESS:
            return Hindrance(_described(state), True)
    for each in _status(pod).get("conditions") or ():
        if (each.get("type"), each.get("status")) == ("PodScheduled", "False"):
            return Hindrance(_described(each), False)
    return None


def _described(state: Mapping[str, Any]) -> str:
    message = state.get("message")
    reason = oneLine(state.get("reason", "?"))
    return f"{reason}: {oneLine(message)}" if message else reason


def stageOf(pod: Mapping[str, Any]) -> str:
    """
    @return: the stage of a Pod's start, such as C{Pending, ContainerCreating}.
    """
    phase = oneLine(_status(pod).get("phase") or "Pending")
    waiting = next((oneLine(s.get("reason", "")) for _, s in _states(pod, "waiting")), "")
    return f"{phase}, {waiting}" if waiting else phase


def appAddress(pod: Mapping[str, Any], port: int) -> Address | None:
    """
    @return: the address of the app; L{None} while the Pod has none, or is not ready by
        its own probes.
    """
    status = _status(pod)
    ready = any(
        (each.get("type"), each.get("status")) == ("Ready", "True")
        for each in status.get("conditions") or ()
    )
    address = status.get("podIP")
    return Address(str(address), port) if ready and address else None
