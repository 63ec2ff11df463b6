"""What is shown of a dead letter: what it is about and why it was given up, and nothing of what it carries. Pure."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any, Final

from services.api.dead_letters.places import Letter
from shared.clock import rfc3339
from shared.dead_letters.letters import DeadLetter
from shared.outbox.inspection import SetAside

_MESSAGE: Final = 500
_NUMBER: Final = re.compile(r"\d{7}-\d{2}\.\d{4}\.\d\.\d{2}\.\d{4}", re.ASCII)


def of_letter(letter: DeadLetter) -> Letter:
    """A record of a dead topic, or a row of what the projection could not apply. Its value is not kept."""
    about = {name: letter.named(name) for name in ("job_id", "document_id", "delivery_id")}
    view = {
        **_common(letter.id, letter.record.topic, letter.at, letter.case),
        **about,
        "error_code": letter.error_code,
        "error_message": letter.error_message[:_MESSAGE],
        "replayable": letter.event is not None,
    }
    return Letter(letter.record.offset, letter.at, view)


def of_set_aside(event: SetAside) -> Letter:
    """An event of an outbox that the broker would not take."""
    view = {
        **_common(event.id, f"outbox/{event.schema}", event.at, event.key),
        **dict.fromkeys(("job_id", "document_id", "delivery_id")),
        "error_code": event.reason,
        "error_message": f"{event.type} for {event.topic}, {event.bytes} bytes",
        "replayable": True,
    }
    return Letter(event.seq, event.at, view)


def _common(letter_id: str, topic: str, at: datetime, case: str | None) -> dict[str, Any]:
    number = case if case is not None and _NUMBER.fullmatch(case) else None
    return {"id": letter_id, "topic": topic, "at": rfc3339(at), "process_number": number}
