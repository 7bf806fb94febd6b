"""From untrusted bytes to a bundle that may run."""

from pathlib import Path

import pytest
from pw_modules.author import CODE, SCHEMA, Author, manifest, packed
from pw_modules.minisign import minisign
from pw_servers.certificates import Certificates

from pageworker_sandbox.signing import (
    BadSignature,
    BundleMalformed,
    ManifestInvalid,
    SdkMismatch,
    SecretKey,
    SigningLimits,
    TrustStore,
    UntrustedBundle,
    UntrustedKey,
    minisig,
    sign,
    verify,
    write_secret,
)
from pageworker_sandbox.signing.archive import write_archive
from pageworker_sandbox.signing.bundle import read_bundle, write_bundle

AUTHOR = Author()


def vouched(data: bytes, comment: str) -> UntrustedBundle:
    """Any bytes, with a valid signature."""
    return UntrustedBundle(data, minisig.sign(data, AUTHOR.key, comment))


def test_a_signed_bundle_verifies() -> None:
    bundle = packed(more='tenants = ["acme-*"]\n')
    found = verify(AUTHOR.signed(bundle), AUTHOR.trust)
    assert (found.name, found.version, found.sha256) == ("shop.product", "1.4.2", bundle.sha256)
    assert found.manifest.tenants == ("acme-*",)
    assert found.input_schema == SCHEMA
    assert found.data == bundle.data


def test_the_zip_is_not_looked_at_before_the_signature_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[bytes] = []
    signed = AUTHOR.signed(packed())
    monkeypatch.setattr("pageworker_sandbox.signing.bundle.read_archive", lambda data, _: looked.append(data))
    for data, trust in (
        (signed.data + b"\0", AUTHOR.trust),
        (signed.data, Author().trust),
        (signed.data, TrustStore()),
    ):
        with pytest.raises((BadSignature, UntrustedKey)):
            verify(UntrustedBundle(data, signed.signature), trust)
    assert looked == []


def test_a_signature_for_another_bundle_does_not_do() -> None:
    one, other = packed(version="1.0.0"), packed(version="2.0.0")
    with pytest.raises(BadSignature):
        verify(UntrustedBundle(other.data, sign(one, AUTHOR.key)), AUTHOR.trust)


@pytest.mark.parametrize(
    "comment",
    [
        "name:shop.product version:1.4.3 sha256:{sha}",
        "name:shop.other version:1.4.2 sha256:{sha}",
        "name:shop.product version:1.4.2 sha256:" + "0" * 64,
        "name:shop.product version:1.4.2 sha256:{sha} ",
        "name:shop.product version:1.4.2",
        "index serial:1 expires:2030-01-01T00:00:00Z sha256:{sha}",
        "timestamp:1\tfile:shop.product-1.4.3.zip\thashed",
        "file:other.zip",
    ],
)
def test_a_comment_that_is_not_about_these_bytes_is_refused(comment: str) -> None:
    bundle = packed()
    with pytest.raises(BadSignature):
        verify(vouched(bundle.data, comment.format(sha=bundle.sha256)), AUTHOR.trust)


@pytest.mark.parametrize("comment", ["", "released by Ada", "timestamp:1\tfile:shop.product-1.4.2.zip\thashed"])
def test_a_comment_in_other_words_leaves_it_to_the_manifest(comment: str) -> None:
    assert verify(vouched(packed().data, comment), AUTHOR.trust).version == "1.4.2"


def test_minisign_verifies_ours_and_we_verify_minisigns(tmp_path: Path) -> None:
    bundle = packed()
    file = tmp_path / bundle.manifest.bundle_file
    file.write_bytes(bundle.data)
    signature = tmp_path / f"{file.name}.minisig"
    signature.write_bytes(sign(bundle, AUTHOR.key))
    checked = minisign("-V", "-m", file, "-P", AUTHOR.key.public.line())
    assert checked.returncode == 0, checked.stderr
    assert f"name:shop.product version:1.4.2 sha256:{bundle.sha256}" in checked.stdout

    (tmp_path / "key").write_text(write_secret(AUTHOR.key, None))
    assert minisign("-S", "-s", tmp_path / "key", "-m", file).returncode == 0
    assert verify(UntrustedBundle(file.read_bytes(), signature.read_bytes()), AUTHOR.trust).name == "shop.product"


@pytest.mark.parametrize(
    "files",
    [
        {},
        {"module.toml": manifest().encode()},
        {"module.toml": manifest().encode(), "input.schema.json": b"{}"},
        {"module.toml": b"\xff", "input.schema.json": b"{}", "shop_product.py": CODE},
        {"module.toml": manifest().encode(), "input.schema.json": b"[]", "shop_product.py": CODE},
        {"module.toml": manifest().encode(), "input.schema.json": b"{" * 99999, "shop_product.py": CODE},
        {"module.toml": manifest().encode(), "input.schema.json": b'{"a":' * 99999, "shop_product.py": CODE},
    ],
)
def test_signed_nonsense_is_the_authors_mistake(files: dict[str, bytes]) -> None:
    with pytest.raises(BundleMalformed):
        verify(vouched(write_archive(files), ""), AUTHOR.trust)


def test_a_bad_manifest_names_its_mistakes() -> None:
    data = write_bundle(manifest(version="one"), SCHEMA, {"shop_product.py": CODE})
    with pytest.raises(ManifestInvalid, match="`version`: found 'one'"):
        verify(vouched(data, ""), AUTHOR.trust)


def test_the_certificates_of_a_file_are_those_of_the_bundle(tmp_path: Path) -> None:
    made = Certificates.make(tmp_path)
    text = manifest(more='[page]\nca = "trust/ca.pem"\n')
    ca = made.ca.read_bytes()
    bundle = read_bundle(write_bundle(text, SCHEMA, {"shop_product.py": CODE, "trust/ca.pem": ca}))
    assert bundle.manifest.page.ca == ca.decode()
    for sources, why in (
        ({}, "are not in the bundle"),
        ({"trust/ca.pem": made.certificate.read_bytes()}, "are not CA"),
    ):
        with pytest.raises(BundleMalformed, match=why):
            read_bundle(write_bundle(text, SCHEMA, {"shop_product.py": CODE, **sources}))


def test_limits_come_before_everything() -> None:
    with pytest.raises(BundleMalformed, match="at most 10 bytes"):
        verify(AUTHOR.signed(packed()), TrustStore(), limits=SigningLimits(bundle_bytes=10))


def test_a_module_for_another_sdk_is_refused() -> None:
    text = manifest().replace(">=1,<2", ">=2")
    data = write_bundle(text, SCHEMA, {"shop_product.py": CODE})
    with pytest.raises(SdkMismatch, match="needs SDK >=2"):
        verify(vouched(data, ""), AUTHOR.trust)


def test_errors_know_their_type_and_their_mend() -> None:
    with pytest.raises(UntrustedKey) as refused:
        verify(AUTHOR.signed(packed()), TrustStore([SecretKey.new().public]))
    assert refused.value.type == "module_untrusted"
    assert "trusted_keys" in refused.value.mend
