"""A stored secret opens with its key, for its own row, and with nothing else; a hash has a pepper."""

from __future__ import annotations

import base64
import hashlib
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secrets.keys import InvalidSecretsKey, SecretKeys, SecretUnreadable, Standing, encrypted_with

OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


@given(st.text(max_size=300), st.text(max_size=40))
def test_it_opens_for_what_it_is_about_and_says_nothing_before(plain: str, about: str) -> None:
    stored = SecretKeys([OLD]).to_store(plain, about)
    assert SecretKeys([NEW, OLD]).from_store(stored, about) == plain
    head, sealed = f"autos:1:{encrypted_with(stored)}:", stored.rpartition(":")[2]
    assert stored == head + sealed
    assert len(plain) < 8 or plain not in sealed
    assert stored != SecretKeys([OLD]).to_store(plain, about)
    for keys, subject in ((SecretKeys([NEW]), about), (SecretKeys([OLD]), about + "x"), (SecretKeys(), about)):
        with pytest.raises(SecretUnreadable):
            keys.from_store(stored, subject)
        assert keys.standing(stored, subject) is Standing.UNREADABLE


def test_the_first_key_encrypts_and_a_damaged_text_does_not_open() -> None:
    stored = SecretKeys([NEW, OLD]).to_store("whsec_x", "client")
    assert SecretKeys([NEW]).from_store(stored, "client") == "whsec_x"
    assert SecretKeys([OLD, NEW]).standing(stored, "client") is Standing.OLDER
    assert SecretKeys([NEW, OLD]).standing(stored, "client") is Standing.CURRENT
    changed = stored[:-3] + ("AAA" if stored[-3:] != "AAA" else "BBB")
    key_id = encrypted_with(stored)
    for damaged in ("autos:1:", stored[:20], stored[:-4], changed, f"autos:1:{key_id}:", f"autos:1:{key_id}:ä"):
        with pytest.raises(SecretUnreadable):
            SecretKeys([NEW]).from_store(damaged, "client")


def test_what_was_stored_before_there_was_a_key_is_read_as_it_is() -> None:
    for keys in (SecretKeys(), SecretKeys([NEW])):
        assert keys.from_store("whsec_old", "client") == "whsec_old"
        assert keys.standing("whsec_old", "client") is Standing.PLAIN
    assert SecretKeys().to_store("whsec_old", "client") == "whsec_old"
    assert not SecretKeys() and SecretKeys([NEW])


def test_a_key_is_known_by_each_pepper_and_without_one() -> None:
    digest = hashlib.sha256(b"autos_sk_x").digest()
    one, both = SecretKeys([OLD]), SecretKeys([NEW, OLD])
    kept = one.hash_to_store(digest)
    assert kept.value != digest and kept.key_id == one.key_ids[0]
    assert both.hashes(digest) == (both.hash_to_store(digest).value, kept.value, digest)
    assert SecretKeys().hash_to_store(digest).value == digest and SecretKeys().hashes(digest) == (digest,)
    assert both.standing_of_key(kept.key_id) is Standing.OLDER


def test_neither_a_key_nor_what_is_no_key_is_shown() -> None:
    assert OLD not in repr(SecretKeys([OLD]))
    assert all(len(key_id) == 8 for key_id in SecretKeys([NEW, OLD]).key_ids)
    for wrong in (OLD[:-8], "not base64!", ""):
        with pytest.raises(InvalidSecretsKey) as refused:
            SecretKeys([wrong])
        assert not wrong or wrong not in str(refused.value)
