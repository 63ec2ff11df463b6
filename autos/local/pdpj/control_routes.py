"""The control API under ``/_control``: tests and the demo set cases, failures and tokens, and read the counters.

| Route | Does |
|---|---|
| GET health | 200 when the process serves |
| GET oddities | what can be switched on for a case, with one line each |
| PUT cases/{n} | CaseSetting: sets a case anew · DELETE |
| GET cases/{n} | ExpectedCase (`?hashes=false` leaves the sums out, `?api=datalake` what the data lake keeps) |
| GET, PUT, PATCH source | SourceSetting: shows · replaces · changes what is given |
| GET, PUT tokens | TokenSetting · POST tokens: a new session · POST tokens/allow · POST tokens/revoke |
| GET metrics | Metrics (`?by_case=false` leaves the cases out) · GET metrics/cases/{n} · POST metrics/reset |
| POST reset | everything as after the start |
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from typing import TypeVar
from urllib.parse import parse_qs

from pydantic import BaseModel, ValidationError

from autos.local.pdpj import answers
from autos.local.pdpj.addresses import number_in
from autos.local.pdpj.catalogue import SWITCHES
from autos.local.pdpj.control_model import (
    AllowedTokens,
    CaseSetting,
    CaseSummary,
    IssuedTokens,
    Revocation,
    SourceSetting,
    TokenSetting,
)
from autos.local.pdpj.exchange import Reply, Request
from autos.local.pdpj.source import Source
from shared.domain.cnj import ProcessNumber

PREFIX = "/_control/"

Model = TypeVar("Model", bound=BaseModel)


class ControlRoutes:
    """No log-in: the simulator binds to loopback."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def __call__(self, request: Request) -> Reply | Awaitable[Reply]:
        path = request.path.removeprefix(PREFIX).strip("/").split("/")
        try:
            match request.method, path:
                case "GET", ["health"]:
                    return answers.json_reply(200, {"status": "ok"})
                case "GET", ["oddities"]:
                    return answers.json_reply(200, [switch.model_dump() for switch in SWITCHES])
                case method, ["cases", text]:
                    return self._case(method, text, request)
                case method, ["source"]:
                    return self._configure(method, request)
                case method, ["tokens", *rest]:
                    return self._tokens(method, rest, request)
                case method, ["metrics", *rest]:
                    return self._metrics(method, rest, request)
                case "POST", ["reset"]:
                    self._source.reset()
                    return answers.json_reply(200, {"status": "reset"})
                case _:
                    return _problem(404, f"no control route {request.method} {request.path}")
        except ValidationError as error:
            shown = error.errors(include_url=False, include_context=False, include_input=False)
            return answers.json_reply(422, {"detail": "the setting is not valid", "errors": shown})

    def _case(self, method: str, text: str, request: Request) -> Reply | Awaitable[Reply]:
        number = number_in(text)
        if number is None:
            return _problem(422, f"not a CNJ number: {text}")
        cases = self._source.cases
        match method:
            case "PUT":
                setting = _read(CaseSetting, request)
                held = cases.put(number, setting)
                return _model(
                    CaseSummary(process_number=number, exists=setting.exists, documents=len(held.case.documents))
                )
            case "GET":
                lake = parse_qs(request.query).get("api") == ["datalake"]
                return self._expected(number, hashes=_flag(request, "hashes"), lake=lake)
            case "DELETE":
                cases.delete(number)
                return answers.json_reply(200, {"process_number": number})
            case _:
                return _problem(405, "GET, PUT or DELETE")

    async def _expected(self, number: ProcessNumber, *, hashes: bool, lake: bool) -> Reply:
        """Sums of large documents take seconds, so they are made beside the event loop."""
        cases = self._source.cases
        held, exists = cases.get(number), cases.setting(number).exists
        bodies = self._source.bodies
        expected = await asyncio.to_thread(held.expected, bodies, hashes=hashes, exists=exists, lake=lake)
        return _model(expected)

    def _configure(self, method: str, request: Request) -> Reply:
        source = self._source
        match method:
            case "GET":
                pass
            case "PUT":
                source.configure(_read(SourceSetting, request))
            case "PATCH":
                change = _read(SourceSetting, request).model_dump(exclude_unset=True)
                source.configure(source.setting.model_copy(update=change))
            case _:
                return _problem(405, "GET, PUT or PATCH")
        return _model(source.setting)

    def _tokens(self, method: str, rest: list[str], request: Request) -> Reply:
        tokens = self._source.tokens
        match method, rest:
            case "GET", []:
                pass
            case "PUT", []:
                tokens.setting = _read(TokenSetting, request)
            case "POST", []:
                grant = tokens.issue()
                assert grant.refresh_token is not None
                return _model(
                    IssuedTokens(
                        access_token=grant.access_token,
                        refresh_token=grant.refresh_token,
                        expires_in=grant.expires_in,
                    )
                )
            case "POST", ["allow"]:
                allowed = _read(AllowedTokens, request)
                tokens.allow(allowed.access_tokens, allowed.refresh_tokens)
            case "POST", ["revoke"]:
                tokens.revoke(refresh=_read(Revocation, request).refresh)
            case _:
                return _problem(404, f"no control route {request.method} {request.path}")
        return _model(tokens.setting)

    def _metrics(self, method: str, rest: list[str], request: Request) -> Reply:
        match method, rest:
            case "GET", []:
                return _model(self._source.metrics(by_case=_flag(request, "by_case")))
            case "GET", ["cases", text]:
                number = number_in(text)
                if number is None:
                    return _problem(422, f"not a CNJ number: {text}")
                return _model(self._source.counters.case(number))
            case "POST", ["reset"]:
                self._source.counters.reset()
                return answers.json_reply(200, {"status": "reset"})
            case _:
                return _problem(404, f"no control route {request.method} {request.path}")


def _read(model: type[Model], request: Request) -> Model:
    return model.model_validate_json(request.body or b"{}")


def _model(content: BaseModel) -> Reply:
    return Reply(200, answers.JSON, content.model_dump_json().encode())


def _flag(request: Request, name: str) -> bool:
    """A query flag that is on unless it says false."""
    return parse_qs(request.query).get(name, ["true"])[0].lower() not in ("false", "0", "no")


def _problem(status: int, detail: str) -> Reply:
    return answers.json_reply(status, {"detail": detail})
