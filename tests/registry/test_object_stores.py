"""A registry in object stores: moto's S3, Google's XML API as it is documented, and Azure's emulator where it is
installed.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from pw_modules.author import Author, packed
from pw_servers import azure, gcs
from pw_servers.s3 import BUCKET, ENVIRONMENT, s3_server

from pageworker_sandbox.signing import UntrustedBundle, sign
from pageworker_supervisor.registry import Registry
from pageworker_supervisor.registry.errors import NotThere, RegistryRefused
from pageworker_supervisor.registry.store import Store


@pytest.fixture(scope="module", params=["s3", "gs", "az"])
def store_environment(request: pytest.FixtureRequest) -> Iterator[tuple[str, dict[str, str]]]:
    """The URL of an empty prefix, and the environment that a worker needs for it."""
    if request.param == "s3":
        with s3_server() as url:
            yield f"s3://{BUCKET}/some/modules", {**ENVIRONMENT, "AWS_ENDPOINT_URL": url}
    elif request.param == "gs":
        with gcs.gcs_server() as environment:
            yield f"gs://{gcs.BUCKET}/some/modules", environment
    elif azure.PROGRAM is None:
        pytest.skip("azurite-blob is not installed: npm install -g azurite")
    else:
        with azure.azure_server() as environment:
            yield f"az://{azure.CONTAINER}/some/modules", environment


@pytest.fixture
def source(store_environment: tuple[str, dict[str, str]], monkeypatch: pytest.MonkeyPatch) -> str:
    url, environment = store_environment
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return url


async def test_publish_read_resume_and_two_publishers(source: str, state: Path, author: Author) -> None:
    with pytest.raises(NotThere):
        await Store(source).get("index.json", 100)
    await author.publish(source, packed(version="1.0.0"))
    bundle = packed(version="1.1.0")
    signatures = sign(bundle, author.key), sign(bundle, Author().key)
    await author.publisher(source).publish(UntrustedBundle(bundle.data, signatures[0], (signatures[1],)), "stable")
    registry = await Registry.open(source, author.trust, state)
    assert (await registry.bundle(registry.resolve("shop.product"))).data == bundle.data
    begun = bytearray(bundle.data[:100])
    await Store(source).resume("shop.product-1.1.0.zip", 10**6, begun)
    assert begun == bundle.data
    store = Store(source)
    before = await store.get("index.signed", 10**6)
    await author.publisher(source).change()
    with pytest.raises(RegistryRefused, match="another publisher"):
        await store.put_unless_changed("index.signed", before.data, before)
    # Nothing is sent twice: an index that has not changed is not read again.
    newest = await store.get("index.json", 10**6)
    assert newest.tag is not None
    assert await store.get_unless("index.json", 10**6, newest.tag) is None
