"""Does to a real container what a kubelet does to a pod: starts it by its manifest, probes it, ends it.

The container shares the network of this machine, so its port differs from the manifest's. It has no user namespace of
its own: podman of a machine without subordinate ids cannot make one.
"""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import httpx
from pw_kubernetes import KubernetesObject, container
from pw_servers.waiting import until

from pw_image.build import ROOT
from pw_image.podman import LIMITS, exit_code, podman

POLICIES = {"pageworker.json": ROOT / "seccomp" / "container.json"}
"""Where node-profiles puts them, and where they are here."""


@dataclass(frozen=True)
class PodEnd:
    """How a pod ended."""

    hook_code: int
    hook_text: str
    code: int
    """Of the container: 137 if it was killed."""
    seconds: float


@dataclass
class Pod:
    """One pod of a Deployment, with one container."""

    workload: KubernetesObject
    image: str
    name: str
    port: int
    mounts: Sequence[str] = ()
    """In place of the volumes of config maps and secrets."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """In place of variables of the manifest; an empty text: without that variable."""

    def start(self) -> None:
        """Create and start the container, and wait for the startup probe. Raises PodmanFailed, TimeoutError."""
        podman("run", "--detach", "--name", self.name, *self._options(), self.image, *self._command()[1:])
        probe = container(self.workload)["startupProbe"]
        seconds = probe["periodSeconds"] * probe["failureThreshold"]
        try:
            until(lambda: self.probe("startupProbe"), "the startup probe", seconds, 0.2)
        except BaseException as error:
            error.add_note(exit_code("logs", self.name)[1][-3000:])
            raise

    def until_ready(self) -> None:
        """Return once the readiness probe succeeds."""
        until(lambda: self.probe("readinessProbe"), "the readiness probe", 180, 0.2)

    def probe(self, name: str) -> bool:
        """Whether a probe of the manifest succeeds now. Kubernetes takes any code from 200 to 399 for success."""
        probe = container(self.workload)[name]
        url = f"http://127.0.0.1:{self.port}{probe['httpGet']['path']}"
        try:
            return httpx.get(url, timeout=probe["timeoutSeconds"]).status_code < 400
        except httpx.TransportError:
            return False

    def running_jobs(self) -> int:
        """Jobs that run on it now."""
        return len(httpx.get(f"http://127.0.0.1:{self.port}/status", timeout=10).json()["jobs"])

    def delete(self) -> PodEnd:
        """Run the preStop hook, then SIGTERM, and SIGKILL when the grace period is over. The container is removed."""
        began = time.monotonic()
        grace = self.workload["spec"]["template"]["spec"]["terminationGracePeriodSeconds"]
        hook = container(self.workload).get("lifecycle", {}).get("preStop")
        code, text = exit_code("exec", self.name, *hook["exec"]["command"], timeout=grace) if hook else (0, "")
        left = max(1, int(grace - (time.monotonic() - began)))
        podman("stop", "--time", str(left), self.name, timeout=grace + 60)
        ended = int(podman("inspect", "--format", "{{.State.ExitCode}}", self.name))
        seconds = time.monotonic() - began
        self.remove()
        return PodEnd(code, text, ended, seconds)

    def remove(self) -> None:
        """Remove the container with its volumes, whatever it does."""
        podman("rm", "--force", "--volumes", "--time", "0", self.name, accepted=(0, 1))

    def _command(self) -> list[str]:
        """The command of the manifest, with the port of this pod."""
        declared = container(self.workload)["ports"][0]["containerPort"]
        return [self._own_port(word, declared) for word in container(self.workload).get("command", [])]

    def _own_port(self, text: str, declared: int) -> str:
        return f"127.0.0.1:{self.port}" if text == f"0.0.0.0:{declared}" else text

    def _options(self) -> list[str]:
        spec, one = self.workload["spec"]["template"]["spec"], container(self.workload)
        options = [
            "--network",
            "host",
            "--pull",
            "never",
            *LIMITS,
            *_rights(spec["securityContext"], one["securityContext"]),
        ]
        if command := self._command():
            options += ["--entrypoint", command[0]]
        declared = one["ports"][0]["containerPort"]
        variables = {each["name"]: self._own_port(each.get("value", self.name), declared) for each in one["env"]}
        for name, value in {**variables, **self.environment}.items():
            options += ["--env", f"{name}={value}"] if value else []
        options += [word for mount in self.mounts for word in ("--volume", mount)]
        empty = {each["name"]: each["emptyDir"] for each in spec["volumes"] if "emptyDir" in each}
        for mount in one["volumeMounts"]:
            if empty.get(mount["name"], {}).get("medium") == "Memory":
                size = empty[mount["name"]]["sizeLimit"].removesuffix("Mi")
                options += ["--tmpfs", f"{mount['mountPath']}:size={size}m,mode=1777"]
        # The image declares its data folder as a volume, so podman makes an anonymous one: an emptyDir.
        return options


def _rights(pod: Mapping[str, Any], one: Mapping[str, Any]) -> list[str]:
    """Podman's options for the security contexts of a pod and of its container."""
    options = ["--user", f"{pod['runAsUser']}:{pod['runAsGroup']}", "--read-only-tmpfs=false"]
    options += ["--read-only"] if one["readOnlyRootFilesystem"] else []
    options += [word for name in one["capabilities"]["drop"] for word in ("--cap-drop", name)]
    options += [] if one["allowPrivilegeEscalation"] else ["--security-opt", "no-new-privileges"]
    options += ["--security-opt", "unmask=ALL"] if one.get("procMount") == "Unmasked" else []
    profile = pod["seccompProfile"]
    if profile["type"] == "Localhost":
        options += ["--security-opt", f"seccomp={POLICIES[profile['localhostProfile']]}"]
    return options
