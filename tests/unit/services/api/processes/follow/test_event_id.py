"""The id of an event, from which a stream goes on."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from services.api.processes.follow.event_id import EventId


@given(st.text(max_size=60))
def test_a_foreign_event_id_begins_at_the_beginning(text: str) -> None:
    parsed = EventId.parse(text)
    assert parsed is None or parsed.version >= 0
    assert EventId.parse(str(EventId("job", 3, 1.5))) == EventId("job", 3, 1.5)
