"""A typed client of the control API, for tests, benchmarks and the demo.

with SimulatorControl("http://127.0.0.1:8090") as pdpj:
    pdpj.put_case(number, documents=12, failures=[Failure(kind=FailureKind.ERROR_500, document=3, times=2)])
    expected = pdpj.case(number)
    assert pdpj.case_metrics(number).max_in_flight <= 5
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, Self

import httpx
import orjson
from pydantic import BaseModel, TypeAdapter

from autos.local.pdpj.control_model import (
    AllowedTokens,
    CaseCounters,
    CaseSetting,
    CaseSummary,
    ExpectedCase,
    ExpectedDocument,
    ExplicitDocument,
    Failure,
    Growth,
    IssuedTokens,
    Latency,
    Metrics,
    Oddity,
    Revocation,
    SourceSetting,
    Switch,
    TokenSetting,
)
from autos.local.pdpj.failures import FailureKind
from autos.local.pdpj.model import ContentKind
from autos.local.pdpj.oddities import OddityKind

__all__ = [
    "AllowedTokens",
    "CaseCounters",
    "CaseSetting",
    "ContentKind",
    "ExpectedCase",
    "ExpectedDocument",
    "ExplicitDocument",
    "Failure",
    "FailureKind",
    "Growth",
    "Metrics",
    "Oddity",
    "OddityKind",
    "SimulatorControl",
    "SourceSetting",
    "Switch",
    "TokenSetting",
]

_TIMEOUT_SECONDS = 60.0  # the sums of a case with gigabytes of documents


class SimulatorControl:
    """Sets and reads a running simulator. Raises httpx.HTTPStatusError for a setting that is not valid."""

    def __init__(self, address: str) -> None:
        self.address = address.rstrip("/")
        self._client = httpx.Client(base_url=f"{self.address}/_control/", timeout=_TIMEOUT_SECONDS, trust_env=False)

    @property
    def portal_url(self) -> str:
        """AUTOS_PDPJ_BASE_URL for AUTOS_PDPJ_API=portal."""
        return f"{self.address}/portal"

    @property
    def data_lake_url(self) -> str:
        """AUTOS_PDPJ_BASE_URL for AUTOS_PDPJ_API=datalake."""
        return f"{self.address}/datalake"

    @property
    def token_url(self) -> str:
        """AUTOS_PDPJ_TOKEN_URL."""
        return f"{self.address}/token"

    def close(self) -> None:
        self._client.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def is_healthy(self) -> bool:
        try:
            return self._client.get("health", timeout=2.0).is_success
        except httpx.TransportError:
            return False

    # -- cases --------------------------------------------------------------------------------------------------------

    def put_case(
        self,
        number: str,
        *,
        documents: int | Sequence[ExplicitDocument] | None = None,
        size: int | tuple[int, int] | None = None,
        kind: ContentKind | None = None,
        degrees: Literal[1, 2] | None = None,
        secrecy_level: int | None = None,
        sealed_percent: int = 0,
        exists: bool = True,
        latency: Latency | None = None,
        bytes_per_second: float | None = None,
        failures: Sequence[Failure] = (),
        oddities: Sequence[Oddity] = (),
        grow: Growth | None = None,
    ) -> CaseSummary:
        """Set a case anew; see :class:`CaseSetting`. Failures and growth start from the beginning."""
        setting = CaseSetting(
            exists=exists,
            documents=documents if documents is None or isinstance(documents, int) else list(documents),
            size=size,
            kind=kind,
            degrees=degrees,
            secrecy_level=secrecy_level,
            sealed_percent=sealed_percent,
            latency=latency,
            bytes_per_second=bytes_per_second,
            failures=list(failures),
            oddities=list(oddities),
            grow=grow,
        )
        return CaseSummary.model_validate_json(self._send("PUT", f"cases/{number}", setting))

    def case(self, number: str, *, hashes: bool = True, api: Literal["portal", "datalake"] = "portal") -> ExpectedCase:
        """What a correct copy of the case holds, as its next read would show it."""
        path = f"cases/{number}?hashes={str(hashes).lower()}&api={api}"
        return ExpectedCase.model_validate_json(self._send("GET", path))

    def switches(self) -> list[Switch]:
        """What can be switched on for a case."""
        return TypeAdapter(list[Switch]).validate_json(self._send("GET", "oddities"))

    def delete_case(self, number: str) -> None:
        """Forget the setting: the case is again what follows from its number."""
        self._send("DELETE", f"cases/{number}")

    # -- the source ---------------------------------------------------------------------------------------------------

    def source(self) -> SourceSetting:
        return SourceSetting.model_validate_json(self._send("GET", "source"))

    def configure_source(self, setting: SourceSetting) -> None:
        """Replace the whole setting: ``configure_source(SourceSetting())`` is a source without trouble."""
        self._send("PUT", "source", setting)

    def outage(self, kind: FailureKind | None, *, retry_after: float | str | None = None) -> None:
        """Begin an outage of the whole API, or end it with None; the rest of the setting stays."""
        self._send("PATCH", "source", SourceSetting(outage=kind, retry_after=retry_after))

    # -- tokens -------------------------------------------------------------------------------------------------------

    def configure_tokens(self, setting: TokenSetting) -> None:
        self._send("PUT", "tokens", setting)

    def issue_tokens(self) -> IssuedTokens:
        """A new session, for a product that is given tokens."""
        return IssuedTokens.model_validate_json(self._send("POST", "tokens"))

    def allow_tokens(self, *, access: Sequence[str] = (), refresh: Sequence[str] = ()) -> None:
        """Make tokens of one's own valid."""
        self._send("POST", "tokens/allow", AllowedTokens(access_tokens=list(access), refresh_tokens=list(refresh)))

    def revoke_tokens(self, *, refresh: bool = False) -> None:
        """Every access token stops to work; with ``refresh`` every session ends."""
        self._send("POST", "tokens/revoke", Revocation(refresh=refresh))

    # -- counters -----------------------------------------------------------------------------------------------------

    def metrics(self, *, by_case: bool = True) -> Metrics:
        return Metrics.model_validate_json(self._send("GET", f"metrics?by_case={str(by_case).lower()}"))

    def case_metrics(self, number: str) -> CaseCounters:
        return CaseCounters.model_validate_json(self._send("GET", f"metrics/cases/{number}"))

    def reset_metrics(self) -> None:
        self._send("POST", "metrics/reset")

    def reset(self) -> None:
        """Cases, source, token setting and counters as after the start; given tokens stay valid."""
        self._send("POST", "reset")

    def _send(self, method: str, path: str, content: BaseModel | None = None) -> bytes:
        body = None if content is None else orjson.dumps(content.model_dump(mode="json", exclude_unset=True))
        answer = self._client.request(method, path, content=body, headers={"content-type": "application/json"})
        if answer.is_error:
            raise httpx.HTTPStatusError(
                f"{method} {path}: {answer.status_code} {answer.text[:500]}", request=answer.request, response=answer
            )
        return answer.content
