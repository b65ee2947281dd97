"""
The cluster of the tests, our Pods and our manifests, as C{kubectl} sees them.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from twisted.trial.unittest import SkipTest

import brxy
from brxy.edge.config.options import Options
from brxy.spawners.kubernetes.pod import TICKET
from brxy.test.support.kubernetes.store import APIError
from brxy.test.support.kubernetes.tests import ClusterTests, checkModel
from brxy.test.support.processes.programs import (
    ANYWHERE,
    PYTHON,
    TWISTD,
    Program,
    ProgramTests,
)

__all__ = ["KubectlTests", "ManifestTests"]

_MANIFESTS = Path(brxy.__file__).parents[1] / "deploy" / "kubernetes"

#: Its folders, each a kustomization.
_VARIANTS = ("base", "nodes-dial")

_NO_KUBECTL = "needs kubectl: apt install kubernetes-client"
_NO_MANIFESTS = "needs a checkout of brxy: git clone it"


def manifests(variant: str | Path) -> list[dict[str, Any]]:
    """
    @param variant: the folder of a kustomization, relative to those that are deployed.
    @return: all its objects, as C{kubectl} builds it.
    """
    import yaml

    command = ["kubectl", "kustomize", str(_MANIFESTS / variant)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def knowsComponents() -> bool:
    """
    @return: whether this C{kubectl} knows components of kustomizations.
    """
    command = ["kubectl", "version", "--client", "--output=json"]
    done = subprocess.run(command, capture_output=True, text=True)
    return int(json.loads(done.stdout)["clientVersion"]["minor"].rstrip("+")) >= 21


def _replaced(text: str, parts: Mapping[str, str]) -> str:
    for old, new in parts.items():
        text = text.replace(old, new)
    return text


def monitored(folder: Path, variant: str) -> Path:
    """
    @return: a folder in this one, with a kustomization that has the component for Prometheus.
    """
    if not knowsComponents():
        raise SkipTest("needs kubectl 1.21 or newer")
    made = folder / variant
    made.mkdir()
    there = os.path.relpath(_MANIFESTS, made)
    (made / "kustomization.yaml").write_text(
        f"resources: [{there}/{variant}]\ncomponents: [{there}/monitoring]\n"
    )
    return made


def edgeOf(variant: str | Path) -> tuple[list[str], dict[str, Any]]:
    """
    @return: the arguments and the container of its edge.
    """
    (edge,) = (each for each in manifests(variant) if each["kind"] == "Deployment")
    (container,) = edge["spec"]["template"]["spec"]["containers"]
    return container["args"], container


class KubectlTests(ClusterTests, ProgramTests):
    """
    Tests with the real C{kubectl}.
    """

    timeout = 60

    if shutil.which("kubectl") is None:
        skip = _NO_KUBECTL

    def kubectl(self, *arguments: str) -> Program:
        """
        Start it.
        """
        environ = {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)}
        return self.start("kubectl", *arguments, **environ)

    async def said_by(self, *arguments: str) -> str:
        """
        @return: what it printed, once it has ended well.
        """
        program = self.kubectl(*arguments)
        self.assertEqual(await self.ended(program), 0, program.err)
        return program.out

    async def test_pods(self) -> None:
        """
        It lists, shows, watches and deletes our Pods, and we notice.
        """
        instance = self.spawner("image=app:1 port=8000 -- sleep 1000").spawn(self.order())
        name = (await self.runningPod())["metadata"]["name"]
        watching = self.kubectl("get", "pods", "-w")
        await self.said(watching, name)
        shown = json.loads(await self.said_by("get", "pod", name, "-o", "json"))
        checkModel("V1Pod", shown)
        self.assertEqual(shown["metadata"]["annotations"], {"brxy/route": "example.com"})
        selector = f"{TICKET}={shown['metadata']['labels'][TICKET]}"
        self.assertIn(name, await self.said_by("get", "pods", "-l", selector))
        self.assertIn("deleted", await self.said_by("delete", "pod", name))
        self.assertRegex(await self.over(instance), r"exit status 143\Z")
        self.assertEqual(watching.err, "")

    async def test_run(self) -> None:
        """
        C{kubectl run} as a command for C{process:} starts a node that dials back.
        """
        self.gate()
        self.openGate()
        names = ("ROUTE", "BRXY_EDGE", "BRXY_TICKET", "BRXY_TOKEN", "BRXY_GENERATION")
        given = " ".join(f'"--env={name}=${name}"' for name in names)
        script = self.folder / "run.sh"
        script.write_text(
            f'exec kubectl run "node-$BRXY_TICKET" --image=node:1 --restart=Never {given}'
            f" --command -- twistd -n brxy-node -- python {self.folder}/gate.py\n"
        )
        environ = {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)}
        edge = self.start(
            TWISTD,
            *("-n", "brxy-edge", "--port", ANYWHERE, "--node-port", ANYWHERE),
            *("--spawn", f"sh {script}"),
            **environ,
        )
        answer = await self.get(await self.address(edge), "/env", "a_b.example")
        self.assertEqual(json.loads(answer.body)["ROUTE"], "a_b.example")
        self.assertEqual(len(self.cluster.pods), 1)

    async def test_hostile(self) -> None:
        """
        A hostile Host starts nothing.
        """
        spawn = f"kubernetes: image=app:1 port=8000 kubeconfig={self.kubeconfig} -- sleep 1000"
        edge = self.start(TWISTD, "-n", "brxy-edge", "--port", ANYWHERE, "--spawn", spawn)
        address = await self.address(edge)
        for host in ("$(touch met)", "a/../b", "-a.example", 'a"b', "x" * 64, "a,b=c"):
            answer = await self.get(address, host=host)
            self.assertEqual(answer.status, 400, host)
        self.assertEqual(self.cluster.asked, [])

    async def test_apply(self) -> None:
        """
        It takes our manifests.
        """
        for variant in _VARIANTS:
            said = await self.said_by(
                *("apply", "--dry-run=client", "--validate=false"),
                *("-k", str(_MANIFESTS / variant)),
            )
            self.assertEqual(said.count("created (dry run)"), 8, said)
            self.assertEqual(len(manifests(variant)), 8)

    async def test_scraped(self) -> None:
        """
        An edge with the arguments of the component gives its metrics to a client that trusts
        its authority and brings the token, and to no other.
        """
        made = monitored(self.folder, "base")
        for command in (("init",), ("issue", "brxy-edge", "--for", "clients")):
            action, *names = command
            pki = self.start(PYTHON, "-m", "brxy.pki", action, "pki", *names)
            self.assertEqual(await self.ended(pki), 0, pki.err)
        (self.folder / "token").write_text("secret\n")
        places = {
            "--port=8080": f"--port={ANYWHERE}",
            "/var/lib/brxy": "state",
            "tls:9900": f"tls:{ANYWHERE}",
            "/etc/brxy/admin/token": "token",
            "/etc/brxy/certs": "pki/clients",
        }
        arguments = [_replaced(each, places) for each in edgeOf(made)[0]]
        environ = {"KUBECONFIG": self.kubeconfig, "HOME": str(self.folder)}
        edge = self.start(PYTHON, "-m", "brxy.ctl", *arguments, **environ)
        port = (await self.said(edge, r"https://127\.0\.0\.1:(\d+)"))[1]
        curl = ("curl", "-sS", "--resolve", f"brxy-edge:{port}:127.0.0.1", "-H")
        where = f"https://brxy-edge:{port}/metrics"
        token = "Authorization: Bearer secret"
        trusted = self.start(*curl, token, "--cacert", "pki/ca.pem", where)
        self.assertEqual(await self.ended(trusted), 0, trusted.err)
        self.assertIn("brxy_build_info{", trusted.out)
        stranger = self.start(*curl, "X: y", "--cacert", "pki/ca.pem", where)
        await self.ended(stranger)
        self.assertNotIn("brxy_", stranger.out)
        untrusting = self.start(*curl, token, where)
        self.assertEqual(await self.ended(untrusting), 60, untrusting.err)

    if not _MANIFESTS.exists():
        test_apply.skip = test_scraped.skip = _NO_MANIFESTS  # type: ignore[attr-defined]


class ManifestTests(ClusterTests):
    """
    Tests of C{deploy/kubernetes}.
    """

    if not _MANIFESTS.exists():
        skip = _NO_MANIFESTS
    elif shutil.which("kubectl") is None:
        skip = _NO_KUBECTL

    def test_models(self) -> None:
        """
        The official models know all that is in them.
        """
        for variant in _VARIANTS:
            for each in manifests(variant):
                checkModel(f"V1{each['kind']}", each)

    def test_options(self) -> None:
        """
        The edge understands its arguments. Its Pods dial back in the one
        variant alone, which has a port for them, as its Service has.
        """
        for variant in _VARIANTS:
            dials = variant == "nodes-dial"
            (program, *arguments), container = edgeOf(variant)
            self.assertEqual(program, "edge")
            Options().parseOptions(arguments)
            (spawn,) = (each for each in arguments if each.startswith("--spawn"))
            words = spawn.split(": ", 1)[1].split()
            own = [each for each in words if not each.startswith(("max=", "capacity="))]
            self.assertEqual(self.spawner(" ".join(own)).dials_back, dials)
            ports = {each["name"] for each in container["ports"]}
            self.assertEqual(ports, {"http", "nodes"} if dials else {"http"})
            (service,) = (each for each in manifests(variant) if each["kind"] == "Service")
            self.assertEqual({each["targetPort"] for each in service["spec"]["ports"]}, ports)

    def test_monitoring(self) -> None:
        """
        With the component, the arguments and the objects are those of the variant and a few
        more. The ServiceMonitor finds the Service, and Prometheus reaches its port.
        """
        for variant in _VARIANTS:
            folder = monitored(self.folder, variant)
            added = [each for each in manifests(folder) if each not in manifests(variant)]
            kinds = {each["kind"]: each for each in added}
            self.assertEqual(
                set(kinds), {"Deployment", "NetworkPolicy", "Service", "ServiceMonitor"}
            )
            self.assertEqual(len(manifests(folder)), len(manifests(variant)) + 2)
            for kind in ("Deployment", "NetworkPolicy", "Service"):
                checkModel(f"V1{kind}", kinds[kind])
            (before, _), (arguments, container) = edgeOf(variant), edgeOf(folder)
            self.assertEqual(arguments[: len(before)], before)
            Options().parseOptions(arguments[1:])
            monitor, service = kinds["ServiceMonitor"]["spec"], kinds["Service"]
            self.assertEqual(monitor["selector"]["matchLabels"], service["metadata"]["labels"])
            [port] = [each["port"] for each in monitor["endpoints"]]
            self.assertIn(port, [each["name"] for each in service["spec"]["ports"]])
            self.assertIn(port, [each["name"] for each in container["ports"]])
            [rule] = kinds["NetworkPolicy"]["spec"]["ingress"]
            self.assertEqual(rule["ports"], [{"port": port}])

    async def test_verbs(self) -> None:
        """
        An edge needs all that its role allows, and nothing else.
        """
        (role,) = (each for each in manifests("base") if each["kind"] == "Role")
        allowed = {
            (resource, verb)
            for rule in role["rules"]
            for resource in rule["resources"]
            for verb in rule["verbs"]
        }
        used = set()

        def refuse(method: str, path: str) -> APIError | None:
            verbs = {"POST": ["create"], "DELETE": ["delete"], "GET": ["list", "watch"]}[method]
            resource = "pods"
            if path.endswith("/log"):
                resource, verbs = "pods/log", ["get"]
            wanted = {(resource, verb) for verb in verbs}
            used.update(wanted)
            return None if wanted <= allowed else APIError(403, "Forbidden", path)

        self.cluster.refuses = refuse
        spawner = self.spawner("image=app:1 port=8000 -- sh -c 'echo no; exit 3'")
        self.assertEqual(await spawner.recover(self.edge_id, []), {})
        self.assertEqual(await self.over(spawner.spawn(self.order())), "exit status 3: no")
        self.assertEqual(used, allowed)
