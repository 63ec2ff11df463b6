"""When a token is renewed, by whom, and when nobody tries any more; with a clock that is turned by hand."""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime, timedelta

import pytest

from sources.errors import CredentialsRefused, SourceUnavailable, TokenRejected
from sources.pdpj.auth.credentials import FixedToken, SharedToken
from sources.pdpj.auth.renewal import RenewedToken
from sources.pdpj.auth.token_endpoint import LogInRefused, Tokens
from sources.pdpj.auth.token_store import Credential, MemoryCredentialStore
from sources.pdpj.auth.tokens import Token, refusal_wait

NAME = "client_credentials:test"


class World:
    """A token endpoint and a clock."""

    def __init__(self) -> None:
        self.now = datetime(2026, 1, 1, tzinfo=UTC)
        self.log_ins = 0
        self.lifetime = 300.0
        self.refusing = False
        self.failing: Exception | None = None
        self.store = MemoryCredentialStore()
        self.refresh_tokens: list[str | None] = []
        self.refusals: list[datetime] = []

    def clock(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def turn(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def log_in(self, kept: Credential) -> Tokens:
        self.log_ins += 1
        self.refresh_tokens.append(kept.refresh_token)
        await asyncio.sleep(0)
        if self.failing is not None:
            raise self.failing
        if self.refusing:
            raise LogInRefused("invalid_grant")
        return Tokens(f"access-{self.log_ins}", self.lifetime, f"refresh-{self.log_ins}")

    def process(self, seed: Credential | None = None) -> RenewedToken:
        return RenewedToken(
            self.store,
            NAME,
            self.log_in,
            seed=seed,
            clock=self.clock,
            seconds=self.seconds,
            on_refused=lambda: self.refusals.append(self.now),
        )


async def test_one_log_in_for_many_callers() -> None:
    world = World()
    process = world.process()
    tokens = await asyncio.gather(*(process.token() for _ in range(32)))
    assert {token.value for token in tokens} == {"access-1"}
    assert world.log_ins == 1


async def test_32_rejections_of_one_token_renew_it_once() -> None:
    world = World()
    process = world.process()
    token = await process.token()
    renewed = await asyncio.gather(*(process.renewed(token) for _ in range(32)))
    assert {one.value for one in renewed} == {"access-2"}
    assert (await process.renewed(token)).value == "access-2"  # a late one gets what is there
    assert world.log_ins == 2


async def test_another_process_takes_over_the_token_without_a_log_in() -> None:
    world = World()
    first, second = world.process(), world.process()
    token = await first.token()
    assert await second.token() == token
    newer = await second.renewed(token)
    assert await first.renewed(token) == newer
    assert world.log_ins == 2


async def test_renewed_before_its_end() -> None:
    world = World()
    process = world.process()
    await process.token()
    world.turn(284)
    assert (await process.token()).value == "access-1"
    world.turn(2)
    assert (await process.token()).value == "access-2"


async def test_each_refresh_token_is_used_once_and_the_next_is_kept() -> None:
    world = World()
    process = world.process(Credential(refresh_token="given"))
    token = await process.token()
    for _ in range(3):
        token = await process.renewed(token)
        world.turn(60)
    assert world.refresh_tokens == ["given", "refresh-1", "refresh-2", "refresh-3"]
    assert (await world.store.load(NAME)).refresh_token == "refresh-4"
    # A process that starts again goes on with the kept one, not with the one of its settings.
    world.turn(400)
    await world.process(Credential(refresh_token="given")).token()
    assert world.refresh_tokens[-1] == "refresh-4"


async def test_given_access_token_is_used_first() -> None:
    world = World()
    process = world.process(Credential(access_token="seed", refresh_token="given", generation=1))
    assert (await process.token()).value == "seed"
    assert world.log_ins == 0
    assert (await process.renewed(Token("seed", 1))).value == "access-1"


async def test_refusals_are_counted_for_all_processes_and_wait_longer() -> None:
    world = World()
    world.refusing = True
    waits = []
    for _ in range(6):
        for process in (world.process(), world.process()):
            with pytest.raises(CredentialsRefused) as raised:
                await process.token()
        assert raised.value.retry_after is not None
        waits.append(raised.value.retry_after)
        world.turn(raised.value.retry_after)
    assert waits == [5.0, 30.0, 300.0, 600.0, 1200.0, 2400.0]
    assert world.log_ins == 6
    assert len(world.refusals) == 6, "each is told to whoever alerts people"
    world.refusing = False
    assert (await world.process().token()).value == "access-7"


def test_refusal_wait_has_a_bound() -> None:
    assert [refusal_wait(count) for count in (0, 1, 2, 3, 4, 50, 10**6)] == [5, 5, 30, 300, 600, 3600, 3600]


async def test_endpoint_that_is_away_is_no_refusal() -> None:
    world = World()
    world.failing = SourceUnavailable()
    process = world.process()
    for _ in range(5):
        with pytest.raises(SourceUnavailable):
            await process.token()
    assert (await world.store.load(NAME)).refused_count == 0
    world.failing = None
    assert (await process.token()).value == "access-6"


async def test_fresh_tokens_that_are_rejected_are_refusals_too() -> None:
    world = World()
    process = world.process()
    waits = []
    for _ in range(3):
        token = await process.renewed(await process.token())
        errors = await asyncio.gather(*(process.refuse(token) for _ in range(8)))
        assert all(isinstance(error, CredentialsRefused) for error in errors)
        waits.append(errors[0].retry_after)
        with pytest.raises(CredentialsRefused):
            await process.token()
        assert waits[-1] is not None
        world.turn(waits[-1])
    assert waits == [5.0, 30.0, 300.0]


async def test_a_token_that_works_elsewhere_is_not_refused_for_one_request() -> None:
    world = World()
    process = world.process()
    token = await process.token()
    process.accepted()
    assert isinstance(await process.refuse(token), TokenRejected)
    assert (await process.token()) == token


async def test_no_storm_of_log_ins_for_requests_that_reject_every_token() -> None:
    world = World()
    process = world.process()
    token = await process.token()
    for _ in range(50):
        process.accepted()
        with contextlib.suppress(TokenRejected):
            token = await process.renewed(token)
    assert world.log_ins == 4
    world.turn(61)
    process.accepted()
    assert (await process.renewed(token)).value == "access-5"


async def test_a_caller_that_gives_up_does_not_end_the_renewal() -> None:
    world = World()
    process = world.process()
    task = asyncio.create_task(process.token())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    await process.aclose()
    assert (await process.token()).value == "access-1"
    assert world.log_ins == 1


async def test_tokens_are_not_shown() -> None:
    for shown in (
        Token("very-secret", 1),
        Credential("very-secret", "very-secret"),
        Tokens("very-secret", 1, "very-secret"),
    ):
        assert "very-secret" not in repr(shown)


async def test_fixed_token() -> None:
    seconds = [0.0]
    refusals: list[float] = []
    fixed = FixedToken("x", seconds=lambda: seconds[0], on_refused=lambda: refusals.append(seconds[0]))
    token = await fixed.token()
    with pytest.raises(CredentialsRefused) as raised:
        await fixed.renewed(token)
    assert raised.value.retry_after == 60.0
    fixed.accepted()
    with pytest.raises(TokenRejected):
        await fixed.renewed(token)
    seconds[0] = 21.0
    with pytest.raises(CredentialsRefused):
        await fixed.renewed(token)
    assert refusals == [0.0, 21.0]


async def test_a_process_that_may_only_read_waits_for_the_others() -> None:
    world = World()
    reader = SharedToken(world.store, NAME, clock=world.clock)
    with pytest.raises(CredentialsRefused):
        await reader.token()
    process = world.process()
    token = await process.token()
    assert await reader.token() == token
    with pytest.raises(CredentialsRefused):
        await reader.renewed(token)
    newer = await process.renewed(token)
    assert await reader.renewed(token) == newer
    world.turn(400)
    with pytest.raises(CredentialsRefused):
        await reader.token()
