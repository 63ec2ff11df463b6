"""``autos dead``: what was given up, why, and the way back."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from autos import set_aside
from autos.context import fail, kafka_config, record_reading, setting

if TYPE_CHECKING:
    from shared.dead_letters.letters import DeadLetter

app = typer.Typer(
    help="Dead letters, and events that the broker refused: neither is tried again by itself.",
    no_args_is_help=True,
)

_PROJECTION = "progress.dead_letters"
_TOPICS = ("document.dead", "process.dead", "webhook.dead", _PROJECTION)
_LISTED = (*_TOPICS, set_aside.OUTBOX)


def _read(topic: str, partition: int | None = None, offset: int | None = None) -> list[DeadLetter]:
    from shared.dead_letters.reading import read_dead
    from shared.errors import InfrastructureAway

    if topic == _PROJECTION:
        return _rows(offset)
    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    config: dict[str, Any] = kafka_config()
    try:
        return list(read_dead(bootstrap, topic, config=config, partition=partition, offset=offset))
    except InfrastructureAway as error:
        hidden = error.what.partition(": ")[2]
        says = f"does not show {hidden}" if hidden else "does not answer"
        raise fail(f"Kafka at {bootstrap} {says}", status=2) from error


def _rows(row: int | None) -> list[DeadLetter]:
    """What the projection could not apply: a table, read as if it were a topic."""
    from sqlalchemy.exc import SQLAlchemyError

    from shared.db.command_transaction import command_transaction
    from shared.dead_letters.reading import read_projection

    try:
        with command_transaction(setting("AUTOS_DATABASE_URL", "database_url"), "autos-dead") as connection:
            return list(read_projection(connection, row=row))
    except SQLAlchemyError as error:
        raise fail(f"the database does not answer: {type(error).__name__}", status=2) from error


def _one(letter_id: str) -> DeadLetter:
    topic, _, place = letter_id.partition("/")
    partition, _, offset = place.partition("/")
    if topic not in _TOPICS or not partition.isdecimal() or not offset.isdecimal():
        raise fail("an id is topic/partition/offset, as `autos dead list` shows it", status=2)
    found = _read(topic, int(partition), int(offset))
    if not found:
        raise fail(f"there is no {letter_id}", status=2)
    return found[0]


@app.command("list")
def list_(
    topic: Annotated[str | None, typer.Option(help=f"Only of one: {', '.join(_LISTED)}.")] = None,
    process_number: Annotated[str | None, typer.Option("--process", help="Only of this case.")] = None,
    last: Annotated[int, typer.Option(help="So many of the newest.")] = 100,
) -> None:
    """List the dead letters of all topics and the events set aside, oldest first: id, time, case, document, reason.

    Example: autos dead list --topic document.dead --last 20
    """
    if topic is not None and topic not in _LISTED:
        raise fail(f"there is no dead topic {topic} ({', '.join(_LISTED)})", status=2)
    if topic in (None, set_aside.OUTBOX):
        _list_set_aside(process_number, last)
    if topic == set_aside.OUTBOX:
        return
    names = _TOPICS if topic is None else (topic,)
    letters = [letter for name in names for letter in _read(name) if process_number in (None, letter.case)]
    letters.sort(key=lambda letter: letter.at)
    for letter in letters[-last:]:
        about = f"{letter.case or '-'}  {letter.named('document_id') or '-'}"
        typer.echo(f"{letter.id}  {letter.at:%Y-%m-%d %H:%M:%S}Z  {about}  {letter.error_code}")
    typer.echo(f"{len(letters)} dead letter(s)")


def _list_set_aside(process_number: str | None, last: int) -> None:
    aside = set_aside.all_set_aside(process_number)
    for each in aside[-last:]:
        typer.echo(set_aside.line(each))
    if aside:
        typer.echo(f"{len(aside)} event(s) set aside by the outboxes")


@app.command()
def show(letter_id: str) -> None:
    """Show one dead letter: its headers, its reason, its value.

    Example: autos dead show document.dead/3/17
    """
    if set_aside.is_outbox_id(letter_id):
        typer.echo("\n".join(set_aside.show(letter_id)))
        return
    letter = _one(letter_id)
    record_reading("dead show", letter.case, letter.named("document_id"))
    typer.echo(f"{letter.id}  {letter.at.isoformat()}")
    typer.echo(f"reason: {letter.error_code}: {letter.error_message}")
    for name, value in letter.record.headers.items():
        typer.echo(f"  {name}: {value.decode('utf-8', 'replace')}")
    value = letter.record.value or b""
    typer.echo(value.decode("utf-8", "replace"))


@app.command()
def replay(
    letter_ids: Annotated[list[str] | None, typer.Argument(help="Ids as `autos dead list` shows them.")] = None,
    process_number: Annotated[str | None, typer.Option("--process", help="All documents of this case.")] = None,
) -> None:
    """Ask for the work again, as a first attempt.

    Example: autos dead replay document.dead/3/17
    """
    from shared.dead_letters.letters import NotReplayable, replayed
    from shared.errors import ProcessingError
    from shared.kafka.producer import Producer

    events = [letter_id for letter_id in letter_ids or () if set_aside.is_outbox_id(letter_id)]
    letters = [_one(letter_id) for letter_id in letter_ids or () if letter_id not in events]
    if process_number:
        letters += [letter for letter in _read("document.dead") if letter.case == process_number and letter.event]
    if events:
        typer.echo(f"{set_aside.replay(events)} event(s) are published again; a job that has ended keeps its end")
        if not letters:
            return
    if not letters:
        raise fail("nothing to replay: name ids, or --process", status=2)
    try:
        # The same document may have died several times: it is asked for once.
        records = list({(each.topic, each.headers["ce_subject"]): each for each in map(replayed, letters)}.values())
    except NotReplayable as error:
        raise fail(str(error)) from error
    bootstrap = setting("AUTOS_KAFKA_BOOTSTRAP_SERVERS", "kafka")
    producer = Producer(bootstrap, kafka_config())
    try:
        producer.send_blocking(records, 30.0)
    except ProcessingError as error:
        raise fail(f"Kafka at {bootstrap} did not take it: {error}", status=2) from error
    finally:
        producer.close()
    typer.echo(f"asked for {len(records)} again")
