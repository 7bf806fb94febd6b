"""Starts canary workers, watches them, and promotes or removes them: `canary.py OVERLAY IMAGE@DIGEST`.

OVERLAY is the kustomization that is applied to the cluster. The canary takes jobs from the same queue as the workers of
before. Whatever ends this program, the canary is removed. The other workers change only if it is promoted, and go back
if they do not get ready then. docs/releases.md explains it.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from deploy.release.canary_decision import (
    CanaryDecision,
    CanaryMemory,
    JobCounts,
    PodState,
    count_jobs,
    decide_canary,
    look,
)

CANARY = Path(__file__).resolve().parents[1] / "kubernetes" / "canary"
NAMESPACE = "pageworker"
NEW = "deployment/pageworker-canary"
DEPLOYMENTS = (("deployment/pageworker", "worker"), ("deployment/pageworker-fleet", "fleet"))
"""Each with the name of its container."""
START_SECONDS, ROLLOUT_SECONDS, CALL_SECONDS = 300, 1800, 60
READ_METRICS = (
    "import urllib.request as r; print(r.urlopen('http://127.0.0.1:9470/metrics', timeout=10).read().decode())"
)


class CanaryFailed(Exception):
    """The new version was not promoted. The text says why, and the cluster is as before."""


def check(overlay: Path, image: str) -> None:
    """Refuse what cannot be a canary, before anything starts. Raises CanaryFailed."""
    if not (overlay / "kustomization.yaml").is_file():
        raise CanaryFailed(f"OVERLAY is '{overlay}'. Give the folder with the kustomization.yaml of your cluster.")
    if not re.fullmatch(r".+@sha256:[0-9a-f]{64}", image):
        raise CanaryFailed(
            f"IMAGE is '{image}'. Give a digest, NAME@sha256:…: a tag may be another image for the next pod."
        )
    if kubectl("get", NEW, "--ignore-not-found", "--output", "name").strip():
        raise CanaryFailed(f"{NEW} is there already: another canary runs, or remove it with kubectl delete.")


def write_kustomization(work: Path, overlay: Path, image: str) -> None:
    """Write a kustomization of overlay and canary into `work`, which is no folder below `overlay`: that is a cycle."""
    name, _, digest = image.partition("@")
    kustomization = {
        "resources": [os.path.relpath(overlay.resolve(), work.resolve()), os.path.relpath(CANARY, work.resolve())],
        "images": [{"name": "pageworker-canary", "newName": name, "digest": digest}],
    }
    (work / "kustomization.yaml").write_text(json.dumps(kustomization))


def apply_canary(overlay: Path, image: str) -> None:
    """Start the canary's Deployment beside what `overlay` describes. Nothing else is applied. Raises CanaryFailed."""
    with tempfile.TemporaryDirectory(prefix="pw-canary-") as work:
        write_kustomization(Path(work), overlay, image)
        kubectl("apply", "--kustomize", work, "--selector", "track=canary")
    kubectl("rollout", "status", NEW, f"--timeout={START_SECONDS}s", timeout=START_SECONDS + CALL_SECONDS)


def watch(least_jobs: int, minutes: float, pause_seconds: float) -> str:
    """Look until the canary can be promoted. Returns what was seen. Raises CanaryFailed if it must be removed."""
    memory, end = CanaryMemory(), time.monotonic() + minutes * 60
    while True:
        canary = pods("canary")
        memory = look(memory, counts(pods("stable")), counts(canary))
        decision, why = decide_canary(memory, canary, least_jobs, deadline_passed=time.monotonic() >= end)
        sys.stderr.write(f"canary: {decision.value}: {why}\n")
        if decision is CanaryDecision.PROMOTE:
            return why
        if decision is CanaryDecision.REMOVE:
            raise CanaryFailed(why)
        time.sleep(pause_seconds)


def promote(image: str) -> None:
    """Give all workers the image. Raises CanaryFailed if they do not get ready; then they have the old one again."""
    changed = []
    try:
        for deployment, container in DEPLOYMENTS:
            kubectl("set", "image", deployment, f"{container}={image}")
            changed.append(deployment)
        for deployment in changed:
            wait = f"--timeout={ROLLOUT_SECONDS}s"
            kubectl("rollout", "status", deployment, wait, timeout=ROLLOUT_SECONDS + CALL_SECONDS)
    except BaseException:
        for deployment in changed:
            kubectl("rollout", "undo", deployment)
        raise


def pods(track: str) -> list[PodState]:
    """The workers' pods with this label, without those that end."""
    listed = json.loads(kubectl("get", "pods", "--selector", f"track={track}", "--output", "json"))["items"]
    found = []
    for pod in listed:
        statuses = pod["status"].get("containerStatuses", [])
        ready = bool(statuses) and all(each["ready"] for each in statuses)
        if "deletionTimestamp" not in pod["metadata"]:
            found.append(PodState(pod["metadata"]["name"], ready, sum(each["restartCount"] for each in statuses)))
    return found


def counts(found: Sequence[PodState]) -> dict[str, JobCounts]:
    """Ended jobs of each pod that is ready. A pod that ends meanwhile is left out."""
    counted = {}
    for pod in found:
        if pod.ready:
            try:
                counted[pod.name] = count_jobs(kubectl("exec", pod.name, "--", "/usr/bin/python3", "-c", READ_METRICS))
            except CanaryFailed as error:
                sys.stderr.write(f"canary: left out: {error}\n")
    return counted


def kubectl(*words: str, timeout: float = CALL_SECONDS) -> str:
    """Run kubectl in the namespace. Returns its output. Raises CanaryFailed."""
    command = ["kubectl", "--namespace", NAMESPACE, *words]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CanaryFailed(f"kubectl {words[0]}: {error}") from error
    if ended.returncode:
        raise CanaryFailed(f"kubectl {' '.join(words[:2])}: {ended.stderr.strip()[-2000:]}")
    return ended.stdout


def main() -> None:
    """Do all of it for the overlay and the image of argv."""
    words = argparse.ArgumentParser(prog="canary.py")
    words.add_argument("overlay", type=Path)
    words.add_argument("image")
    words.add_argument("--least-jobs", type=int, default=100)
    words.add_argument("--minutes", type=float, default=60.0)
    words.add_argument("--pause-seconds", type=float, default=15.0)
    given = words.parse_args()
    if not given.overlay.is_dir():
        sys.exit(
            f"canary.py: OVERLAY is '{given.overlay}'. Give the folder of the kustomization that your cluster has."
        )
    # A CI that cancels a run sends SIGTERM: the canary goes then, too.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    with tempfile.TemporaryDirectory(prefix="pw-kubeconfig-") as folder:
        # A secret of a CI is a text, and kubectl reads a file. Only this user can enter the folder.
        if text := os.environ.pop("KUBECONFIG_TEXT", ""):
            Path(folder, "kubeconfig").write_text(text)
            os.environ["KUBECONFIG"] = str(Path(folder, "kubeconfig"))
        _run(given)


def _run(given: argparse.Namespace) -> None:
    try:
        check(given.overlay, given.image)
        try:
            apply_canary(given.overlay, given.image)
            seen = watch(given.least_jobs, given.minutes, given.pause_seconds)
            promote(given.image)
        finally:
            # It drains before it ends (preStop).
            kubectl("delete", NEW, "--ignore-not-found", timeout=START_SECONDS)
    except CanaryFailed as error:
        sys.exit(f"canary.py: not promoted, the workers of before go on: {error}")
    sys.stdout.write(f"promoted {given.image}: {seen}\n")


if __name__ == "__main__":
    main()
