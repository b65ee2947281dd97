"""
The cluster of the tests, our Pods and our manifests, as C{kubectl} sees them.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import brxy
from brxy.edge.config.options import Options
from brxy.spawners.kubernetes.pod import TICKET
from brxy.test.support.kubernetes.store import APIError
from brxy.test.support.kubernetes.tests import ClusterTests, checkModel
from brxy.test.support.processes.programs import ANYWHERE, TWISTD, Program, ProgramTests

__all__ = ["KubectlTests", "ManifestTests"]

_MANIFESTS = Path(brxy.__file__).parents[1] / "deploy" / "kubernetes"

#: Its folders, each a kustomization.
_VARIANTS = ("base", "nodes-dial")

_NO_KUBECTL = "needs kubectl: apt install kubernetes-client"
_NO_MANIFESTS = "needs a checkout of brxy: git clone it"


def manifests(variant: str) -> list[dict[str, Any]]:
    """
    @return: all objects of a kustomization, as C{kubectl} builds it.
    """
    import yaml

    command = ["kubectl", "kustomize", str(_MANIFESTS / variant)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return list(yaml.safe_load_all(done.stdout))


def edgeOf(variant: str) -> tuple[list[str], dict[str, Any]]:
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

    if not _MANIFESTS.exists():
        test_apply.skip = _NO_MANIFESTS  # type: ignore[attr-defined]


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
