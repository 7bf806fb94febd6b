"""The steps of a canary on a cluster. None runs here: a script takes kubectl's place, and writes down its calls."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
IMAGE = "registry.example/pageworker@sha256:" + "a" * 64
STAND_IN = """#!{python} -SE
import json, pathlib, sys
words = sys.argv[3:]
here = pathlib.Path(__file__).parent
with (here / "calls").open("a") as file:
    print(" ".join(words if words[0] == "exec" else words[:3]), file=file)
answers = json.loads((here / "answers.json").read_text())
if words[0] in answers.get("fails", []) or " ".join(words[:3]) in answers.get("fails", []):
    sys.exit("the server refuses")
if words[1] == "deployment/pageworker-canary" and words[0] == "get":
    print(answers.get("found", ""))
if words[0] == "exec":
    print(answers.get("evidence", "promote: nothing speaks against the canary"))
    sys.exit(answers.get("watch", 0))
"""


def run_canary(folder: Path, *options: str, **answers: object) -> tuple[subprocess.CompletedProcess[str], list[str]]:
    """Run the program. Returns how it ended, and the calls of kubectl by their first words."""
    stand_in = folder / "kubectl"
    stand_in.write_text(STAND_IN.format(python=sys.executable))
    stand_in.chmod(0o755)
    (folder / "overlay").mkdir()
    (folder / "overlay/kustomization.yaml").touch()
    (folder / "answers.json").write_text(json.dumps(answers))
    command = [sys.executable, str(ROOT / "deploy/release/canary.py"), str(folder / "overlay"), *options]
    environment = {"PATH": f"{folder}:/usr/bin:/bin", "PYTHONPATH": ":".join(sys.path)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=60)
    calls = folder / "calls"
    return ended, calls.read_text().splitlines() if calls.exists() else []


REMOVED = "delete deployment/pageworker-canary --ignore-not-found"


def test_a_good_canary_is_promoted_and_then_removed(tmp_path: Path) -> None:
    ended, calls = run_canary(tmp_path, IMAGE)
    assert ended.stdout == f"promoted {IMAGE}\npromote: nothing speaks against the canary\n"
    assert calls[1].startswith("apply --kustomize")
    assert (
        calls[3]
        == "exec deployment/pageworker -- workerctl rollout watch --canary canary --jobs 100 --after 10m --deadline 1h"
    )
    assert calls[-5:] == [
        "set image deployment/pageworker",
        "set image deployment/pageworker-fleet",
        "rollout status deployment/pageworker",
        "rollout status deployment/pageworker-fleet",
        REMOVED,
    ]
    assert [file.name for file in (tmp_path / "overlay").iterdir()] == ["kustomization.yaml"]


@pytest.mark.parametrize(
    ("answers", "message"),
    [
        ({"watch": 1, "evidence": "roll back: the canary is worse"}, "roll back: the canary is worse"),
        ({"watch": 5, "evidence": "undecided: the deadline has passed"}, "undecided: the deadline has passed"),
        ({"watch": 137}, "kubectl exec deployment/pageworker"),
        ({"fails": ["apply"]}, "kubectl apply --kustomize: the server refuses"),
    ],
)
def test_a_canary_that_is_not_promoted_is_removed(tmp_path: Path, answers: dict[str, object], message: str) -> None:
    ended, calls = run_canary(tmp_path, IMAGE, **answers)
    assert ended.returncode == 1
    assert ended.stderr.splitlines()[-1].startswith("canary.py: not promoted, the workers of before go on:")
    assert message in ended.stderr
    assert calls[-1] == REMOVED
    assert not [call for call in calls if call.startswith("set image")]


def test_workers_that_do_not_get_ready_go_back(tmp_path: Path) -> None:
    fails = ["rollout status deployment/pageworker"]
    ended, calls = run_canary(tmp_path, IMAGE, fails=fails)
    assert ended.returncode == 1
    undone = [call for call in calls if call.startswith("rollout undo")]
    assert undone == ["rollout undo deployment/pageworker", "rollout undo deployment/pageworker-fleet"]
    assert calls[-1] == REMOVED


def test_an_image_without_a_digest_is_refused_before_anything_starts(tmp_path: Path) -> None:
    ended, calls = run_canary(tmp_path, "registry.example/pageworker:latest")
    assert "Give a digest" in ended.stderr
    assert calls == []


def test_the_canary_of_someone_else_is_left_alone(tmp_path: Path) -> None:
    ended, calls = run_canary(tmp_path, IMAGE, found="deployment.apps/pageworker-canary")
    assert "is there already" in ended.stderr
    assert calls == ["get deployment/pageworker-canary --ignore-not-found"]
