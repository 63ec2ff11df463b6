"""What is sealed opens with its key, for the same endpoint, and with nothing else."""

from __future__ import annotations

import base64
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.secrets.keys import SecretKeys, SecretUnreadable
from shared.settings import load
from shared.webhooks.headers import HeaderKeys, HeaderRefused, check_headers
from shared.webhooks.sealing import InvalidSealingKey, NotOpened, SealingKeys
from shared.webhooks.settings import WebhookSealingSettings

OLD, NEW = (base64.b64encode(os.urandom(32)).decode() for _ in range(2))


@given(st.binary(max_size=300), st.text(max_size=40))
def test_it_opens_as_what_it_was_and_says_nothing_before(plain: bytes, about: str) -> None:
    sealed = SealingKeys([OLD]).seal(plain, about)
    assert SealingKeys([NEW, OLD]).open(sealed, about) == plain
    assert len(plain) < 4 or plain not in sealed
    for keys, subject in ((SealingKeys([NEW]), about), (SealingKeys([OLD]), about + "x"), (SealingKeys([]), about)):
        with pytest.raises(NotOpened):
            keys.open(sealed, subject)


def test_the_first_key_seals_and_a_damaged_text_does_not_open() -> None:
    sealed = SealingKeys([NEW, OLD]).seal(b"x", "e")
    assert SealingKeys([NEW]).open(sealed, "e") == b"x"
    for damaged in (b"", sealed[:5], sealed[:-1], b"\x02" + sealed[1:], sealed[:-1] + bytes([sealed[-1] ^ 1])):
        with pytest.raises(NotOpened):
            SealingKeys([NEW]).open(damaged, "e")


def test_a_key_that_is_none_ends_the_start_and_is_not_shown(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AUTOS_WEBHOOK_SEALING_KEYS", f"{NEW}, {OLD}")
    assert load(WebhookSealingSettings).header_keys
    monkeypatch.setenv("AUTOS_WEBHOOK_SEALING_KEYS", "")
    assert not load(WebhookSealingSettings).header_keys
    for wrong in (NEW[:-8], "not base64!"):
        with pytest.raises(InvalidSealingKey):
            SealingKeys([wrong])
        monkeypatch.setenv("AUTOS_WEBHOOK_SEALING_KEYS", wrong)
        with pytest.raises(SystemExit):
            load(WebhookSealingSettings)
        assert wrong not in capsys.readouterr().err


def test_headers_come_back_in_their_order_and_none_need_no_key() -> None:
    headers = {"Authorization": "Bearer x", "X-Tenant": "7"}
    for keys in (HeaderKeys(sealing=SealingKeys([OLD])), HeaderKeys(SecretKeys([NEW]), SealingKeys([OLD]))):
        assert keys.open(keys.seal(headers, "e"), "e") == list(headers.items())
    assert HeaderKeys().seal({}, "e") is None and not HeaderKeys()
    assert HeaderKeys().open(None, "e") == []


def test_headers_of_before_open_beside_those_of_now() -> None:
    before = HeaderKeys(sealing=SealingKeys([OLD])).seal({"X": "of before"}, "e")
    now = HeaderKeys(SecretKeys([NEW]), SealingKeys([OLD]))
    sealed = now.seal({"X": "of now"}, "e")
    assert before is not None and sealed is not None and sealed.startswith(b"autos:1:")
    assert (now.open(before, "e"), now.open(sealed, "e")) == ([("X", "of before")], [("X", "of now")])
    with pytest.raises(NotOpened):
        HeaderKeys(SecretKeys([NEW])).open(before, "e")
    for keys, about in ((HeaderKeys(SecretKeys([OLD])), "e"), (now, "another")):
        with pytest.raises(SecretUnreadable):
            keys.open(sealed, about)


@pytest.mark.parametrize(
    "name",
    [
        *("Host", "content-length", "Content-Type", "TRANSFER-ENCODING", "Connection", "keep-alive", "te", "trailer"),
        *(
            "Upgrade",
            "Proxy-Authorization",
            "webhook-id",
            "Webhook-Signature",
            "User-Agent",
            "Accept-Encoding",
            "expect",
        ),
    ],
)
def test_what_belongs_to_the_connection_or_to_us_is_not_a_clients_to_set(name: str) -> None:
    with pytest.raises(HeaderRefused) as refused:
        check_headers({name: "secret-value"})
    assert refused.value.code == "header_not_allowed" and "secret-value" not in refused.value.detail


@pytest.mark.parametrize(
    ("name", "value"),
    [("", "x"), ("a b", "x"), ("a:", "x"), ("ä", "x"), ("X" * 101, "x"), ("X", ""), ("X", " x"), ("X", "x ")]
    + [("X", bad) for bad in ("a\nb", "a\rb", "a\x00b", "ä", "x" * 2049, "\x7f")],
)
def test_what_is_no_header_is_refused(name: str, value: str) -> None:
    with pytest.raises(HeaderRefused) as refused:
        check_headers({name: value})
    assert refused.value.code == "invalid_header"


def test_the_same_name_twice_is_refused_and_what_is_good_is_not() -> None:
    with pytest.raises(HeaderRefused):
        check_headers({"X-A": "1", "x-a": "2"})
    check_headers({"Authorization": "Basic dXNlcjpwYXNz", "X-Api-Key": "a b\tc", "Cookie": "a=b; c=d"})
