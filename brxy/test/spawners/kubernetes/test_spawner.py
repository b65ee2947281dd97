"""
Tests of C{kubernetes:} with a cluster whose Pods are processes.
"""

from __future__ import annotations

import json

from twisted.internet.task import deferLater

from brxy.errors import SpawnFailed
from brxy.interfaces import IInstance
from brxy.spawners.kubernetes.options import USUAL_TIMES, APITimes
from brxy.test.support.kubernetes.store import APIError, Object
from brxy.test.support.kubernetes.tests import ClusterTests, checkModel

__all__ = ["EndTests", "RecoveryTests", "RefusalTests", "SentTests", "StopTests", "WatchTests"]

_SLEEP = "image=app:1 port=8000 stop-timeout=5 -- sleep 1000"
_STUBBORN = "trap '' TERM; while :; do sleep 0.05; done"

_TEMPLATE: Object = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"generateName": "web-", "labels": {"team": "a"}, "namespace": "apps"},
    "spec": {
        "restartPolicy": "Always",
        "containers": [
            {"name": "other", "image": "app:1", "command": ["sleep", "1000"]},
            {
                "name": "brxy",
                "image": "app:1",
                "command": ["sleep", "{port}"],
                "env": [{"name": "HOST", "value": "::"}, {"name": "A", "value": "b"}],
            },
        ],
    },
}


class SentTests(ClusterTests):
    """
    Tests of what the API is sent.
    """

    def template(self, pod: Object) -> str:
        """
        Write a template.
        """
        path = self.folder / "pod.yaml"
        path.write_text(json.dumps(pod))
        return str(path)

    async def test_models(self) -> None:
        """
        The official models know all that is sent, Pods and how they are deleted.
        """
        spawner = self.spawner("image=app:1 edge=tcp:brxy-edge:9080 -- sleep {route}000")
        instance = spawner.spawn(self.order("1", BRXY_TOKEN="a$(ROUTE)"))
        pod = await self.runningPod()
        names = [each["name"] for each in pod["spec"]["containers"][0]["env"]]
        self.assertEqual(names, ["ROUTE", "BRXY_EDGE", "BRXY_TICKET", "BRXY_TOKEN"])
        instance.stop()
        await self.over(instance)
        sent = {(method, body["kind"]): body for method, _, body in self.cluster.asked if body}
        self.assertEqual(set(sent), {("POST", "Pod"), ("DELETE", "DeleteOptions")})
        for body in sent.values():
            checkModel(f"V1{body['kind']}", body)

    async def test_environment(self) -> None:
        """
        A node finds the order in its environment as it is, and the edge where
        C{edge=} says.
        """
        spawner = self.spawner(
            "image=app:1 edge=tcp:brxy-edge:9080 -- sh -c 'echo $BRXY_EDGE $BRXY_TOKEN; exit 3'"
        )
        instance = spawner.spawn(self.order(BRXY_TOKEN="a$(ROUTE)$$b"))
        line = "exit status 3: tcp:brxy-edge:9080 a$(ROUTE)$$b"
        self.assertEqual(await self.over(instance), line)

    async def test_template(self) -> None:
        """
        A template keeps what it says, but for what is ours; the container
        C{brxy} is the one that is filled in.
        """
        template = self.template(_TEMPLATE)
        spawner = self.spawner(f"template={template} port=8000")
        spawner.spawn(self.order("a_b.example"))
        pod = await self.runningPod()
        metadata, containers = pod["metadata"], pod["spec"]["containers"]
        self.assertRegex(metadata["name"], r"\Aweb-.{5}\Z")
        self.assertEqual(metadata["namespace"], "apps")
        self.assertEqual(metadata["labels"]["team"], "a")
        self.assertEqual(metadata["annotations"], {"brxy/route": "a_b.example"})
        self.assertEqual(pod["spec"]["restartPolicy"], "Never")
        self.assertNotIn("env", containers[0])
        self.assertEqual(containers[1]["command"], ["sleep", "8000"])
        values = {each["name"]: each["value"] for each in containers[1]["env"]}
        expected = {"ROUTE": "a_b.example", "PORT": "8000", "HOST": "::", "A": "b"}
        self.assertEqual(values, expected)


class EndTests(ClusterTests):
    """
    Tests of how Pods end by themselves, or never begin.
    """

    async def ends(self, spec: str) -> str:
        """
        @return: why an instance ended.
        """
        return await self.over(self.spawner(spec).spawn(self.order()))

    async def test_exits(self) -> None:
        """
        The end of a Pod is reported with its status and its last line.
        """
        script = "image=app:1 port=8000 -- sh -c 'echo first; echo no such module >&2; exit 3'"
        self.assertEqual(await self.ends(script), "exit status 3: no such module")
        self.assertEqual(await self.ends("image=app:1 port=8000 -- echo a"), "exit status 0")

    async def test_noProgram(self) -> None:
        """
        So is one whose program is not there.
        """
        reason = await self.ends("image=app:1 port=8000 -- no-such-program")
        self.assertRegex(reason, r"\AStartError, exit status 128: cannot run 'no-such-program'")

    async def test_killed(self) -> None:
        """
        A Pod that had too little memory, or that another program deleted, ends with that
        reason.
        """
        spawner = self.spawner(_SLEEP)
        instance = spawner.spawn(self.order())
        self.cluster.kubelet.kill(await self.runningPod(), "OOMKilled")
        self.assertEqual(await self.over(instance), "OOMKilled, exit status 137")
        instance = spawner.spawn(self.order())
        self.cluster.kubelet.delete(await self.runningPod(), 5)
        reason = await self.over(instance)
        self.assertRegex(reason, r"\A(the Pod was deleted: )?exit status 143\Z")

    async def test_image(self) -> None:
        """
        An image that can't be had, or has no name, is not waited for.
        """
        reason = await self.ends("image=missing:1 port=8000")
        self.assertEqual(reason, 'ErrImagePull: failed to pull "missing:1": not found')
        reason = await self.ends("image=A:: port=8000")
        self.assertRegex(reason, r"\AInvalidImageName: Failed to apply")

    async def test_config(self) -> None:
        """
        Nor is a ConfigMap that is not there.
        """
        reference = {"configMapKeyRef": {"name": "settings", "key": "a"}}
        env = [{"name": "A", "valueFrom": reference}]
        container = {"name": "app", "image": "app:1", "env": env}
        reason = await self.ends(self.withSpec({"containers": [container]}))
        self.assertEqual(reason, 'CreateContainerConfigError: configmap "settings" not found')

    def withSpec(self, spec: Object) -> str:
        """
        @return: the words for a template with this spec.
        """
        path = self.folder / "pod.json"
        path.write_text(json.dumps({"apiVersion": "v1", "kind": "Pod", "spec": spec}))
        return f"template={path} port=8000 unschedulable-timeout=0.3"

    async def test_unschedulable(self) -> None:
        """
        That no machine has room is borne for some time.
        """
        container = {"name": "app", "image": "app:1"}
        spec = {"containers": [container], "nodeSelector": {"gpu": "yes"}}
        instance = self.spawner(self.withSpec(spec)).spawn(self.order())
        began = self.reactor.seconds()
        self.assertEqual(await self.over(instance), "Unschedulable: 0/1 nodes are available")
        self.assertTrue(self.reactor.seconds() - began > 0.3)


class RefusalTests(ClusterTests):
    """
    Tests of what the API does not do.
    """

    async def refused(self, error: APIError) -> str:
        """
        @return: the reason that an instance has when this is the answer.
        """
        self.cluster.refuses = lambda method, path: error if method == "POST" else None
        return await self.over(self.spawner(_SLEEP).spawn(self.order()))

    async def test_refused(self) -> None:
        """
        A refusal is reported in one line.
        """
        text = 'pods is forbidden: User "me" cannot create resource "pods"'
        for code, reason in ((403, "Forbidden"), (409, "AlreadyExists"), (422, "Invalid")):
            told = await self.refused(APIError(code, reason, text))
            self.assertEqual(told, f"{code} {reason}: {text}")

    async def test_noNamespace(self) -> None:
        """
        So is a namespace that is not there.
        """
        instance = self.spawner(f"namespace=nowhere {_SLEEP}").spawn(self.order())
        self.assertEqual(await self.over(instance), '404 NotFound: namespaces "nowhere" not found')

    async def test_later(self) -> None:
        """
        An API that is busy is asked again when it says so, unless that is too
        late.
        """
        busy = APIError(429, "TooManyRequests", "please try again later", 1)
        errors = [busy]
        self.cluster.refuses = lambda method, path: (
            errors.pop() if method == "POST" and errors else None
        )
        instance = self.spawner(_SLEEP).spawn(self.order())
        await self.runningPod()
        instance.stop()
        await self.over(instance)
        told = await self.refused(APIError(429, "TooManyRequests", "later", 60))
        self.assertEqual(told, "429 TooManyRequests: later")

    async def test_away(self) -> None:
        """
        An API that is away, or whose certificate is not trusted, is reported in one line.
        """
        spawner = self.spawner(_SLEEP)
        config = self.cluster.config()
        config["clusters"][0]["cluster"].pop("certificate-authority-data")
        (self.folder / "kubeconfig").write_text(json.dumps(config))
        other = self.spawner(_SLEEP)
        told = await self.over(other.spawn(self.order()))
        untrusted = "its certificate is of no authority that is trusted here"
        self.assertRegex(told, rf"\Ahttps://\S+ can't be reached: {untrusted}\Z")
        await self.cluster.cut()
        told = await self.over(spawner.spawn(self.order()))
        self.assertRegex(told, r"\Ahttps://\S+ can't be reached: Connection refused\Z")

    async def test_brokenServer(self) -> None:
        """
        An API that fails is asked whether it has made the Pod nevertheless.
        """
        error = APIError(500, "InternalError", "etcdserver: request timed out")
        self.assertEqual(await self.refused(error), f"500 InternalError: {error}")

    async def test_unanswered(self) -> None:
        """
        A Pod that was made though the answer never came is found and removed.
        """
        # All other requests, too, must have their answers in this.
        self.cluster.silent = True
        instance = self.spawner(_SLEEP, APITimes(answer=3.0)).spawn(self.order())
        await self.runningPod()
        instance.stop()
        self.assertEqual(await self.over(instance), "exit status 143")


class StopTests(ClusterTests):
    """
    Tests of stopping.
    """

    async def test_graceful(self) -> None:
        """
        A Pod that is stopped gets its time, and its end is reported.
        """
        script = "trap 'sleep 0.3; exit 7' TERM; echo up; while :; do sleep 0.02; done"
        instance = self.spawner(f'image=app:1 port=8000 stop-timeout=5 -- sh -c "{script}"').spawn(
            self.order()
        )
        pod = await self.runningPod()
        await self.until(lambda: self.cluster.kubelet.log(pod["metadata"]["uid"]))
        instance.stop()
        instance.stop()
        self.assertEqual(await self.over(instance), "exit status 7")

    async def test_force(self) -> None:
        """
        One that does not end is forgotten by force, also when its kubelet is
        lost.
        """
        instance = self.spawner(
            f'image=app:1 port=8000 stop-timeout=0.5 -- sh -c "{_STUBBORN}"',
            APITimes(again=0.1),
        ).spawn(self.order())
        await self.runningPod()
        self.patch(self.cluster.kubelet, "delete", self.lost)
        instance.stop()
        self.assertRegex(await self.over(instance), r"\Astopped while \w+")

    def lost(self, pod: Object, grace: int) -> None:
        """
        Delete a Pod on a machine that does not answer.
        """
        if grace == 0:
            self.cluster.store.remove(pod)
            self.cluster.kubelet.kill(pod)

    async def test_cancelled(self) -> None:
        """
        One that is stopped before there is an answer leaves nothing.
        """
        spawner = self.spawner(_SLEEP)
        for wait in (0.0, 0.01, 0.03, 0.1):
            instance = spawner.spawn(self.order())
            await deferLater(self.reactor, wait)
            instance.stop()
            await self.over(instance)

    async def test_away(self) -> None:
        """
        An API that is away when an instance is stopped is waited for.
        """
        instance = self.spawner(_SLEEP, APITimes(soon=0.1)).spawn(self.order())
        await self.runningPod()
        await self.cluster.cut()
        instance.stop()
        await deferLater(self.reactor, 0.3)
        self.assertNoResult(instance.gone)
        self.cluster.back()
        self.assertEqual(await self.over(instance), "exit status 143")

    async def test_givesUp(self) -> None:
        """
        But not for ever: a Pod that may be left is reported.
        """
        instance = self.spawner(_SLEEP.replace("=5", "=0"), APITimes(soon=0.1, removal=0.3)).spawn(
            self.order()
        )
        await self.runningPod()
        await self.cluster.cut()
        instance.stop()
        await instance.gone
        (line,) = [each for each in self.logged if "may be left" in each]
        self.assertRegex(line, r"Connection refused")

    async def test_stopped(self) -> None:
        """
        A spawner that was stopped starts nothing, and watches no more.
        """
        spawner = self.spawner(_SLEEP)
        instance = spawner.spawn(self.order())
        await self.runningPod()
        await spawner.stop()
        await self.over(instance)
        self.assertRaises(SpawnFailed, spawner.spawn, self.order())
        await self.until(lambda: not self.cluster.store.watchers)


class WatchTests(ClusterTests):
    """
    Tests of watching, whatever happens to the connection.
    """

    async def started(self, times: APITimes = USUAL_TIMES) -> IInstance:
        """
        @return: an instance that runs, and is watched.
        """
        instance = self.spawner(_SLEEP, times).spawn(self.order())
        await self.runningPod()
        await self.until(lambda: self.cluster.store.watchers)
        return instance

    async def removedWhileAway(self) -> None:
        """
        Cut the watch, and remove the Pod before it is back.
        """
        await self.cluster.cut()
        pod = self.pod()
        self.cluster.store.remove(pod)
        self.cluster.kubelet.kill(pod)
        await self.until(lambda: not self.cluster.kubelet.running)

    async def test_reconnects(self) -> None:
        """
        What happened while the connection was lost is reported afterwards.
        """
        instance = await self.started()
        await self.removedWhileAway()
        self.cluster.back()
        self.assertRegex(await self.over(instance), r"\Athe Pod was deleted")
        self.assertEqual(len(self.logged), 1)
        self.assertRegex(self.logged[0], r"\APods can't be watched for now: \S")

    async def test_expired(self) -> None:
        """
        So is what the API has forgotten meanwhile: the Pods are listed again.
        """
        instance = await self.started()
        await self.removedWhileAway()
        self.cluster.store.forgetHistory()
        self.cluster.back()
        self.assertEqual(await self.over(instance), "the Pod was deleted")

    async def test_goesOn(self) -> None:
        """
        A watch that the API ends goes on from where it was, without a word.
        """
        instance = await self.started(APITimes(watch=1))
        await self.until(lambda: self._watches() > 1)
        self.cluster.kubelet.kill(self.pod())
        self.assertEqual(await self.over(instance), "exit status 137")
        lists = [each for each in self.cluster.asked if each[0] == "GET"]
        self.assertEqual(self.logged, [])
        self.assertTrue(lists)

    def _watches(self) -> int:
        return self.cluster.watched


class RecoveryTests(ClusterTests):
    """
    Tests of what an earlier run has left, beside those of all spawners.
    """

    async def test_ended(self) -> None:
        """
        What ended meanwhile is removed, and not found.
        """
        earlier = self.spawner(_SLEEP)
        order = self.order()
        earlier.spawn(order)
        await self.runningPod()
        self.patch(self.cluster, "refuses", self.noDelete)
        self.cluster.kubelet.kill(self.pod())
        await self.until(lambda: self.pod()["status"]["phase"] == "Failed")
        self.cluster.refuses = lambda method, path: None
        found = await self.spawner(_SLEEP).recover(self.edge_id, [order])
        self.assertEqual(found, {})
        self.assertEqual(self.cluster.pods, [])

    def noDelete(self, method: str, path: str) -> APIError | None:
        """
        Nothing can be deleted.
        """
        return APIError(503, "ServiceUnavailable", "wait") if method == "DELETE" else None
