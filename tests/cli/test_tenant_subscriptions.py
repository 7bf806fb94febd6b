"""`workerctl tenant subscribe`, `subscriptions` and `unsubscribe` on a real queue."""

import json
from pathlib import Path
from typing import Any

import pytest
from cli.commands import valid_json
from cli.conftest import OnQueue
from pw_queue import QueueHarness

from pageworker_supervisor.cli.app import run

URL = "https://hooks.test/in"


async def nothing(harness: QueueHarness) -> None:
    """The queue as it is."""


def test_a_subscription_is_made_listed_and_ended(
    on_queue: OnQueue, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    on_queue(nothing)
    (tmp_path / "secret").write_text("a secret of sixteen bytes or more")
    own = {"callback_allow": [f"{URL}*"], "callback_secret_file": str(tmp_path / "secret")}
    monkeypatch.setenv("PAGEWORKER_TENANTS", json.dumps({"acme": own}))

    def called(*words: str, expected: int = 0) -> Any:
        capsys.readouterr()
        code = run(["tenant", *words, "--json"])
        out, err = capsys.readouterr()
        assert code == expected, err
        return valid_json(f"tenant {words[0]}", out) if out else err

    made = called("subscribe", "acme", URL, "--event", "job.*", "--event", "event.dead", "--module", "shop.*")
    assert (made["events"], made["modules"], made["state"]) == (["event.dead", "job.*"], ["shop.*"], "active")
    again = called("subscribe", "acme", URL, "--event", "event.dead", "--event", "job.*", "--module", "shop.*")
    assert again == made
    assert called("subscriptions", "acme") == [made]
    run(["tenant", "subscriptions", "acme"])
    assert URL in capsys.readouterr().out
    assert "allow-list" in called("subscribe", "acme", "https://other.test/", "--event", "job.*", expected=4)
    assert "no event" in called("subscribe", "acme", URL, "--event", "job.done", expected=2)
    assert "no id" in called("unsubscribe", "acme", "pw_secret", expected=2)
    ended = called("unsubscribe", "acme", made["subscription_id"], "--reason", "the flow is gone")
    assert ended == {"tenant_id": "acme", "subscription_id": made["subscription_id"]}
    assert "no such" in called("unsubscribe", "acme", made["subscription_id"], expected=4)
    run(["audit", "list", "--json"])
    out = capsys.readouterr().out
    for text in ("tenant.subscribe", "tenant.unsubscribe", f"made {made['subscription_id']}", "the flow is gone"):
        assert text in out
