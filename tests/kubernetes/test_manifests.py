"""The rendered manifests name what the worker has, and give it no more rights than docs/container.md lists."""

import re
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from deploy.kubernetes import render
from deploy.release.canary import write_kustomization
from pw_kubernetes import KubernetesObject, container, environment, named, objects

from pageworker_supervisor.config.load import load
from pageworker_supervisor.config.settings import Settings

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "kubernetes"
PODS = ("pageworker", "pageworker-fleet")


@pytest.fixture(scope="module")
def rendered() -> dict[str, list[KubernetesObject]]:
    """Objects of each variant."""
    try:
        return {name: objects(text) for name, text in render.variants()}
    except render.KubectlMissing as why:
        pytest.skip(f"manifests cannot be rendered here: {why}")


@pytest.fixture(scope="module")
def base(rendered: dict[str, list[KubernetesObject]]) -> list[KubernetesObject]:
    return rendered["base"]


def settings(found: list[KubernetesObject], name: str, folder: Path) -> Settings:
    """The settings of a pod: its file and its variables."""
    (config,) = [each for each in found if each["kind"] == "ConfigMap"]
    file = folder / "pageworker.toml"
    file.write_text(config["data"]["pageworker.toml"])
    variables = environment(named(found, "Deployment", name))
    assert variables.pop("PAGEWORKER_CONFIG") == "/etc/pageworker/pageworker.toml"
    for variable, value in variables.items():
        if variable.endswith("_PASSWORD_FILE"):
            assert value.startswith("/run/secrets/pageworker/")
            (folder / Path(value).name).write_text("a password")
            variables[variable] = str(folder / Path(value).name)
    return load(file, variables)


def megabytes(quantity: str) -> int:
    """A quantity of bytes in MiB."""
    number, unit = re.fullmatch(r"(\d+)(Mi|Gi)", quantity).groups()  # type: ignore[union-attr]  # fails as it should
    return int(number) * {"Mi": 1, "Gi": 1024}[unit]


@pytest.mark.parametrize("name", PODS)
def test_the_settings_are_accepted(base: list[KubernetesObject], name: str, tmp_path: Path) -> None:
    assert settings(base, name, tmp_path).http.allowed_hosts


def test_the_grace_period_follows_from_the_drain(base: list[KubernetesObject], tmp_path: Path) -> None:
    """preStop may take worker.drain_seconds. docs/operations.md has the longest time from SIGTERM to the end."""
    used = settings(base, "pageworker", tmp_path)
    after_sigterm = used.worker.drain_seconds + used.callbacks.timeout_seconds + 48
    grace = named(base, "Deployment", "pageworker")["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
    assert 0 <= grace - (used.worker.drain_seconds + after_sigterm) <= 10


def test_prestop_is_the_drain_of_this_worker(base: list[KubernetesObject]) -> None:
    """`--reason` and other options are for stored drains: workerctl refuses them here. tests/image runs the command."""
    hook = container(named(base, "Deployment", "pageworker"))["lifecycle"]["preStop"]
    assert hook == {"exec": {"command": ["workerctl", "drain"]}}


@pytest.mark.parametrize(("name", "port"), [("pageworker", "http.bind"), ("pageworker-fleet", "--serve")])
def test_probes_ask_the_port_that_the_process_opens(base: list[KubernetesObject], name: str, port: str) -> None:
    pod = container(named(base, "Deployment", name))
    opened = {"http.bind": environment(named(base, "Deployment", name)).get("PAGEWORKER_HTTP__BIND", "")}
    opened["--serve"] = pod.get("command", [""])[-1]
    (declared,) = pod["ports"]
    assert opened[port] == f"0.0.0.0:{declared['containerPort']}"
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        assert pod[probe]["httpGet"]["port"] == declared["name"]
    # An outage of Redis restarts nothing.
    paths = [pod[probe]["httpGet"]["path"] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert paths == ["/healthz", "/healthz", "/readyz"]


@pytest.mark.parametrize("variant", ["base", "canary"])
def test_a_worker_has_no_rights(rendered: dict[str, list[KubernetesObject]], variant: str) -> None:
    (worker,) = [
        each for each in rendered[variant] if each["kind"] == "Deployment" and "fleet" not in each["metadata"]["name"]
    ]
    spec = worker["spec"]["template"]["spec"]
    assert container(worker)["securityContext"] == {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "procMount": "Unmasked",
    }
    assert spec["hostUsers"] is False
    assert spec["automountServiceAccountToken"] is False
    # Variables such as PAGEWORKER_FLEET_PORT would look like settings.
    assert spec["enableServiceLinks"] is False
    pod = spec["securityContext"]
    assert (pod["runAsNonRoot"], pod["runAsUser"], pod["runAsGroup"], pod["fsGroup"]) == (True, 10001, 10001, 10001)
    assert pod["seccompProfile"] == {"type": "Localhost", "localhostProfile": "pageworker.json"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & spec.keys()


def test_nodes_get_the_seccomp_policy_of_the_repository(rendered: dict[str, list[KubernetesObject]]) -> None:
    (config,) = [each for each in rendered["node-profiles"] if each["kind"] == "ConfigMap"]
    assert config["data"]["pageworker.json"] == (ROOT / "seccomp/container.json").read_text()


@pytest.mark.parametrize("name", PODS)
def test_volumes_fit_the_limits(base: list[KubernetesObject], name: str) -> None:
    workload = named(base, "Deployment", name)
    limits = container(workload)["resources"]["limits"]
    sizes: dict[str, int] = {"memory": 0, "ephemeral-storage": 0}
    for volume in workload["spec"]["template"]["spec"]["volumes"]:
        if "emptyDir" in volume:
            memory = volume["emptyDir"].get("medium") == "Memory"
            sizes["memory" if memory else "ephemeral-storage"] += megabytes(volume["emptyDir"]["sizeLimit"])
    assert all(0 < size < megabytes(limits[name]) for name, size in sizes.items())


def test_a_secret_is_mounted_and_never_a_variable(base: list[KubernetesObject]) -> None:
    for name in PODS:
        assert not [each for each in container(named(base, "Deployment", name))["env"] if "secretKeyRef" in str(each)]
        assert urlsplit(environment(named(base, "Deployment", name))["PAGEWORKER_REDIS__URL"]).password is None
    assert not [each for each in base if each["kind"] == "Secret"]


@pytest.mark.parametrize("component", ["sentinel", "cluster"])
def test_another_redis(rendered: dict[str, list[KubernetesObject]], component: str, tmp_path: Path) -> None:
    found = rendered[f"base+{component}"]
    worker, fleet = (settings(found, name, tmp_path) for name in PODS)
    assert worker.redis.url
    assert f"redis+{component}:" in worker.redis.url
    assert worker.redis == fleet.redis


def test_the_autoscaler_asks_the_fleet_process(rendered: dict[str, list[KubernetesObject]], tmp_path: Path) -> None:
    found = rendered["base+keda"]
    scaled = named(found, "ScaledObject", "pageworker")["spec"]
    used = settings(found, "pageworker-fleet", tmp_path)
    assert (scaled["minReplicaCount"], scaled["maxReplicaCount"]) == (
        used.scaling.min_workers,
        used.scaling.max_workers,
    )
    (trigger,) = scaled["triggers"]
    url = urlsplit(trigger["metadata"]["url"])
    service = named(found, "Service", "pageworker-fleet")
    assert url.hostname == f"pageworker-fleet.{service['metadata']['namespace']}.svc"
    assert url.hostname in used.http.allowed_hosts
    assert url.port == service["spec"]["ports"][0]["port"]
    assert named(found, "Deployment", scaled["scaleTargetRef"]["name"])["spec"].get("replicas") is None


def test_the_other_autoscaler_asks_for_a_metric_of_the_fleet(rendered: dict[str, list[KubernetesObject]]) -> None:
    from pageworker_supervisor.telemetry.fleet_metrics import FLEET_METRICS, PREFIX

    scaler = named(rendered["base+hpa"], "HorizontalPodAutoscaler", "pageworker")["spec"]
    (metric,) = scaler["metrics"]
    assert metric["external"]["metric"]["name"] in {f"{PREFIX}{each.name}" for each in FLEET_METRICS}
    assert scaler["scaleTargetRef"]["name"] == "pageworker"


def matches(selector: dict[str, Any], workload: KubernetesObject) -> bool:
    """Whether a selector of labels chooses the pods of a workload."""
    labels = workload["spec"]["template"]["metadata"]["labels"]
    return bool(selector["matchLabels"].items() <= labels.items())


def test_network_and_disruption_rules_hold_for_all_workers(rendered: dict[str, list[KubernetesObject]]) -> None:
    base = rendered["base"]
    canary = named(rendered["canary"], "Deployment", "pageworker-canary")
    worker, fleet = (named(base, "Deployment", name) for name in PODS)
    budget = named(base, "PodDisruptionBudget", "pageworker")["spec"]["selector"]
    rules = named(base, "NetworkPolicy", "pageworker-worker")["spec"]
    fleet_rules = named(base, "NetworkPolicy", "pageworker-fleet")["spec"]
    for selector in (budget, rules["podSelector"]):
        assert matches(selector, worker)
        assert matches(selector, canary)
        assert not matches(selector, fleet)
    assert matches(fleet_rules["podSelector"], fleet)
    for policy, workload in ((rules, worker), (fleet_rules, fleet)):
        (ingress,) = policy["ingress"]
        assert [each["port"] for each in ingress["ports"]] == [container(workload)["ports"][0]["containerPort"]]
        assert sorted(policy["policyTypes"]) == ["Egress", "Ingress"]


def test_neither_deployment_chooses_the_pods_of_the_other(rendered: dict[str, list[KubernetesObject]]) -> None:
    canary = named(rendered["canary"], "Deployment", "pageworker-canary")
    worker = named(rendered["base"], "Deployment", "pageworker")
    assert matches(worker["spec"]["selector"], worker)
    assert matches(canary["spec"]["selector"], canary)
    assert not matches(worker["spec"]["selector"], canary)
    assert not matches(canary["spec"]["selector"], worker)
    assert container(canary)["image"] == "pageworker-canary"


def test_the_canary_has_the_configuration_of_the_others() -> None:
    try:
        render.check_kubectl()
    except render.KubectlMissing as why:
        pytest.skip(str(why))
    found = objects(render.render_with(resources=("base", "canary")))
    volumes = [
        named(found, "Deployment", name)["spec"]["template"]["spec"]["volumes"]
        for name in ("pageworker", "pageworker-canary")
    ]
    assert volumes[0] == volumes[1]
    assert re.fullmatch(r"pageworker-config-\w+", volumes[0][0]["configMap"]["name"])


def test_a_canary_is_one_more_deployment_with_the_new_image(tmp_path: Path) -> None:
    try:
        render.check_kubectl()
    except render.KubectlMissing as why:
        pytest.skip(str(why))
    image = "registry.example/pageworker@sha256:" + "a" * 64
    write_kustomization(tmp_path, FOLDER / "example", image)
    command = ["kubectl", "kustomize", str(tmp_path)]
    found = objects(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)
    # What `kubectl apply --selector track=canary` applies.
    (canary,) = [each for each in found if each["metadata"].get("labels", {}).get("track") == "canary"]
    assert (canary["kind"], canary["metadata"]["name"]) == ("Deployment", "pageworker-canary")
    assert container(canary)["image"] == image
    stable = named(found, "Deployment", "pageworker")
    assert container(stable)["image"] != image
    volumes = [each["spec"]["template"]["spec"]["volumes"] for each in (canary, stable)]
    assert volumes[0] == volumes[1]


def test_an_old_kubectl_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kubectl = tmp_path / "kubectl"
    kubectl.write_text('#!/bin/sh\necho \'{"clientVersion": {"minor": "20"}}\'\n')
    kubectl.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    with pytest.raises(render.KubectlMissing, match="kustomize v0; the manifests need v5"):
        render.check_kubectl()
