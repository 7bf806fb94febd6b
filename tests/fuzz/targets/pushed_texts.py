"""What producers and operators write: pushed jobs, configuration files, central settings."""

import datetime as dt
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from fuzz.target import FuzzTarget
from pageworker_supervisor.config.central_document import central_layer
from pageworker_supervisor.config.check import Checker
from pageworker_supervisor.config.errors import ConfigInvalid, ConfigProblem
from pageworker_supervisor.config.limit_settings import DomainSettings
from pageworker_supervisor.config.load import parse_text
from pageworker_supervisor.config.relative_paths import absolute_paths
from pageworker_supervisor.config.settings import JobSettings, Settings, TenantSettings
from pageworker_supervisor.contract.errors import ContractError
from pageworker_supervisor.contract.job import JobRef, JobRefInvalid, parse_job, read_identity
from pageworker_supervisor.contract.printable import printable
from pageworker_supervisor.contract.result import Result
from pageworker_supervisor.intake.admission import Admission, RejectedText

# ---- a pushed job ----

NOW = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
ADMISSION = Admission(
    {
        "acme": TenantSettings(callback_allow=("https://n8n.test/*",), callback_secret="hook"),
        "b*": TenantSettings(),
    },
    {"*.test": DomainSettings(concurrency=3)},
    JobSettings(),
    lambda: NOW,
)


def run_job(data: bytes) -> None:
    """Decide on a pushed text. A text whose ids can be read gets an answer that can be read."""
    for decision in ADMISSION.decide(data):
        if isinstance(decision, RejectedText):
            assert decision.reason == printable(decision.reason)
            assert (decision.identity is None) == (decision.result is None)
            if decision.result is not None:
                result = msgspec.json.decode(decision.result, type=Result)
                assert JobRef(result.tenant_id, result.job_id) == decision.identity
        else:
            job = parse_job(decision.body)
            assert read_identity(decision.body) == job.ref
            assert JobRef.parse(str(job.ref)) == job.ref
            job.payload_object()
            job.page_options()
            assert printable(job.domain_key) == str(job.domain_key)
            assert msgspec.json.encode(decision.callback)
    parse_job(data)


_JOB = b'{"job_id": "1", "tenant_id": "acme", "endpoint_module": "shop.product"'
JOB = FuzzTarget(
    name="pushed-job",
    run=run_job,
    raises=(ContractError, JobRefInvalid),
    seeds=(
        _JOB + b"}",
        _JOB + b', "payload": {"url": "https://a.test/x"}, "priority": "high", "domain": "A.Test."}',
        _JOB + b', "callback_url": "https://n8n.test/hook", "delay_seconds": 3.5, "max_retries": 2}',
        _JOB + b', "not_before": "2026-01-02T00:00:00+02:00", "expires_at": "2026-02-01T00:00:00Z"}',
        _JOB + b', "page": {"locale": "de-DE", "viewport": {"width": 1, "height": 2}}, "meta": {"a": [1, null]}}',
        _JOB + b', "trace_id": "00-0123456789abcdef0123456789abcdef-0123456789abcdef-01", "proxy": "eu"}',
        _JOB + b', "profile_id": "p.1", "timeout_seconds": 1e3, "retry_count": 1, "jobId": 5}',
        b"[" + _JOB + b"}, " + _JOB + b"}]",
        b"\xef\xbb\xbf" + _JOB + b', "meta": {"a": NaN}}',
        b'"{\\"job_id\\": \\"1\\", \\"tenant_id\\": \\"acme\\"}"',
        (_JOB + b"}").decode().encode("utf-16"),
        _JOB + b', "timeout_seconds": ' + b"9" * 4400 + b"}",
        _JOB + b', "meta": {"a": ' + b"9" * 4400 + b"}}",
        _JOB + b', "page": {"viewport": {"width": ' + b"9" * 4400 + b"}}}",
    ),
    words=(
        *(
            b'"job_id"',
            b'"tenant_id"',
            b'"endpoint_module"',
            b'"payload": {',
            b'"meta": {',
            b'"page": {',
            b'"files": [',
        ),
        *(
            b'"callback_url"',
            b'"domain"',
            b'"not_before"',
            b'"expires_at"',
            b'"delay_seconds"',
            b'"trace_id"',
            b'"batch_id"',
        ),
        *(b"NaN", b"1e400", b"-Infinity", b"\\ud83d", b"\\u0000", b"null", b"true", b"[[[[", b'{"a":', b"\xef\xbb\xbf"),
        *(b"http://[::1]:80/", b"view-source:", b"9999-12-31T23:59:59-23:59", b"0001-01-01T00:00:00+23:59", b"@1.2.3"),
        *(b"18446744073709551616", b"acme", b"*", b"shop.product"),
    ),
    share=1.2,
    longest=1000,
)

# ---- a configuration ----


def run_settings(data: bytes) -> None:
    """Check a configuration file, and the same settings as a central configuration. Reads no file that it names."""
    text = data.decode("utf-8", "replace")
    problems: list[ConfigProblem] = []
    tree, lines = parse_text(Path("/etc/pageworker.toml"), text, problems)
    for problem in problems:
        line = problem.source.rpartition(":")[2]
        assert not line.isdecimal() or 1 <= int(line) <= max(1, len(text.splitlines()))
    assert all(1 <= line <= len(text.splitlines()) for line in lines.values())
    checker = Checker(Settings, lambda path: str(lines.get(path)))
    kept = absolute_paths(Settings, checker.table(Settings, tree), Path("/etc"))
    for problem in checker.problems:
        str(problem)
    if not checker.problems:
        with suppress(msgspec.ValidationError):
            msgspec.convert(kept, Settings)
    for problem in central_layer(_flat(tree)).problems:
        str(problem)


def _flat(tree: dict[str, Any], before: str = "") -> dict[str, Any]:
    """As a client writes it into Redis: a value by dotted name, and what is no JSON as text."""
    flat: dict[str, Any] = {}
    for key, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{before}{key}.")
        else:
            flat[f"{before}{key}"] = msgspec.to_builtins(value, builtin_types=(), str_keys=True)
    return flat


SETTINGS = FuzzTarget(
    name="settings-file",
    run=run_settings,
    raises=(ConfigInvalid,),
    seeds=(
        b'[redis]\nurl = "redis://a:1"\n[pool]\nrunners = 2\npages = 3\n',
        b'[tenants.acme]\nweight = 2.5\negress = ["*.test"]\ncallback_allow = ["https://a.test/*"]\nproxy = "eu"\n',
        b'[proxies.eu]\nurls = ["http://a.test:3128"]\n[domains."*.a.test"]\nconcurrency = 3\n',
        b'[egress.hosts]\n"a.test" = "1.2.3.4:80"\n[modules]\ntrusted_keys = ["RW"]\n[log]\nlevel = "debug"\n',
        b'[redis]\n\nurl = "x\n',
        b"[pool]\nrunners = " + b"9" * 4400,
        b"[pool]\nrunners = 0x" + b"f" * 4400,
        b"[pool]\nrunners = " + b"[" * 400 + b"1" + b"]" * 400,
        b"[pool]\nrunners = " + b"[" * 2000,
        b'[results]\nttl_seconds = 10\n[tenants."b*"]\nrate_per_second = 1e3\nburst = 0x10\n',
    ),
    words=(
        *(b"[tenants.", b"[domains.", b"[modules]\n", b"[profiles.page.", b"[flags.", b"[[", b"]]\n", b'"""', b"'''"),
        *(
            b"= {",
            b"nan",
            b"inf",
            b"1e999",
            b"0o7",
            b"1979-05-27T07:32:00Z",
            b"07:32:00",
            b"9007199254740993",
            b"\r\n",
            b"\\u0000",
        ),
        *(b"_seconds = ", b"_bytes = ", b"runners", b"pages", b"\xe2\x80\xa8", b"\x0c", b"#"),
    ),
    share=0.25,
    longest=6000,
)

FUZZ_TARGETS = (JOB, SETTINGS)
