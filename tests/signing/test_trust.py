"""The trust store: which key a signature names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pageworker_sandbox.signing import KeyUnusable, PublicKey, SecretKey, TrustStore, UntrustedKey
from pageworker_sandbox.signing.minisig import parse, sign

ONE, OTHER = SecretKey.new(), SecretKey.new()
SIGNATURE = parse(sign(b"data", ONE, "comment"))


def test_the_key_of_a_signature_is_found_among_the_trusted_ones() -> None:
    assert TrustStore([OTHER.public, ONE.public]).key_for(SIGNATURE) == ONE.public


def test_an_unknown_key_is_named() -> None:
    with pytest.raises(UntrustedKey, match=f"signed with key {ONE.public.name}, which is not trusted"):
        TrustStore([OTHER.public]).key_for(SIGNATURE)


def test_an_empty_store_trusts_nothing_and_says_what_to_set() -> None:
    with pytest.raises(UntrustedKey, match="no key is trusted") as caught:
        TrustStore().key_for(SIGNATURE)
    assert "modules.trusted_keys" in caught.value.mend


def test_lines_and_files_are_read_and_keep_their_order() -> None:
    assert TrustStore.parse([OTHER.public.line(), ONE.public.file()]).keys == (OTHER.public, ONE.public)
    with pytest.raises(KeyUnusable):
        TrustStore.parse(["nonsense"])


def test_the_same_key_twice_is_one_and_another_key_with_its_id_is_refused() -> None:
    assert TrustStore([ONE.public, ONE.public]).keys == (ONE.public,)
    with pytest.raises(KeyUnusable, match=ONE.public.name):
        TrustStore([ONE.public, PublicKey(ONE.id, OTHER.public.key)])


@given(st.sets(st.binary(min_size=8, max_size=8), max_size=8))
def test_every_trusted_key_is_found_by_its_id(ids: set[bytes]) -> None:
    store = TrustStore(PublicKey(id_, bytes(32)) for id_ in ids)
    assert {key.id for key in store.keys} == ids
