"""``autos repair``: asks again for what ``autos doctor --deep`` finds and fetching can mend."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from autos.context import fail, kafka_config, setting
from autos.deep_check import look

if TYPE_CHECKING:
    from ops.invariants.findings import Mismatch
    from ops.repair import Repair

_MOST_LINES = 200


def repair(
    process_number: Annotated[str | None, typer.Option("--process", help="Only this case.")] = None,
    hashes: Annotated[bool, typer.Option("--hashes", help="Read every object for its SHA-256.")] = False,
    grace: Annotated[
        float,
        typer.Option(
            "--grace",
            "--settle",
            min=0,
            help="Leave work younger than this alone: it may be in progress.",
            metavar="SECONDS",
        ),
    ] = 60.0,
    wait: Annotated[
        float,
        typer.Option(min=0, help="Keep checking until all is repaired, at most this long.", metavar="SECONDS"),
    ] = 0.0,
) -> None:
    """Fetch again what `autos doctor --deep` reports: objects that are missing or wrong, jobs that stand still.

    Example: autos repair --process 0801429-56.2022.4.05.8201 --wait 60
    """
    from shared.domain.cnj import InvalidProcessNumber, parse

    number = None
    if process_number is not None:
        try:
            number = str(parse(process_number))
        except InvalidProcessNumber as error:
            raise fail(f"{process_number[:64]} is no CNJ number: {error}", status=2) from None
    found = _find(number, hashes=hashes, grace=grace)
    if not found:
        typer.echo("ok  nothing to mend")
        return
    done = _ask(found)
    for mismatch, words in done.asked[:_MOST_LINES]:
        typer.echo(f"ask {mismatch.rule}: {mismatch.words}: {words}")
    for mismatch in done.left[:_MOST_LINES]:
        typer.echo(f"BAD {mismatch.rule}: {mismatch.words}: not mended by fetching")
    typer.echo(f"found {len(found)}, asked for {len(done.asked)} again, {len(done.left)} cannot be mended by fetching")
    if wait and done.asked:
        _wait(number, done, hashes=hashes, grace=grace, until=time.monotonic() + wait)
    if done.left:
        raise typer.Exit(1)


def _find(number: str | None, *, hashes: bool, grace: float) -> list[Mismatch]:
    from ops.repair import about

    mismatches = look(hashes=hashes, hours=None, grace=grace).mismatches
    return mismatches if number is None else about(mismatches, number)


def _ask(found: list[Mismatch]) -> Repair:
    from sqlalchemy.exc import SQLAlchemyError

    from ops.repair import plan
    from shared.db.command_transaction import command_transaction
    from shared.errors import ProcessingError
    from shared.kafka.producer import Producer

    try:
        with command_transaction(setting("AUTOS_DATABASE_URL", "database_url"), "autos-repair") as connection:
            done = plan(connection, found)
    except SQLAlchemyError as error:
        raise fail(f"the database does not answer: {type(error).__name__}", status=2) from error
    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    producer = Producer(bootstrap, kafka_config())
    try:
        producer.send_blocking(done.records, 30.0)
    except ProcessingError as error:
        raise fail(f"Kafka at {bootstrap} did not take it: {error}", status=2) from error
    finally:
        producer.close()
    return done


def _wait(number: str | None, done: Repair, *, hashes: bool, grace: float, until: float) -> None:
    """Until nothing of what was asked for is found any more. Exits with 1 when the time is over before."""
    asked = {mismatch.identity for mismatch, _ in done.asked}
    while True:
        left = [each for each in _find(number, hashes=hashes, grace=grace) if each.identity in asked]
        if not left:
            typer.echo("ok  all that was asked for is mended")
            return
        if time.monotonic() > until:
            raise fail(f"{len(left)} of {len(asked)} are not mended yet; look again with `autos doctor --deep`")
        time.sleep(1.0)
