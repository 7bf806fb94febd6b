"""Packages of modules and their index, before their signature is verified, and after.

Before: any bytes must be refused. After: the author may be hostile too, so the contents are any bytes as well.
"""

import base64
from contextlib import suppress
from datetime import UTC, datetime

import msgspec

from fuzz.target import SEPARATOR, FuzzTarget, parts_of
from pageworker_sandbox.signing import minisig
from pageworker_sandbox.signing.archive import read_archive, write_archive
from pageworker_sandbox.signing.bundle import SCHEMA_FILE, UntrustedBundle, read_bundle, sign, verify
from pageworker_sandbox.signing.errors import KeyUnusable, ModuleError
from pageworker_sandbox.signing.index import (
    Index,
    IndexedModule,
    IndexedVersion,
    UntrustedIndex,
    authenticate_index,
    check_age,
    sign_index,
)
from pageworker_sandbox.signing.keys import SecretKey, is_encrypted, parse_public
from pageworker_sandbox.signing.manifest import FILE
from pageworker_sandbox.signing.trust import TrustStore

SOURCE = "shop_product/__init__.py"
MANIFEST = b'name = "shop.product"\nversion = "1.4.2"\nentrypoint = "shop_product:handler"\nsdk = ">=1,<2"\n'
SCHEMA = b'{"type": "object"}'
# Always the same key: an input must do the same in each run.
KEY = SecretKey(bytes(range(8)), bytes(range(32)))
TRUST = TrustStore([KEY.public])


def _archive(manifest: bytes, schema: bytes, *more: bytes) -> bytes:
    files = {FILE: manifest, SCHEMA_FILE: schema, SOURCE: b"", **{f"f{n}": data for n, data in enumerate(more)}}
    return write_archive(files)


PACKAGE = _archive(MANIFEST, SCHEMA)
PACKAGE_SIGNATURE = sign(read_bundle(PACKAGE), KEY)

# ---- after the signature ----


def run_archive(data: bytes) -> None:
    """Read any bytes as a package. What is accepted has one form only."""
    files = read_archive(data)
    assert write_archive(files) == data
    read_bundle(data)


ARCHIVE = FuzzTarget(
    name="package-archive",
    run=run_archive,
    raises=(ModuleError,),
    seeds=(PACKAGE, write_archive({"a": b"x"}), write_archive({})),
    words=(
        b"PK\1\2",
        b"PK\3\4",
        b"PK\5\6",
        b"PK\6\6",
        b"PK\6\7",
        b"PK\7\x08",
        b"\x01\x00\x10\x00",
        b"../",
        b"/",
        b"\xff\xff\xff\xff",
    ),
    share=0.8,
    longest=1200,
)


def run_contents(data: bytes) -> None:
    """Read a package of the right form whose manifest, schema and certificates are any bytes."""
    manifest, schema, *more = (*parts_of(data, 3), b"{}")
    bundle = read_bundle(_archive(manifest, schema, *more[:1]))
    verify(UntrustedBundle(bundle.data, sign(bundle, KEY)), TRUST)


CONTENTS = FuzzTarget(
    name="package-contents",
    run=run_contents,
    raises=(ModuleError,),
    seeds=(
        MANIFEST + SEPARATOR + SCHEMA,
        MANIFEST + b'egress = ["shop.example", "*.x.test"]\nsecrets = ["a_b"]\ntimeout_seconds = 6.5\ninput = "a:B"\n',
        MANIFEST + b"timeout_seconds = 0x" + b"f" * 4400,
        MANIFEST + b"[page.viewport]\nwidth = 0x" + b"f" * 4400 + b"\nheight = 1",
        MANIFEST + b"[input]\na = 0x" + b"f" * 4400,
        MANIFEST + b"egress = " + b"[" * 400 + b"]" * 400,
        MANIFEST + SEPARATOR + b'{"a": ' + b"[" * 2000,
        MANIFEST + SEPARATOR + b'{"a": ' + b"9" * 4400 + b"}",
        MANIFEST + b'tenants = ["*"]\nproxy = "eu"\ndescription = "x"\n[browser]\nflavor = "full"\n',
        MANIFEST
        + b'[page]\nlocale = "de-DE"\ndevice = "iPhone 15"\njob_may_set = ["locale"]\nca = "f0"\n'
        + SEPARATOR
        + SCHEMA,
        MANIFEST + b'[page.viewport]\nwidth = 800\nheight = 600\n[page.extra_http_headers]\nX-A = "b"\n',
        MANIFEST + b'[page.geolocation]\nlatitude = 1.5\nlongitude = 2\n[input]\ntype = "object"\n[input.a]\nx = 1\n',
        MANIFEST + b'[page]\npermissions = ["midi"]\ntimezone_id = "Europe/Berlin"\n',
        MANIFEST + b'[page.http_credentials]\nusername = "a"\npassword = "b"\n',
    ),
    words=(
        *(
            b'"""',
            b"[page]\n",
            b"[input]\n",
            b"[[a]]\n",
            b"= {",
            b"1e999",
            b"0x",
            b"1979-05-27T07:32:00Z",
            b"nan",
            b"[browser]\n",
        ),
        *(
            b"flavor = ",
            b"proxy = ",
            b"egress = [",
            b"timeout_seconds = ",
            b"viewport",
            b"color_scheme",
            b"user_agent",
            b"storage",
        ),
        *(b"\\u0000", b"\xef\xbb\xbf", b"'''", b"-----BEGIN CERTIFICATE-----\n", SEPARATOR),
    ),
    share=0.4,
    longest=1500,
)

# ---- before the signature ----


def run_signature(data: bytes) -> None:
    """Verify any package and index with any signature file. Nothing but what was signed may be verified."""
    untrusted, given = (*parts_of(data, 2), b"")[:2]
    for package, signature in ((untrusted or PACKAGE, given), (untrusted, PACKAGE_SIGNATURE), (PACKAGE, given)):
        with suppress(ModuleError):
            verify(UntrustedBundle(package, signature), TRUST)
            assert package == PACKAGE, "bytes that were not signed are verified"
    assert base64.b64encode(minisig.parse(given).untrusted_comment_signature) in given
    index = authenticate_index(UntrustedIndex(untrusted, given), TRUST)
    assert UntrustedIndex(untrusted, given).data == INDEX.data, f"an index that was not signed is verified: {index}"


INDEX = sign_index(
    Index(
        serial=7,
        expires=datetime(2030, 1, 1, tzinfo=UTC),
        modules={
            "shop.product": IndexedModule(
                versions={"1.4.2": IndexedVersion(sha256="0" * 64, bytes=1)}, channels={"stable": "1.4.2"}
            )
        },
    ),
    KEY,
)
BY_MINISIGN = minisig.sign(PACKAGE, KEY, "timestamp:1\tfile:shop.product-1.4.2.zip\thashed")
SIGNATURE = FuzzTarget(
    name="package-signature",
    run=run_signature,
    raises=(ModuleError,),
    seeds=(
        SEPARATOR + PACKAGE_SIGNATURE,
        b"PK" + SEPARATOR + PACKAGE_SIGNATURE,
        INDEX.data + SEPARATOR + INDEX.signature,
        b"{}" + SEPARATOR + minisig.sign(b"{}", KEY, "index serial:1"),
        SEPARATOR + BY_MINISIGN,
        _archive(MANIFEST, b"{}") + SEPARATOR + BY_MINISIGN,
    ),
    words=(b"untrusted comment: ", b"\ntrusted comment: ", b"=\n", b"\r\n", base64.b64encode(b"Ed"), SEPARATOR),
    share=0.3,
    longest=1500,
)


def run_texts(data: bytes) -> None:
    """Keys, and an index that a hostile publisher has signed."""
    if data[:1] == b"{":
        # First as it is: the comment is compared after the index is read.
        with suppress(ModuleError):
            authenticate_index(UntrustedIndex(data, minisig.sign(data, KEY, "index ")), TRUST)
        with suppress(msgspec.DecodeError, UnicodeDecodeError, OverflowError):
            untrusted = sign_index(msgspec.json.decode(data, type=Index), KEY)
            check_age(authenticate_index(untrusted, TRUST), datetime(2026, 1, 1, tzinfo=UTC), 3)
        return
    text = data.decode("utf-8", "replace")
    with suppress(KeyUnusable):
        is_encrypted(text)
    key = parse_public(text)
    assert parse_public(key.line()) == key
    assert parse_public(key.file()) == key


TEXTS = FuzzTarget(
    name="keys-and-index",
    run=run_texts,
    raises=(KeyUnusable, ModuleError),
    seeds=(KEY.public.line().encode(), KEY.public.file().encode(), INDEX.data),
    words=(
        b"untrusted comment: ",
        b"RW",
        b'"serial": 1',
        b'"expires": "2030-01-01T00:00:00Z"',
        b'"modules": {',
        b'"versions"',
        b'"channels"',
    ),
    share=0.5,
    longest=800,
)

FUZZ_TARGETS = (ARCHIVE, CONTENTS, SIGNATURE, TEXTS)
