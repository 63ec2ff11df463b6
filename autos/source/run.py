"""The steps in their order; what follows a step that fails is not tried."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from autos.context import fail
from autos.source.access import ask_case, ask_document, get_token
from autos.source.diagnoses import Diagnosis
from autos.source.network import SourceHost, steps
from autos.source.settings import DoctorSettings
from shared.domain import cnj
from shared.settings import load
from sources.pdpj.settings import TokenGrant


def check_source(number: str | None) -> None:
    """Print each step. Exits with 1 after a step that fails, with 2 for wrong settings."""
    try:
        case = None if number is None else str(cnj.parse(number))
    except ValueError as error:
        raise fail(f"{number} is no case number: {error}") from error
    settings = load(DoctorSettings)
    typer.echo(f"source: {settings.pdpj_api.value} at {settings.pdpj_base_url}, log-in by {settings.pdpj_grant.value}")
    with _quiet():
        for step, diagnosis in _steps(settings, case):
            mark = {True: "ok ", False: "BAD", None: "-  "}[diagnosis.good]
            typer.echo(f"{mark} {step:<20}{diagnosis.words}")
            if diagnosis.good is False:
                raise fail(f"the step {step!r} fails; what follows it was not tried")
    typer.echo("the source can be reached" + ("" if case else "; give a case's number to try it and a document"))


@contextmanager
def _quiet() -> Iterator[None]:
    """No log lines of the client meanwhile: what they would say is said here in words."""
    logger = logging.getLogger("sources")
    level = logger.level
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)


def _steps(settings: DoctorSettings, case: str | None) -> Iterator[tuple[str, Diagnosis]]:
    source = SourceHost.of(settings.pdpj_base_url)
    yield from steps(source)
    if settings.pdpj_grant is not TokenGrant.FIXED and settings.pdpj_token_url is not None:
        log_in = SourceHost.of(settings.pdpj_token_url)
        if log_in != source:
            for step, diagnosis in steps(log_in):
                yield f"log-in's {step}", diagnosis
    got = asyncio.run(get_token(settings))
    yield "token", got.diagnosis
    if got.token is None:
        return
    yield "case", asyncio.run(ask_case(settings, got.token, case))
    if case is None:
        yield "document", Diagnosis(None, "not tried: give the number of a case that the account may see")
    else:
        yield "document", asyncio.run(ask_document(settings, got.token, case))
