"""module.toml: valid files are accepted, and every mistake is listed."""

import json

import pytest
from pw_modules.author import manifest

from pageworker_sandbox.signing import ManifestInvalid, parse_manifest
from pageworker_sandbox.signing.manifest import RULES
from pageworker_sandbox.wire.page_options import PageOptions


def mistakes(text: str) -> dict[str, str]:
    with pytest.raises(ManifestInvalid) as refused:
        parse_manifest(text)
    return {mistake.key: str(mistake) for mistake in refused.value.mistakes}


def test_the_contracts_example() -> None:
    found = parse_manifest(
        manifest(
            more="""
tenants = ["*"]
egress = ["shop.example", "*.cdn.example"]
timeout_seconds = 60
[input]
type = "object"
"""
        )
    )
    assert (found.name, found.version, found.entrypoint) == ("shop.product", "1.4.2", "shop_product:handler")
    assert found.egress == ("shop.example", "*.cdn.example")
    assert found.input == {"type": "object"}
    assert found.timeout_seconds == 60
    assert found.bundle_file == "shop.product-1.4.2.zip"


def test_egress_may_be_a_table_with_budgets() -> None:
    listed = parse_manifest(manifest(more='egress = ["Shop.example"]\n'))
    assert (listed.budget_bytes, listed.budget_requests) == (None, None)
    table = '[egress]\nhosts = ["Shop.example"]\nbudget_bytes = 5_000_000\nbudget_requests = 200\n'
    found = parse_manifest(manifest(more=table))
    assert (found.egress, found.budget_bytes, found.budget_requests) == (("shop.example",), 5_000_000, 200)
    assert parse_manifest(manifest(more="[egress]\nbudget_requests = 1\n")).egress == ()


def test_mistakes_in_the_table_egress_name_their_key() -> None:
    table = '[egress]\nhost = ["a.test"]\nhosts = "a.test"\nbudget_byte = 1\nbudget_bytes = 0\nbudget_requests = true\n'
    told = mistakes(manifest(more=table))
    wrong = {"egress.host", "egress.hosts", "egress.budget_byte", "egress.budget_bytes", "egress.budget_requests"}
    assert set(told) == wrong
    assert "did you mean `egress.budget_bytes`?" in told["egress.budget_byte"]
    assert "egress" in mistakes(manifest(more=f"[egress]\nbudget_bytes = {2**53}\n")).popitem()[0]


def test_what_is_left_out_has_its_default() -> None:
    found = parse_manifest(manifest())
    assert (found.tenants, found.egress, found.timeout_seconds) == (("*",), (), None)


def test_a_byte_order_mark_in_front_is_read() -> None:
    assert parse_manifest("\ufeff" + manifest()) == parse_manifest(manifest())


def test_every_mistake_is_listed() -> None:
    told = mistakes(
        """
nmae = "shop.product"
version = "1.4"
entrypoint = "handler"
sdk = "one"
tenants = "*"
egress = [1]
secrets = ["a b"]
timeout_seconds = true
input = 5
output = 5
proxy = "A"
isolation = "host"
group = "A"
login_probe = 1
trace = true
blockers = true
description = 1
expires = "2027-01-01T00:00:00Z"
page = 1
browser = "shell"
"""
    )
    assert set(told) == {"nmae", *RULES}
    assert "did you mean `name`?" in told["nmae"]
    assert "`nmae` was given instead" in told["name"]
    assert "found '1.4'" in told["version"]
    assert 'expected a semantic version such as "1.4.2"' in told["version"]
    assert all(text.startswith("module.toml: ") for text in told.values())


@pytest.mark.parametrize(
    ("line", "key"),
    [
        ("timeout_seconds = " + "9" * 5000, ""),
        ("timeout_seconds = 0x" + "f" * 5000, "timeout_seconds"),
        ("tenants" + ".a" * 3000 + " = 1", "tenants"),
        ("input" + ".a" * 3000 + " = 1", "input"),
        ("input.maximum = 0x" + "f" * 5000, "input"),
        ("description = " + "[" * 3000, ""),
    ],
)
def test_what_is_too_large_or_too_deep_is_a_mistake(line: str, key: str) -> None:
    assert set(mistakes(manifest(more=line))) == {key}


@pytest.mark.parametrize(
    "name", ["Shop", "shop.", ".shop", "shop..x", "9shop", "shop-x", "shop/../x", "a" * 101, "shop\\n", ""]
)
def test_invalid_names(name: str) -> None:
    assert set(mistakes(manifest().replace('"shop.product"', f'"{name}"'))) == {"name"}


@pytest.mark.parametrize("version", ["1", "1.2", "01.2.3", "1.2.3 ", "v1.2.3", "1.2.3-", "1.2.3/..", "1.2.3-a..b"])
def test_invalid_versions(version: str) -> None:
    assert set(mistakes(manifest(version=version))) == {"version"}


@pytest.mark.parametrize("seconds", ["0", "-1", "86401", "nan", "inf", '"60"'])
def test_invalid_times(seconds: str) -> None:
    assert set(mistakes(manifest(more=f"timeout_seconds = {seconds}\n"))) == {"timeout_seconds"}


def test_invalid_toml() -> None:
    assert "TOML" in mistakes("name = ")[""]
    assert mistakes("x = " + "[" * 5000)


@pytest.mark.parametrize("name", ["shop_login", "a", "k2", "a_1_b", "a" * 63])
def test_a_secret_name_is_lower_case_words(name: str) -> None:
    assert parse_manifest(manifest(more=f'secrets = ["{name}"]\n')).secrets == (name,)


@pytest.mark.parametrize("name", ["", "Login", "shop-login", "shop__login", "_a", "a_", "1a", "a.b", "../x", "a" * 64])
def test_another_secret_name_is_refused(name: str) -> None:
    assert "a list of secret names" in mistakes(manifest(more=f'secrets = ["{name}"]\n'))["secrets"]


def test_a_manifest_names_no_secrets_by_default() -> None:
    assert parse_manifest(manifest()).secrets == ()


def test_a_module_may_ask_for_one_flavor_of_the_browser() -> None:
    assert parse_manifest(manifest()).flavor == "auto"
    assert parse_manifest(manifest(more='[browser]\nflavor = "shell"\n')).flavor == "shell"


@pytest.mark.parametrize("table", ['flavor = "headless"', "flavor = 1", 'executable = "/bin/sh"', ""])
def test_another_flavor_or_another_key_of_the_browser_is_a_mistake(table: str) -> None:
    assert set(mistakes(manifest(more=f"[browser]\n{table}\n"))) == {"browser"}


@pytest.mark.parametrize("isolation", ["tenant", "module", "job"])
def test_a_module_may_say_with_which_jobs_it_shares(isolation: str) -> None:
    assert parse_manifest(manifest(more=f'isolation = "{isolation}"\n')).isolation == isolation
    assert parse_manifest(manifest()).isolation == "tenant"


@pytest.mark.parametrize("value", ['"host"', "1", '["job"]', '""', "true"])
def test_another_isolation_is_a_mistake(value: str) -> None:
    assert 'one of "tenant", "module", "job"' in mistakes(manifest(more=f"isolation = {value}\n"))["isolation"]


def test_a_group_is_for_modules_that_share_with_others() -> None:
    assert parse_manifest(manifest()).group is None
    for more in ('group = "cart.1_a-b"\n', 'group = "cart.1_a-b"\nisolation = "tenant"\n'):
        assert parse_manifest(manifest(more=more)).group == "cart.1_a-b"
    for isolation in ("job", "module"):
        assert set(mistakes(manifest(more=f'group = "cart"\nisolation = "{isolation}"\n'))) == {"group"}


@pytest.mark.parametrize("group", ["", "a+b", "a~b", "a!", "a/b", "a:b", "-a", "A", "a" * 64, "a\nb"])
def test_another_group_is_refused(group: str) -> None:
    assert set(mistakes(manifest(more=f"group = {json.dumps(group)}\n"))) == {"group"}


def test_the_options_of_the_browser_context_are_read() -> None:
    page = """
[page]
locale = "de-DE"
viewport = { width = 390, height = 844 }
job_may_set = ["viewport", "locale"]
[page.http_credentials]
username = "anna"
password = "s3cret"
"""
    found = parse_manifest(manifest(more=page))
    assert list(found.page.given()) == ["viewport", "locale", "http_credentials"]
    assert found.job_may_set == ("viewport", "locale")
    assert "s3cret" not in repr(found)
    assert parse_manifest(manifest()).page == PageOptions()


def test_every_mistake_in_the_options_is_listed_and_no_secret_is_shown() -> None:
    page = """
[page]
local = "de-DE"
timezone_id = "Mars/Olympus"
job_may_set = ["http_credentials"]
[page.http_credentials]
username = "anna"
password = "s3cret\\n"
"""
    told = mistakes("version = 1\n" + manifest(more=page).replace("version", "# version"))
    assert set(told) == {"version", "page.local", "page.timezone_id", "page.job_may_set", "page.http_credentials"}
    assert "did you mean `locale`?" in told["page.local"]
    assert "found 'Mars/Olympus', expected a time zone" in told["page.timezone_id"]
    assert "s3cret" not in "".join(told.values())


@pytest.mark.parametrize("may_set", ['"locale"', "[1]", '["ca"]', '["nothing"]', "[{}]"])
def test_what_a_job_may_set_is_a_list_of_options(may_set: str) -> None:
    assert set(mistakes(manifest(more=f"[page]\njob_may_set = {may_set}"))) == {"page.job_may_set"}


@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("2027-01-01T00:00:00Z", True),
        ("2027-01-01 00:00:00+02:00", True),
        ("2027-01-01T00:00:00", False),
        ("2027-01-01", False),
        ('"2027-01-01T00:00:00Z"', False),
        ("0001-01-01T00:00:00+02:00", False),
    ],
)
def test_expires_is_an_instant(value: str, good: bool) -> None:
    text = manifest(more=f"expires = {value}\n")
    if good:
        assert parse_manifest(text).expires is not None
    else:
        assert "without quotes" in mistakes(text)["expires"]
