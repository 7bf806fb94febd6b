"""Reads rendered manifests, for tests of deploy/kubernetes."""

from typing import Any

import yaml

# Any: objects of Kubernetes, as YAML.
KubernetesObject = dict[str, Any]


def objects(text: str) -> list[KubernetesObject]:
    """All objects of a file."""
    return [each for each in yaml.safe_load_all(text) if each is not None]


def named(found: list[KubernetesObject], kind: str, name: str) -> KubernetesObject:
    """The object of this kind and name."""
    (one,) = [each for each in found if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    return one


def container(workload: KubernetesObject) -> KubernetesObject:
    """The only container of a workload's pods."""
    (one,) = workload["spec"]["template"]["spec"]["containers"]
    return dict(one)


def environment(workload: KubernetesObject) -> dict[str, str]:
    """The variables of its container that have a plain value."""
    return {each["name"]: each["value"] for each in container(workload)["env"] if "value" in each}
