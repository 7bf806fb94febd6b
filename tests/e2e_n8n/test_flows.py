"""Each shipped flow on a real n8n, against a real worker."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import httpx
import pytest
from pw_n8n.client import Execution
from pw_n8n.flows import caller, copy_of_call_and_wait, nightly, node
from pw_n8n.system import ALERTS, CALL, CALLER, MANY, NIGHT, SHOP_URL, TOKEN, System
from pw_servers.waiting import until

pytestmark = [pytest.mark.n8n, pytest.mark.timeout(900)]


def newest(system: System, flow: str, count: int = 1) -> Execution:
    """The newest execution of a flow that has had at least `count`, once all have ended."""
    return system.client.ended(flow, count)[0]


@pytest.mark.parametrize(
    ("job", "status", "reason"),
    [
        (("shop.trouble", {"url": SHOP_URL, "mode": "captcha"}), "blocked", "blocked: captcha (shopguard) at http://"),
        (("shop.trouble", {"url": SHOP_URL, "mode": "failing"}), "failed", "failed: shop_unavailable: The shop is"),
        (("test.nap", {"seconds": 20}), "timed_out", "timed_out: timeout: "),
        (("shop.trouble", {"url": SHOP_URL, "mode": "x"}), "rejected", "rejected: payload_invalid: `payload.mode`: "),
    ],
    ids=["blocked", "failed", "timed out", "rejected"],
)
def test_a_job_without_success_turns_its_execution_red_with_the_reason(
    system: System, job: tuple[str, dict[str, Any]], status: str, reason: str
) -> None:
    before = len(system.client.statuses(CALL))
    answer = system.post("pageworker-call", system.job(*job, timeout_seconds=4))
    assert (answer.status_code, answer.json()["status"]) == (502, status)
    execution = newest(system, CALL, before + 1)
    assert execution.status == "error"
    assert execution.reason.startswith(reason)
    # n8n hands it to the error workflow as well.
    until(lambda: any(each["reason"] == execution.reason for each in system.told()), "the error workflow ran", 60, 0.5)


def test_a_caller_gets_the_data_and_links_to_artifacts_that_open(system: System) -> None:
    answer = system.post("pageworker-call", system.job("shop.product", {"url": f"{SHOP_URL}/products/KTL-01"}))
    assert (answer.status_code, answer.json()["price"]) == (200, "39.90")
    blocked = system.post("pageworker-call", system.trouble("captcha")).json()
    links = {artifact["kind"]: artifact["url"] for artifact in blocked["artifacts"]}
    assert httpx.get(links["screenshot"]).content.startswith(b"\xff\xd8\xff")
    assert "shopguard" in httpx.get(links["html"]).text


def test_fast_jobs_at_once_each_get_their_own_answer(system: System) -> None:
    """These handlers end before n8n's execution waits for the callback: n8n answers 409 first."""
    with ThreadPoolExecutor(20) as pool:
        answers = list(
            pool.map(lambda n: system.post("pageworker-call", system.job("demo.echo", {"n": n})).json(), range(20))
        )
    assert answers == [{"n": n} for n in range(20)]


def test_retry_runs_the_job_again_as_a_new_job(system: System) -> None:
    before = len(system.client.statuses(CALL))
    system.post("pageworker-call", system.trouble("failing"))
    failed = newest(system, CALL, before + 1)
    system.shop.repaired = True
    try:
        system.client.retry(failed)
        again = newest(system, CALL, before + 2)
    finally:
        system.shop.repaired = False
    assert (again.status, again.items("The result")[0]["status"]) == ("success", "succeeded")
    jobs = [each.items("The result")[0]["job_id"] for each in (failed, again)]
    assert jobs == [f"n8n-{failed.id}", f"n8n-{again.id}"]
    assert system.results_per_job()[jobs[0]] == system.results_per_job()[jobs[1]] == 1


def test_a_flow_that_calls_it_turns_red_and_its_retry_runs_a_new_job(system: System) -> None:
    system.post("pageworker-example", system.trouble("failing"))
    failed = newest(system, CALLER)
    assert (failed.status, failed.reason) == ("error", "failed: shop_unavailable: The shop is down.")
    system.shop.repaired = True
    try:
        system.client.retry(failed)
        again = newest(system, CALLER, 2)
    finally:
        system.shop.repaired = False
    assert again.status == "success"
    assert [item["status"] for item in again.items("Use the data")] == ["succeeded"]


def test_n8n_keeps_the_error_of_a_called_flow_that_had_waited(system: System) -> None:
    """Why a caller has an error output and a node that stops. If n8n mends this one day, a caller needs neither."""
    system.client.save(caller("callerOfOne00001", "caller-of-one", CALL))
    system.post("caller-of-one", [system.trouble("failing")])
    failed = newest(system, "callerOfOne00001")
    assert (failed.status, failed.reason) == ("error", "failed: shop_unavailable: The shop is down.")
    jobs = len(system.results())
    system.client.retry(failed)
    assert newest(system, "callerOfOne00001", 2).reason == failed.reason
    assert len(system.results()) == jobs


def test_several_items_for_one_job_are_refused(system: System) -> None:
    """A Wait node answers once per execution: all but one of the answers would be lost."""
    system.client.save(caller("callerOfOne00002", "caller-of-several", CALL))
    system.post("caller-of-several", [system.job("demo.echo", {"n": n}) for n in range(2)])
    execution = newest(system, "callerOfOne00002")
    assert execution.status == "error"
    assert "For several items" in execution.reason


def test_n8n_loses_answers_if_it_calls_a_waiting_flow_once_for_each_item(system: System) -> None:
    """Why call-many exists. If n8n mends this one day, the pages may recommend it."""
    system.client.save(caller("callerOfEach0001", "caller-of-each", CALL, mode="each"))
    system.post("caller-of-each", [system.job("demo.echo", {"n": n}) for n in range(3)])
    assert len(newest(system, "callerOfEach0001").items("Call")) < 3


def test_several_items_are_answered_in_their_order(system: System) -> None:
    system.client.save(caller("callerOfMany0001", "caller-of-many", MANY))
    jobs = [system.job("demo.echo", {"n": n}) for n in range(12)]
    jobs[3:3] = [system.trouble("captcha"), system.trouble("no such mode")]
    jobs.append(system.nap(20, timeout_seconds=2))
    system.post("caller-of-many", jobs)
    execution = newest(system, "callerOfMany0001")
    answers = execution.items("Call")
    assert [answer["job"] for answer in answers] == jobs
    expected = {3: "blocked", 4: "rejected", 14: "timed_out"}
    assert [answer["status"] for answer in answers] == [expected.get(index, "succeeded") for index in range(15)]
    assert all(answer["data"] == job["payload"] for answer, job in zip(answers, jobs, strict=True) if answer["data"])
    per_job = system.results_per_job()
    assert all(per_job[answer["job_id"]] == 1 for answer in answers)


def test_jobs_of_several_tenants_in_one_call_are_refused(system: System) -> None:
    system.client.save(caller("callerOfMany0002", "caller-of-tenants", MANY))
    system.post(
        "caller-of-tenants", [system.job("demo.echo", {}), {**system.job("demo.echo", {}), "tenant_id": "mute"}]
    )
    assert "same tenant_id" in newest(system, "callerOfMany0002").reason


def test_after_the_time_of_the_wait_node_the_flow_reads_the_stored_result(system: System) -> None:
    """n8n looks at the time once a minute. The tenant `mute` has no callbacks: its job is rejected without one."""
    limit = {"resumeAmount": 5, "resumeUnit": "seconds"}
    system.client.save(copy_of_call_and_wait("pageworkerLate01", "pageworker-late", **limit))
    jobs = [
        {**system.job("demo.echo", {}), "tenant_id": "mute"},
        system.job("demo.echo", {}, delay_seconds=3600),
    ]
    with ThreadPoolExecutor(2) as pool:
        rejected, late = pool.map(lambda job: system.post("pageworker-late", job), jobs)
    assert (rejected.status_code, rejected.json()["error"]["type"]) == (502, "callback_not_allowed")
    assert (late.status_code, late.json()["status"]) == (504, "no_result")
    reasons = sorted(str(each.reason) for each in system.client.ended("pageworkerLate01", 2))
    assert [reason.partition(" ")[0] for reason in reasons] == ["no_result:", "rejected:"]


def test_a_wait_node_with_header_auth_accepts_the_callback(system: System) -> None:
    flow = copy_of_call_and_wait("pageworkerHead01", "pageworker-header", incomingAuthentication="headerAuth")
    credential = {"id": "pageworkerHead01", "name": "pageworker header"}
    node(flow, "Wait for the result")["credentials"] = {"httpHeaderAuth": credential}
    system.client.save(flow)
    job = system.job("demo.echo", {"n": 7})
    answer = system.post("pageworker-header", {**job, "tenant_id": "guarded"})
    assert (answer.status_code, answer.json()) == (200, {"n": 7})
    # The control: n8n refuses the callback of a tenant without the header.
    with suppress(httpx.TimeoutException):
        system.post("pageworker-header", job, timeout=5)
    until(lambda: any(line.get("reason") == "HTTP 403" for line in system.worker.log()), "n8n refused", 60, 0.2)
    (parked,) = [each for each, status in system.client.statuses("pageworkerHead01").items() if status == "waiting"]
    system.client.stop(parked)


def test_every_result_and_dead_letters_and_blockers_are_heard(system: System) -> None:
    heard = system.heard("first")
    assert heard["good"]["data"] == {"n": 1}
    assert heard["failed"]["error"]["type"] == "shop_unavailable"
    assert heard["letter-failed"]["reason"] == "failed: shop_unavailable: The shop is down."
    assert heard["letter-failed"]["look"].startswith("http")
    assert heard["letter-rejected"]["look"] == "workerctl dead list --tenant acme"
    notification = heard["notification"]
    assert notification == {
        **{name: notification[name] for name in ("job_id", "at", "evidence")},
        "tenant_id": "acme",
        "kind": "captcha",
        "provider": "shopguard",
        "url": f"{SHOP_URL}/guarded",
    }
    assert notification["evidence"]["selector"] == ".shopguard-captcha"
    expected = {name: notification[name] for name in ("kind", "provider", "evidence", "url")}
    assert heard["blocked"]["blocker"] == expected


def test_alerts_reach_the_operators_and_no_one_else_can_send_them(system: System) -> None:
    def alert(status: str) -> dict[str, Any]:
        notes = {"summary": "Jobs wait", "description": "7 jobs.", "runbook_url": "docs/runbooks/stalled.md"}
        labels = {"alertname": "PageworkerStalled", "severity": "critical"}
        return {"status": status, "labels": labels, "annotations": notes, "startsAt": "2030-01-31T02:00:04Z"}

    url = f"{system.n8n.url}/webhook/pageworker-alerts"
    body = {"version": "4", "status": "firing", "alerts": [alert("firing"), alert("resolved")]}
    assert httpx.post(url, json=body).status_code == 403
    httpx.post(url, json=body, headers={"Authorization": f"Bearer {TOKEN}"}).raise_for_status()
    (execution,) = system.client.ended(ALERTS, 1)
    told = {"reason": "Jobs wait. 7 jobs.", "look": "docs/runbooks/stalled.md", "since": "2030-01-31T02:00:04Z"}
    assert execution.items("Tell the operators") == [
        {"what": "critical: PageworkerStalled", **told},
        {"what": "over: PageworkerStalled", **told},
    ]


def test_a_nightly_batch_keeps_few_jobs_in_flight_and_runs_the_failed_ones_again(system: System) -> None:
    jobs = [system.job("demo.echo", {"n": n}) for n in range(7)]
    jobs += [system.trouble("failing"), system.trouble("no such mode")]
    system.client.save(nightly(jobs, 3))
    failed = newest(system, NIGHT)
    assert failed.status == "error"
    assert failed.reason.startswith(
        "2 jobs did not succeed: 1 x failed: shop_unavailable: The shop is down.; 1 x rejec"
    )
    assert [len(run[0]) for run in failed.runs["Run them"]] == [3, 3, 3]
    assert [item["data"] for item in failed.items("Use the data")] == [{"n": n} for n in range(7)]
    system.shop.repaired = True
    try:
        system.client.retry(failed)
        again = newest(system, NIGHT, 2)
    finally:
        system.shop.repaired = False
    assert [item["status"] for item in again.items("Run them")] == ["succeeded", "rejected"]
    assert again.reason.startswith("1 jobs did not succeed: 1 x rejected")
    system.client.remove(NIGHT)


def test_every_job_has_one_result(system: System) -> None:
    """Of all tests above together."""
    assert set(Counter(system.results_per_job().values())) == {1}
