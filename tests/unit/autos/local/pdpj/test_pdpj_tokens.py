"""The realm: expiry, rotation, reuse detection and the lock after refused log-ins."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta

import orjson
import pytest

from autos.local.pdpj.control_model import TokenSetting
from autos.local.pdpj.tokens import Grant, Refusal, TokenAuthority


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 1, 5, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authority(clock: Clock) -> TokenAuthority:
    return TokenAuthority(clock)


def granted(result: Grant | Refusal) -> Grant:
    assert isinstance(result, Grant)
    return result


def refused(result: Grant | Refusal) -> Refusal:
    assert isinstance(result, Refusal)
    return result


def refresh_token(grant: Grant) -> str:
    assert grant.refresh_token is not None
    return grant.refresh_token


def test_an_access_token_is_valid_until_it_expires(authority: TokenAuthority, clock: Clock) -> None:
    authority.setting = TokenSetting(expires_in=60)
    grant = granted(authority.log_in("any", "any"))
    assert grant.refresh_token is None
    assert authority.is_valid(grant.access_token)
    clock.advance(59)
    assert authority.is_valid(grant.access_token)
    clock.advance(1)
    assert not authority.is_valid(grant.access_token)
    assert not authority.is_valid("made up")


def test_an_access_token_tells_its_expiry_as_a_jwt_does(authority: TokenAuthority, clock: Clock) -> None:
    claims = granted(authority.log_in("any", "any")).access_token.split(".")[1]
    shown = orjson.loads(base64.urlsafe_b64decode(claims + "=" * (-len(claims) % 4)))
    assert shown["exp"] == int(clock().timestamp()) + 300


def test_a_refresh_token_rotates_and_a_second_use_ends_the_session(authority: TokenAuthority) -> None:
    first = authority.issue()
    second = granted(authority.refresh(refresh_token(first)))
    assert refresh_token(second) != refresh_token(first)
    assert authority.is_valid(second.access_token)
    assert "reuse" in refused(authority.refresh(refresh_token(first))).description
    assert not authority.is_valid(second.access_token)
    assert refused(authority.refresh(refresh_token(second))).error == "invalid_grant"


def test_without_rotation_a_refresh_token_works_again(authority: TokenAuthority) -> None:
    authority.setting = TokenSetting(rotate=False)
    first = authority.issue()
    granted(authority.refresh(refresh_token(first)))
    granted(authority.refresh(refresh_token(first)))


def test_a_refresh_token_expires(authority: TokenAuthority, clock: Clock) -> None:
    authority.setting = TokenSetting(refresh_expires_in=100)
    first = authority.issue()
    clock.advance(100)
    assert refused(authority.refresh(refresh_token(first))).description == "Token is not active"


def test_wrong_credentials_are_refused_when_some_are_set(authority: TokenAuthority) -> None:
    authority.setting = TokenSetting(client_id="autos", client_secret="right")
    assert refused(authority.log_in("autos", "wrong")).status == 401
    assert refused(authority.log_in("other", "right")).error == "unauthorized_client"
    granted(authority.log_in("autos", "right"))
    assert authority.refused == 2


def test_refused_log_ins_in_a_row_lock_the_account_until_it_is_unlocked(authority: TokenAuthority) -> None:
    authority.setting = TokenSetting(client_id="autos", client_secret="right", lock_after=5)
    for _ in range(4):
        authority.log_in("autos", "wrong")
    granted(authority.log_in("autos", "right"))  # a success starts the count anew
    for _ in range(5):
        authority.log_in("autos", "wrong")
    assert authority.locked
    assert refused(authority.log_in("autos", "right")).description == "Account disabled"
    authority.unlock()
    granted(authority.log_in("autos", "right"))


def test_revocation_ends_access_tokens_and_when_asked_the_sessions_too(authority: TokenAuthority) -> None:
    grant = authority.issue()
    authority.revoke()
    assert not authority.is_valid(grant.access_token)
    renewed = granted(authority.refresh(refresh_token(grant)))
    authority.revoke(refresh=True)
    assert not authority.is_valid(renewed.access_token)
    assert isinstance(authority.refresh(refresh_token(renewed)), Refusal)


def test_tokens_from_elsewhere_can_be_made_valid_and_do_not_expire(authority: TokenAuthority, clock: Clock) -> None:
    authority.allow(["from the settings"], ["first refresh"])
    clock.advance(10_000_000)
    assert authority.is_valid("from the settings")
    granted(authority.refresh("first refresh"))
    assert isinstance(authority.refresh("first refresh"), Refusal)
