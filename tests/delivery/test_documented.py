"""Receivers verify as docs/callbacks.md tells them to: the page's own code, run."""

import json
import re
import subprocess
import time
from pathlib import Path

import playwright
import pytest

from pageworker_supervisor.delivery import callback_policy, circuit_breaker
from pageworker_supervisor.delivery.signature import sign

PAGE = (Path(__file__).parents[2] / "docs" / "callbacks.md").read_text()
NODE = Path(playwright.__file__).parent / "driver" / "node"
SECRET = "the content of the secret file"
BODY = '{"job_id": "j", "data": "ü, \\"=,."}'.encode()


def code(language: str) -> str:
    match = re.search(rf"```{language}\n(.*?)```", PAGE, re.DOTALL)
    assert match is not None
    return match[1]


CASES = [
    ("ours", 0, SECRET, BODY, True),
    ("other body", 0, SECRET, BODY + b" ", False),
    ("other secret", 0, "something else", BODY, False),
    ("old", -301, SECRET, BODY, False),
    ("from the future", 302, SECRET, BODY, False),
]


@pytest.mark.parametrize(("name", "age", "secret", "body", "good"), CASES, ids=[case[0] for case in CASES])
def test_python_receivers(name: str, age: int, secret: str, body: bytes, good: bool) -> None:
    space: dict[str, object] = {}
    exec(code("python"), space)
    verify = space["verify"]
    assert callable(verify)
    assert verify(SECRET.encode(), sign(secret.encode(), int(time.time()) + age, BODY), body) is good


@pytest.mark.parametrize(("name", "age", "secret", "body", "good"), CASES, ids=[case[0] for case in CASES])
def test_n8n_receivers(name: str, age: int, secret: str, body: bytes, good: bool) -> None:
    """The Code node's body in an async function with n8n's `$input` and `this.helpers`, in a real node."""
    header = sign(secret.encode(), int(time.time()) + age, BODY)
    script = f"""
      const $input = {{ first: () => ({{ json: {{ headers: {{ 'pageworker-signature': {json.dumps(header)} }} }} }}) }};
      const self = {{ helpers: {{ getBinaryDataBuffer: async () => Buffer.from({json.dumps(body.decode())}) }} }};
      (async function () {{ {code("javascript")} }}).call(self).then(
        (items) => console.log(JSON.stringify(items)), (error) => console.log('refused: ' + error.message));
    """
    said = subprocess.run([NODE, "-e", script], capture_output=True, text=True, check=True).stdout
    if good:
        assert json.loads(said) == [{"json": json.loads(body)}]
    else:
        assert said == "refused: The signature does not match.\n"


def test_the_schedule_on_the_page_is_the_codes() -> None:
    text = " ".join(PAGE.split())
    assert f"up to {callback_policy.BASE_SECONDS} s after the first failure" in text
    assert f"The limit doubles up to {callback_policy.CAP_SECONDS:.0f} s" in text
    assert (callback_policy.QUICK_TRIES, callback_policy.QUICK_SECONDS, callback_policy.RETRY_AFTER_CAP_SECONDS) == (
        50,
        0.1,
        3600.0,
    )
    assert (circuit_breaker.THRESHOLD, circuit_breaker.FIRST_PAUSE_SECONDS, circuit_breaker.LONGEST_PAUSE_SECONDS) == (
        5,
        2.0,
        60.0,
    )
