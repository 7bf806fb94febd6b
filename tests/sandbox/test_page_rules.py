"""The options of a browser context: every value is checked, equal options have equal digests, secrets are not shown."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from pw_servers.certificates import Certificates

from pageworker_sandbox.block_rules import MAX_HOSTS_BYTES
from pageworker_sandbox.page_rules import (
    MAX_CA_BYTES,
    MAX_HEADER_BYTES,
    RULES,
    OptionRefused,
    PageOptionsInvalid,
    combine,
    is_ca,
    options_digest,
    parse_options,
    without_defaults,
)
from pageworker_sandbox.wire import messages as m
from pageworker_sandbox.wire.page_options import PageOptions, pem_blocks

VALID: dict[str, list[Any]] = {
    "viewport": [{"width": 390, "height": 844}, {"width": 7680, "height": 50}],
    "user_agent": ["Mozilla/5.0 (X11; Linux x86_64)", "x"],
    "locale": ["de", "de-DE", "zh-Hans-CN", "es-419"],
    "timezone_id": ["Europe/Berlin", "UTC", "America/Argentina/Buenos_Aires", "Etc/GMT+8"],
    "device_scale_factor": [0.5, 1, 3.5],
    "is_mobile": [True, False],
    "has_touch": [True],
    "java_script_enabled": [False],
    "http_credentials": [
        {"username": "a", "password": "pa ss:wörd"},
        {"username": "a", "password": "", "origin": "https://shop.example:8443"},
    ],
    "ignore_https_errors": [True],
    "ca": ["ca.pem", "trust/ca.pem"],
    "geolocation": [{"latitude": 52.5, "longitude": -180}, {"latitude": -90, "longitude": 1, "accuracy": 12.5}],
    "permissions": [[], ["geolocation", "clipboard-read"]],
    "color_scheme": ["dark", "no-preference"],
    "reduced_motion": ["reduce"],
    "forced_colors": ["active"],
    "contrast": ["more"],
    "extra_http_headers": [{"X-Team": "prices", "x-2": "a b;c"}],
    "service_workers": ["block"],
    "block": [[], ["media", "image"], ["image", "media", "font"]],
    "block_hosts": [[], ["*.ads.example", "a?.track.example"]],
}
INVALID: dict[str, list[Any]] = {
    "viewport": [
        {"width": 390},
        {"width": 49, "height": 844},
        {"width": 390, "height": 7681},
        {"width": True, "height": 844},
        {"width": 390.5, "height": 844},
        {"width": 390, "height": 844, "depth": 1},
        [390, 844],
        None,
    ],
    "user_agent": ["", " x", "x\n", "a\x00b", "a\tb", "ä", "x" * 513, 5, "x --no-sandbox\r\n"],
    "locale": ["", "DE", "de_DE", "de-de", "deutsch", "de-DE,en", "de DE", "de-DE\n", 1],
    "timezone_id": [
        "",
        "Berlin",
        "europe/berlin",
        "Factory",
        "localtime",
        "../etc/passwd",
        "UTC\n",
        "Europe/Berlin ",
        1,
    ],
    "device_scale_factor": [0, 0.4, 6, True, "2", float("nan"), float("inf")],
    "is_mobile": [1, "true", None],
    "has_touch": [0],
    "java_script_enabled": ["no"],
    "http_credentials": [
        {"username": "a"},
        {"username": "a:b", "password": "c"},
        {"username": "a", "password": "b\n"},
        {"username": "a", "password": 1},
        {"username": "a", "password": "b", "origin": "shop.example"},
        {"username": "a", "password": "b", "origin": "https://shop.example/path"},
        {"username": "a", "password": "b", "send": "always"},
        "a:b",
    ],
    "ignore_https_errors": ["yes"],
    "ca": ["", "/etc/ca.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", 5],
    "geolocation": [
        {"latitude": 90.1, "longitude": 0},
        {"latitude": 0, "longitude": 181},
        {"latitude": 0, "longitude": 0, "accuracy": -1},
        {"latitude": float("nan"), "longitude": 0},
        {"latitude": "0", "longitude": 0},
        {"latitude": 0},
    ],
    "permissions": ["geolocation", ["flying"], ["geolocation", "geolocation"], [1], [{}]],
    "color_scheme": ["blue", None, True, {}],
    "reduced_motion": [True],
    "forced_colors": ["none "],
    "contrast": ["less"],
    "extra_http_headers": [
        {"x": ""},
        {"x": "a\r\nb: c"},
        {"x": "ä"},
        {"x": 1},
        {"a b": "c"},
        {"": "c"},
        {"X": "1", "x": "2"},
        {"Host": "other.example"},
        {"Proxy-Authorization": "x"},
        {"pageworker-egress": "x"},
        {"Content-Length": "5"},
        {"Cookie": "a=b"},
        {"Accept-Language": "de"},
        {"User-Agent": "x"},
        {"Authorization": "Bearer x"},
        {f"x-{number}": "1" for number in range(51)},
        {f"x-{number}": "y" * 4000 for number in range(1 + MAX_HEADER_BYTES // 4000)},
    ],
    "service_workers": ["never"],
    "block": ["image", ["images"], ["image", "image"], ["script"], [1], None],
    "block_hosts": ["ads.example", ["https://ads.example"], ["ads.example:80"], [1], [""], ["a.test"] * 201, None],
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in VALID.items() for value in values])
def test_a_valid_value_is_taken_as_it_is(key: str, value: Any) -> None:
    options = parse_options({key: value})
    assert list(options.given()) == [key]
    plain = msgspec.json.decode(msgspec.json.encode(options))[key]
    assert plain == (sorted(value) if isinstance(value, list) else value)


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, values in INVALID.items() for value in values])
def test_any_other_value_is_refused_with_the_option(key: str, value: Any) -> None:
    with pytest.raises(PageOptionsInvalid) as caught:
        parse_options({key: value})
    (mistake,) = caught.value.mistakes
    assert (mistake.key, mistake.expected) == (key, RULES[key].expected)


def test_every_option_has_a_rule_and_examples() -> None:
    assert set(PageOptions.__struct_fields__) == set(RULES) == set(VALID) == set(INVALID)


def test_every_mistake_is_listed_with_a_hint() -> None:
    with pytest.raises(PageOptionsInvalid) as caught:
        parse_options({"local": "de", "locale": "de_DE", "has_touch": 1, "extra_http_headers": {"Cookie": "a"}})
    assert [(each.key, each.hint) for each in caught.value.mistakes] == [
        ("local", "did you mean `locale`?"),
        ("locale", 'write "de-DE"'),
        ("has_touch", ""),
        ("extra_http_headers", "`Cookie`: use page.context.add_cookies"),
    ]
    with pytest.raises(PageOptionsInvalid, match="a table"):
        parse_options(["locale"])


def test_a_huge_picture_is_refused() -> None:
    with pytest.raises(PageOptionsInvalid, match="viewport"):
        parse_options({"viewport": {"width": 7680, "height": 7680}})
    with pytest.raises(PageOptionsInvalid, match="viewport"):
        parse_options({"viewport": {"width": 3840, "height": 2160}, "device_scale_factor": 4})


def test_no_secret_is_shown() -> None:
    options = parse_options(
        {"http_credentials": {"username": "anna", "password": "s3cret"}, "extra_http_headers": {"x-key": "t0ken"}}
    )
    with pytest.raises(PageOptionsInvalid) as caught:
        parse_options(
            {"http_credentials": {"username": "anna", "password": 5, "s3cret": 1}, "extra_http_headers": "t0ken"}
        )
    for text in (repr(options), str(options), repr(options.http_credentials), str(caught.value), f"{caught.value!r}"):
        assert "s3cret" not in text
        assert "t0ken" not in text
    assert repr(options) == "PageOptions(http_credentials, extra_http_headers)"


def test_the_digest_tells_options_apart_and_nothing_else() -> None:
    german = parse_options({"locale": "de-DE", "viewport": {"width": 390, "height": 844}})
    assert options_digest(german) == options_digest(
        parse_options({"viewport": {"height": 844, "width": 390}, "locale": "de-DE"})
    )
    assert len(options_digest(german)) == 12
    assert options_digest(german) != options_digest(parse_options({"locale": "de-DE"}))
    listed = parse_options({"permissions": ["midi", "camera"]})
    assert options_digest(listed) == options_digest(parse_options({"permissions": ["camera", "midi"]}))


def test_a_default_that_is_spelled_out_is_no_option() -> None:
    defaults = {key: rule.default for key, rule in RULES.items() if rule.default is not None}
    assert options_digest(parse_options(defaults)) == options_digest(PageOptions()) == ""
    assert without_defaults(parse_options({**defaults, "device_scale_factor": 1.0})) == PageOptions()


def test_a_password_is_in_the_digest() -> None:
    digests = {
        options_digest(parse_options({"http_credentials": {"username": "a", "password": word}}))
        for word in ("b", "c", "b")
    }
    assert len(digests) == 2


def test_the_jobs_option_goes_over_the_profiles_and_the_modules() -> None:
    module = parse_options({"locale": "de-DE", "color_scheme": "dark", "has_touch": True})
    profile = parse_options({"locale": "fr-FR", "timezone_id": "Europe/Paris"})
    job = parse_options({"locale": "it-IT", "color_scheme": "light"})
    combined = combine(module, ("locale", "color_scheme"), profile, job)
    assert combined == parse_options({"locale": "it-IT", "timezone_id": "Europe/Paris", "has_touch": True})
    assert combine(module, (), PageOptions(), PageOptions()) == module


def test_what_a_tenant_blocks_is_replaced_by_module_profile_and_job() -> None:
    none, tenant = PageOptions(), parse_options({"block": ["image", "font"], "block_hosts": ["ads.example"]})
    assert combine(none, (), none, none, tenant) == tenant
    media = parse_options({"block": ["media"]})
    both = parse_options({"block": ["media"], "block_hosts": ["ads.example"]})
    assert combine(media, (), none, none, tenant) == combine(none, (), media, none, tenant) == both
    assert combine(none, ("block",), none, media, tenant) == both
    nothing = parse_options({"block": [], "block_hosts": []})
    assert combine(nothing, (), none, none, tenant) == none


def test_blocked_hosts_are_kept_as_browsers_write_them() -> None:
    spelled = parse_options({"block_hosts": ["*.ADS.example.", "m\u00fcnchen.test", "ads.example", "ads.example."]})
    assert spelled.block_hosts == ("*.ads.example", "ads.example", "xn--mnchen-3ya.test")
    assert options_digest(spelled) == options_digest(parse_options({"block_hosts": list(spelled.block_hosts)}))


def test_a_job_gives_only_what_the_module_lets_it() -> None:
    with pytest.raises(OptionRefused, match=r"`page\.has_touch` is not for a job to set; .*job_may_set"):
        combine(PageOptions(), ("locale",), PageOptions(), parse_options({"has_touch": True}))


def test_only_certificates_of_authorities_are_a_ca(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path)
    ca, server, key = made.ca.read_text(), made.certificate.read_text(), made.key.read_text()
    assert is_ca(ca)
    assert is_ca(ca.replace("\n", "\r\n"))
    assert is_ca("a comment\n" + ca)
    assert parse_options({"ca": ca}).ca == ca
    assert not is_ca(server)
    assert not is_ca(ca + server)
    assert not is_ca(ca + key)
    assert not is_ca("")
    assert not is_ca(ca * 100)
    assert len(pem_blocks(ca + server)) == 2


def test_the_sdks_page_lists_every_option() -> None:
    text = (Path(__file__).parents[2] / "docs/sdk.md").read_text()
    assert [key for key in RULES if f"| `{key}` |" not in text] == []


def test_the_largest_options_fit_into_the_message_that_starts_a_runner(tmp_path: Path) -> None:
    ca = Certificates.make(tmp_path).ca.read_text()
    options = parse_options(
        {
            "ca": ca + "# " + "x" * (MAX_CA_BYTES - len(ca) - 2),
            "user_agent": "x" * 512,
            "extra_http_headers": {f"x-{number}": "y" * 4000 for number in range(2)},
            "http_credentials": {"username": "ä" * 255, "password": "€" * 255},
            "block_hosts": [f"{number:03}.{'.'.join(['x' * 60] * 4)}" for number in range(MAX_HOSTS_BYTES // 247)],
        }
    )
    most_bytes = next(spec.max_bytes for spec in m.TO_RUNNER.values() if spec.message is m.Boot)
    assert len(msgspec.msgpack.encode(options)) < 0.9 * most_bytes
