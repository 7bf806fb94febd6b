"""What the gateway trusts in proxies with TLS."""

import ssl
from pathlib import Path

from pw_servers.certificates import Certificates

from pageworker_sandbox.egress.upstream_tls import authorities_problem, client_context


def test_certificates_and_names_are_verified_and_old_tls_is_refused() -> None:
    context = client_context("")
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509"] == 0, "nothing is trusted that was not given"


def test_authorities_are_read_with_any_text_between_them(tmp_path: Path) -> None:
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    texts = [Certificates.make(folder).ca.read_text() for folder in folders]
    context = client_context(f"# Münchner CA\n{texts[0]}\nsubject=CN x\n{texts[1]}")
    assert context.cert_store_stats()["x509_ca"] == 2


MALFORMED = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"


def test_a_malformed_certificate_is_left_out_and_named(tmp_path: Path) -> None:
    good = Certificates.make(tmp_path).ca.read_text()
    for text in (MALFORMED + good, good + MALFORMED, good + MALFORMED.replace("AAAA", "A!")):
        assert client_context(text).cert_store_stats()["x509_ca"] == 1
        assert "malformed" in authorities_problem(text)
    assert client_context(MALFORMED).cert_store_stats()["x509"] == 0
    assert authorities_problem("") == "it contains no certificate"
    assert authorities_problem(f"# CA\n{good}\nx\n{good}") == ""
