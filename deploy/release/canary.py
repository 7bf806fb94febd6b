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
from pathlib import Path

CANARY = Path(__file__).resolve().parents[1] / "kubernetes" / "canary"
NAMESPACE = "pageworker"
NEW, STABLE = "deployment/pageworker-canary", "deployment/pageworker"
DEPLOYMENTS = ((STABLE, "worker"), ("deployment/pageworker-fleet", "fleet"))
"""Each with the name of its container."""
START_SECONDS, ROLLOUT_SECONDS, CALL_SECONDS = 300, 1800, 60
TAG = "canary"
"""In `worker.tags` of the canary: deploy/kubernetes/canary sets it."""


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


def watch(jobs: int, after: str, deadline: str) -> str:
    """Watch from a pod of the other workers. Returns what was seen. Raises CanaryFailed if the canary must go."""
    options = ("--jobs", str(jobs), "--after", after, "--deadline", deadline)
    words = ("exec", STABLE, "--", "workerctl", "rollout", "watch", "--canary", TAG, *options)
    # The command ends itself at its deadline.
    return kubectl(*words, timeout=None).strip()


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


def kubectl(*words: str, timeout: float | None = CALL_SECONDS) -> str:
    """Run kubectl in the namespace. Returns its output. Raises CanaryFailed."""
    command = ["kubectl", "--namespace", NAMESPACE, *words]
    try:
        ended = subprocess.run(command, capture_output=True, text=True, timeout=timeout, stdin=subprocess.DEVNULL)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise CanaryFailed(f"kubectl {words[0]}: {error}") from error
    if ended.returncode:
        said = f"{ended.stdout.strip()}\n{ended.stderr.strip()}".strip()
        raise CanaryFailed(f"kubectl {' '.join(words[:2])}: {said[-2000:]}")
    return ended.stdout


def main() -> None:
    """Do all of it for the overlay and the image of argv."""
    words = argparse.ArgumentParser(prog="canary.py")
    words.add_argument("overlay", type=Path)
    words.add_argument("image")
    words.add_argument("--jobs", type=int, default=100)
    words.add_argument("--after", default="10m")
    words.add_argument("--deadline", default="1h")
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
            seen = watch(given.jobs, given.after, given.deadline)
            promote(given.image)
        finally:
            # It drains before it ends (preStop).
            kubectl("delete", NEW, "--ignore-not-found", timeout=START_SECONDS)
    except CanaryFailed as error:
        sys.exit(f"canary.py: not promoted, the workers of before go on: {error}")
    sys.stdout.write(f"promoted {given.image}\n{seen}\n")


if __name__ == "__main__":
    main()
