"""What the manifests ask of the worker, tried on the real container: probes, preStop, scale to zero and back."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest
from deploy.kubernetes import render
from pw_daemon.place import write_module
from pw_image.job_run import run_jobs
from pw_image.kubelet import Pod, PodEnd
from pw_image.testbed import INSIDE, DemoSite, Testbed, demo_jobs
from pw_kubernetes import KubernetesObject, named, objects
from pw_servers.ports import free_port
from pw_servers.waiting import until

from pageworker_demo.scenario import ExpectedResult, ScenarioJob
from pageworker_sandbox.task_group import TaskGroup

pytestmark = [pytest.mark.image, pytest.mark.timeout(3600)]

JOBS_SECONDS = 1500.0
SCALE_SECONDS = 300.0
FLEET_HOST = "pageworker-fleet.pageworker.svc"
"""The name by which KEDA asks."""
OTHER = {"PAGEWORKER_REDIS__PASSWORD_FILE": "", "PAGEWORKER_CONFIG": f"{INSIDE}/pageworker.toml"}
"""The Redis of the tests has no password."""

WAIT = "await asyncio.sleep(payload['seconds'])\nreturn {}"
WAIT_SECONDS = 12
"""Longer than `workerctl drain` needs to begin, and much shorter than worker.drain_seconds."""

StartPod = Callable[..., Pod]


@pytest.fixture(scope="module")
def manifests() -> list[KubernetesObject]:
    try:
        render.check_kubectl()
    except render.KubectlMissing as why:
        pytest.skip(str(why))
    return objects(render.render_with("keda"))


@pytest.fixture
def start(headless: str, testbed: Testbed, manifests: list[KubernetesObject]) -> Iterator[StartPod]:
    """Starts a pod of a Deployment."""
    pods = []

    def started(deployment: str = "pageworker", **variables: str) -> Pod:
        port = free_port()
        environment = {**OTHER, "PAGEWORKER_REDIS__URL": testbed.redis.url, **variables}
        workload = named(manifests, "Deployment", deployment)
        pod = Pod(workload, headless, f"pw-test-{port}", port, testbed.mounts, environment)
        pods.append(pod)
        pod.start()
        return pod

    yield started
    for pod in pods:
        pod.remove()


def jobs_without_profile(times: int, site: DemoSite) -> list[ScenarioJob]:
    """A profile belongs to the data folder of one worker, and a pod's folder goes with it."""
    jobs = [job for job in demo_jobs(times, site.callback_base_url) if "profile_id" not in job.fields]
    kept = {job.ref for job in jobs}
    return [job for job in jobs if job.after is None or job.after in kept]


def waiting_jobs(number: int) -> list[ScenarioJob]:
    """Jobs that run for WAIT_SECONDS, of two tenants. Each is to end in its first attempt."""
    fields = {"endpoint_module": "test.wait", "payload": {"seconds": WAIT_SECONDS}}
    tenants = ("acme", "globex")
    return [
        ScenarioJob(
            {"job_id": f"wait-{each}", "tenant_id": tenants[each % 2], **fields},
            ExpectedResult("succeeded", attempts=1),
        )
        for each in range(number)
    ]


async def test_a_pod_that_is_deleted_under_load_loses_no_job(
    start: StartPod, testbed: Testbed, site: DemoSite, tmp_path: Path
) -> None:
    # Two workers run 24 jobs at once. After half of the results, the second half of these has just begun.
    jobs = [*waiting_jobs(48), *jobs_without_profile(1, site)]
    await testbed.prepare(site, [write_module(tmp_path, "test.wait", WAIT)])
    first, second = [await asyncio.to_thread(start) for _ in range(2)]
    for pod in (first, second):
        await asyncio.to_thread(pod.until_ready)
        assert pod.probe("livenessProbe")
    ends: list[PodEnd] = []

    async def replace() -> None:
        await asyncio.to_thread(until, lambda: first.running_jobs() >= 2, "jobs run on the pod", 60, 0.05)
        ends.append(await asyncio.to_thread(first.delete))

    assert await run_jobs(testbed, site, jobs, JOBS_SECONDS, halfway=replace) == []
    (end,) = ends
    # Jobs ran while the hook drained, and all of them ended in time: nothing was requeued or killed.
    assert "waiting" in end.hook_text
    assert end.hook_code == 0, end.hook_text
    assert end.code == 0


async def test_a_draining_pod_is_alive_and_not_ready(start: StartPod, testbed: Testbed, site: DemoSite) -> None:
    await testbed.prepare(site)
    pod = await asyncio.to_thread(start)
    await asyncio.to_thread(pod.until_ready)
    testbed.redis.pause()
    try:
        # An outage of Redis restarts no pod.
        await asyncio.to_thread(until, lambda: not pod.probe("readinessProbe"), "the pod is not ready", 60, 0.2)
        assert pod.probe("livenessProbe")
    finally:
        testbed.redis.resume()
    await asyncio.to_thread(pod.until_ready)
    end = await asyncio.to_thread(pod.delete)
    assert (end.hook_code, end.code) == (0, 0)
    assert end.seconds < 60


async def test_one_job_wakes_a_fleet_of_zero_and_it_goes_back_to_zero(
    start: StartPod, testbed: Testbed, site: DemoSite, manifests: list[KubernetesObject]
) -> None:
    await testbed.prepare(site)
    scaled = named(manifests, "ScaledObject", "pageworker")["spec"]
    (trigger,) = scaled["triggers"]
    scaling = {"PAGEWORKER_SCALING__SCALE_DOWN_SECONDS": "10", "PAGEWORKER_HTTP__ALLOWED_HOSTS": f'["{FLEET_HOST}"]'}
    fleet = await asyncio.to_thread(start, "pageworker-fleet", **scaling)
    await asyncio.to_thread(fleet.until_ready)
    workers: list[Pod] = []
    most = 0

    def wanted() -> int:
        """What KEDA reads, by the name that it uses."""
        url = f"http://127.0.0.1:{fleet.port}{httpx.URL(trigger['metadata']['url']).path}"
        answer = httpx.get(url, headers={"Host": f"{FLEET_HOST}:9471"}, timeout=10).raise_for_status().json()
        return int(answer[trigger["metadata"]["valueLocation"]])

    async def follow(until_wanted: int) -> None:
        """In KEDA's place: start and delete pods until the number is reached."""
        nonlocal most
        async with asyncio.timeout(SCALE_SECONDS):
            while True:
                number = await asyncio.to_thread(wanted)
                while len(workers) < number:
                    workers.append(await asyncio.to_thread(start))
                while len(workers) > number:
                    end = await asyncio.to_thread(workers.pop().delete)
                    assert end.code == 0
                most = max(most, len(workers))
                if number == until_wanted:
                    return
                await asyncio.sleep(1)

    assert await asyncio.to_thread(wanted) == 0
    (job, *_) = [job for job in jobs_without_profile(1, site) if job.expected.status == "succeeded"]
    async with TaskGroup() as tasks:
        run = tasks.create_task(run_jobs(testbed, site, [job], JOBS_SECONDS))
        await follow(until_wanted=1)
    assert run.result() == []
    await follow(until_wanted=0)
    assert (workers, most) == ([], 1)
