"""The source as a whole: what it holds, how it is set to behave, what it has counted; one per process."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime

from autos.local.pdpj.bodies import BodyFactory
from autos.local.pdpj.cases import CaseStore
from autos.local.pdpj.control_model import Latency, Metrics, SourceSetting, TokenSetting
from autos.local.pdpj.counters import Counters
from autos.local.pdpj.tokens import TokenAuthority


class Source:
    """State shared by the routes of the source and those of the control API.

    ``clock`` gives the time of day for tokens, ``monotonic`` seconds for the rate limit. ``access_tokens`` and
    ``refresh_tokens`` are valid from the start and again after every reset.
    """

    def __init__(
        self,
        *,
        clock: Callable[[], datetime],
        monotonic: Callable[[], float],
        access_tokens: Sequence[str] = (),
        refresh_tokens: Sequence[str] = (),
    ) -> None:
        self.bodies = BodyFactory()
        self.cases = CaseStore()
        self.counters = Counters()
        self.tokens = TokenAuthority(clock)
        self.setting = SourceSetting()
        self._clock = clock
        self._monotonic = monotonic
        self._random = random.Random()
        self._allowance = 0.0
        self._allowance_at = monotonic()
        self._first_tokens = (tuple(access_tokens), tuple(refresh_tokens))
        self.tokens.allow(*self._first_tokens)

    def configure(self, setting: SourceSetting) -> None:
        self.setting = setting
        self._allowance = setting.rate_limit or 0.0
        self._allowance_at = self._monotonic()

    def reset(self) -> None:
        """As after the start, but tokens that were given and not revoked stay valid."""
        self.cases.clear()
        self.counters.reset()
        self.configure(SourceSetting())
        self.tokens.setting = TokenSetting()
        self.tokens.unlock()
        self.tokens.allow(*self._first_tokens)

    def admits(self) -> bool:
        """Whether one more request is within the limits; it takes its share of the rate."""
        setting = self.setting
        if setting.concurrency_limit is not None and self.counters.in_flight > setting.concurrency_limit:
            return False
        if setting.rate_limit is None:
            return True
        now = self._monotonic()
        earned = (now - self._allowance_at) * setting.rate_limit
        self._allowance = min(max(1.0, setting.rate_limit), self._allowance + earned)
        self._allowance_at = now
        if self._allowance < 1.0:
            return False
        self._allowance -= 1.0
        return True

    def delay(self, latency: Latency | None) -> float:
        """Seconds to wait before an answer: the case's latency if it has one, else the source's."""
        wanted = self.setting.latency if latency is None else latency
        return self._random.uniform(*wanted) if isinstance(wanted, tuple) else wanted

    def valid_for(self, seconds: int) -> str:
        """The query of a temporary address that is good for so many seconds."""
        return f"validade={int(self._clock().timestamp()) + seconds}"

    def is_current(self, query: str) -> bool:
        """Whether a temporary address with this query is still good."""
        until = query.partition("validade=")[2]
        return until.isdigit() and self._clock().timestamp() <= int(until)

    def metrics(self, *, by_case: bool) -> Metrics:
        counted = self.counters
        return Metrics(
            requests_total=counted.requests_total,
            by_route=dict(counted.by_route),
            by_status=dict(counted.by_status),
            by_failure=dict(counted.by_failure),
            in_flight=counted.in_flight,
            max_in_flight=counted.max_in_flight,
            token_requests=counted.token_requests,
            refused_logins=self.tokens.refused,
            account_locked=self.tokens.locked,
            bytes_sent=counted.bytes_sent,
            by_case={number: counted.case(number) for number in counted.by_case} if by_case else {},
        )
