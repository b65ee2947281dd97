"""
Tests of making Pods, and of reading what is said of them.
"""

from __future__ import annotations

import re
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from brxy.interfaces import Address, SpawnOrder
from brxy.spawners.kubernetes.pod import (
    PodOwner,
    PodPlan,
    checkTemplate,
    imageTemplate,
    labelValue,
    makePod,
)
from brxy.spawners.kubernetes.status import (
    Hindrance,
    appAddress,
    endOf,
    hindranceOf,
    refusal,
    stageOf,
)
from brxy.test.support.kubernetes.tests import checkModel
from brxy.test.support.memory.examples import bounded

__all__ = ["LabelTests", "MakeTests", "StatusTests", "TemplateTests"]

_LABEL = re.compile(r"([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]")


class LabelTests(SynchronousTestCase):
    """
    Tests of what is made to fit into a label.
    """

    @bounded(100)
    @given(st.text(max_size=300))
    def test_fits(self, text: str) -> None:
        """
        Whatever it is, it fits; what fits by itself stays.
        """
        value = labelValue(text)
        if text:
            self.assertRegex(value, rf"\A{_LABEL.pattern}\Z")
        self.assertTrue(len(value) <= 63)
        self.assertEqual(labelValue(value), value)

    def test_differ(self) -> None:
        """
        Two routes that are made to fit are still two.
        """
        routes = ["a" * 100 + ".b", "a" * 100 + ".c", "_a.b", "a.b", "a.b_", "[::1]", "-", "__"]
        self.assertEqual(len({labelValue(each) for each in routes}), len(routes))


class MakeTests(SynchronousTestCase):
    """
    Tests of what a Pod is made of.
    """

    def make(self, route: str, **plan: Any) -> dict[str, Any]:
        """
        @return: a Pod for a route.
        """
        environment = {"ROUTE": route, "BRXY_TOKEN": "hush", "BRXY_EDGE": "tcp:127.0.0.1:1"}
        order = SpawnOrder("t1", route, 1, environment, "edge-1")
        given = {"template": imageTemplate("app:1"), "namespace": "apps", "edge": "tcp:e:9080"}
        return makePod(order, PodPlan(**{**given, **plan}))

    def test_routes(self) -> None:
        """
        A route stands in an annotation as it is, and nowhere else where it
        does not fit.
        """
        for route in ("x" * 63 + ".example", "_a_.example", "[2001:db8::1]", "a.b"):
            pod = self.make(route)
            checkModel("V1Pod", pod)
            metadata = pod["metadata"]
            self.assertEqual(metadata["annotations"]["brxy/route"], route)
            self.assertRegex(metadata["generateName"], r"\Abrxy-[a-z0-9-]{1,45}-\Z")
            for value in metadata["labels"].values():
                self.assertRegex(value, rf"\A{_LABEL.pattern}\Z")

    def test_owner(self) -> None:
        """
        It belongs to the edge's Pod, if that has one.
        """
        self.assertNotIn("ownerReferences", self.make("a")["metadata"])
        pod = self.make("a", owner=PodOwner("edge-7", "u-1"))
        checkModel("V1Pod", pod)
        expected = {"apiVersion": "v1", "kind": "Pod", "name": "edge-7", "uid": "u-1"}
        self.assertEqual(pod["metadata"]["ownerReferences"], [expected])

    def test_arguments(self) -> None:
        """
        What follows C{--} are the arguments of the image; nothing in a route
        is taken for the name of a variable.
        """
        pod = self.make("$(HOME)", command=["serve", "{route}", "{port}", "$(HOME)"])
        container = pod["spec"]["containers"][0]
        self.assertEqual(container["args"], ["serve", "$$(HOME)", "{port}", "$(HOME)"])
        self.assertNotIn("command", container)

    def test_token(self) -> None:
        """
        The token is the template's, if that has one from a Secret.
        """
        reference = {"secretKeyRef": {"name": "brxy-token", "key": "token"}}
        template = imageTemplate("app:1")
        template["spec"]["containers"][0]["env"] = [
            {"name": "BRXY_TOKEN", "valueFrom": reference},
            {"name": "BRXY_EDGE", "value": "elsewhere"},
        ]
        env = self.make("a", template=template)["spec"]["containers"][0]["env"]
        named = {each["name"]: each for each in env}
        self.assertEqual(len(named), len(env))
        self.assertEqual(named["BRXY_TOKEN"]["valueFrom"], reference)
        self.assertEqual(named["BRXY_EDGE"]["value"], "tcp:e:9080")
        self.assertNotIn("hush", str(env))


class TemplateTests(SynchronousTestCase):
    """
    Tests of what is no template.
    """

    def test_bad(self) -> None:
        """
        Errors are reported.
        """
        head = {"apiVersion": "v1", "kind": "Pod"}
        for pod, why in (
            (None, "it must be one Pod"),
            ({"apiVersion": "apps/v1", "kind": "Deployment"}, "it must be one Pod"),
            ({**head, "metadata": []}, "metadata must be a mapping"),
            ({**head, "metadata": {"labels": "a"}}, "metadata.labels must be a mapping"),
            ({**head, "metadata": {"name": "a"}}, "metadata.name can't be given"),
            (head, "spec.containers must be a list"),
            ({**head, "spec": {"containers": ["a"]}}, "each of spec.containers must have a name"),
            (self.withContainer(env={}), None),
            (self.withContainer(env=["a"]), "env of the container 'a' must be a list of name:"),
            (self.withContainer(command="a b"), "command of the container 'a' must be a list"),
            (self.withContainer(args=[1]), "args of the container 'a' must be a list of text"),
            (self.withContainer(limit=float("nan")), "it can't be written as JSON"),
        ):
            if why is None:
                self.assertIs(checkTemplate(pod), pod)
                continue
            error = self.assertRaises(ValueError, checkTemplate, pod)
            self.assertIn(why, str(error))

    def withContainer(self, **more: object) -> dict[str, Any]:
        """
        @return: a Pod with one container.
        """
        container = {"name": "a", **more}
        return {"apiVersion": "v1", "kind": "Pod", "spec": {"containers": [container]}}


class StatusTests(SynchronousTestCase):
    """
    Tests of what a Pod's status means.
    """

    def pod(self, phase: str = "Pending", **status: Any) -> dict[str, Any]:
        """
        A Pod with two containers, of which C{brxy} is ours.
        """
        containers = [{"name": "sidecar"}, {"name": "brxy"}]
        return {"spec": {"containers": containers}, "status": {"phase": phase, **status}}

    def containers(self, **states: Any) -> list[dict[str, Any]]:
        """
        @return: statuses of containers.
        """
        return [{"name": name, "state": state} for name, state in states.items()]

    def test_end(self) -> None:
        """
        Our container's end is the Pod's, whatever runs beside it; and else
        the Pod says why.
        """
        other = {"terminated": {"exitCode": 0, "reason": "Completed"}}
        ours = {"terminated": {"exitCode": 2, "reason": "Error", "message": "a\nb\x1b[0m"}}
        running: dict[str, Any] = {"running": {}}
        for pod, end in (
            (self.pod(), None),
            (self.pod("Running", containerStatuses=self.containers(sidecar=other)), None),
            (
                self.pod("Running", containerStatuses=self.containers(sidecar=running, brxy=ours)),
                "exit status 2: a b\\x1b[0m",
            ),
            (
                self.pod("Failed", reason="Evicted", message="The node was low on memory."),
                "Evicted: The node was low on memory.",
            ),
            (
                self.pod("Failed", initContainerStatuses=self.containers(migrate=ours)),
                "exit status 2: a b\\x1b[0m",
            ),
            (self.pod("Failed"), "the Pod is Failed"),
        ):
            self.assertEqual(endOf(pod), end)

    def test_hindrance(self) -> None:
        """
        The reason for which a Pod does not run is reported, and whether it can change.
        """
        waiting = {"waiting": {"reason": "ContainerCreating"}}
        pod = self.pod(containerStatuses=self.containers(brxy=waiting))
        self.assertEqual((hindranceOf(pod), stageOf(pod)), (None, "Pending, ContainerCreating"))
        waiting = {"waiting": {"reason": "ImagePullBackOff", "message": "no\nway"}}
        pod = self.pod(containerStatuses=self.containers(sidecar=waiting))
        self.assertEqual(hindranceOf(pod), Hindrance("ImagePullBackOff: no way", True))
        condition = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}
        pod = self.pod(conditions=[condition])
        self.assertEqual(hindranceOf(pod), Hindrance("Unschedulable", False))

    def test_address(self) -> None:
        """
        An app is reached where the Pod is, once that is ready.
        """
        ready = {"type": "Ready", "status": "True"}
        self.assertIsNone(appAddress(self.pod("Running", podIP="10.0.0.1"), 80))
        pod = self.pod("Running", podIP="10.0.0.1", conditions=[ready])
        self.assertEqual(appAddress(pod, 80), Address("10.0.0.1", 80))

    def test_refusal(self) -> None:
        """
        An error is one line, from the API or from a proxy.
        """
        status = b'{"kind": "Status", "reason": "Forbidden", "message": "no\\nway"}'
        self.assertEqual(str(refusal(403, status)), "403 Forbidden: no way")
        self.assertEqual(str(refusal(502, b"<html>\nbad")), "502: <html> bad")
        self.assertEqual(str(refusal(500, b"")), "500")
        self.assertEqual(refusal(429, b"{}", "3").retry_after, 3)
        self.assertIsNone(refusal(429, b"[]", "Fri, 31 Dec 1999 23:59:59 GMT").retry_after)
        self.assertLessEqual(len(str(refusal(500, b"a" * 10000))), 310)
