"""Input schemas: a payload whose check has no end costs its own job, and no other tenant its worker."""

import pw_tenants
from pw_schemas import nested
from pw_tenants import Home

pytestmark = pw_tenants.MARKS

MODULE = "tenants.branches"
DEEP = nested(40)
GOOD = {"zz": 1}


async def test_a_payload_whose_check_has_no_end_is_rejected_and_b_goes_on(home: Home) -> None:
    """A pushes payloads that multiply in the schema of a shared module; B's jobs of the same module all run."""
    await home.b.push(home.b.job(warm := home.fresh("warm"), MODULE, GOOD))
    assert (await home.b.result(warm))["status"] == "succeeded"
    attacks = [home.fresh("deep") for _ in range(8)]
    await home.a.push(*(home.a.job(job_id, MODULE, DEEP) for job_id in attacks))
    seconds: list[float] = []
    while len(seconds) < 5 or not all(home.mailbox.results[home.a.ref(job_id)] for job_id in attacks):
        await home.b.push(home.b.job(job_id := home.fresh("beside"), MODULE, GOOD))
        result = await home.b.result(job_id)
        assert (result["status"], len(result["attempts"])) == ("succeeded", 1)
        seconds.append(result["timing"]["total"])
    for job_id in attacks:
        result = await home.a.result(job_id)
        assert (result["status"], result["error"]["type"]) == ("rejected", "module_check_limit")
        assert "the input schema of tenants.branches 1.0.0 needs more than" in result["error"]["message"]
        assert "`anyOf`" in result["error"]["detail"]["mend"]
    assert sorted(seconds)[len(seconds) // 2] < 2.0, seconds
