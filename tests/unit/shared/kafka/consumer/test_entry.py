"""What an entry remembers between two tries, and in which order held entries come back."""

from __future__ import annotations

from shared.kafka.consumer.assigned_partitions import AssignedPartition, Position
from shared.kafka.consumer.entry import TO_HANDLE, Dead, Entry, ToWrite
from shared.kafka.consumer.handling import Done
from shared.kafka.consumer.held_entries import HeldEntries
from shared.records import OutgoingRecord, Record

LETTER = OutgoingRecord("dead", b"k", b"v")


def entry(offset: int = 0) -> Entry:
    record = Record("work", 0, offset, b"k", b"v", {})
    return Entry(record, AssignedPartition(Position("work", 0, 0)), record, "group")


def test_an_answer_that_can_be_read_again_is_kept_for_the_next_try() -> None:
    kept = entry()
    kept.work = ToWrite(Done([LETTER]))
    kept.forget_used_answer()
    assert kept.work == ToWrite(Done([LETTER]))


def test_an_answer_that_can_be_read_once_is_made_again_by_the_handler() -> None:
    used = entry()
    used.work = ToWrite(Done(iter([LETTER])))
    used.forget_used_answer()
    assert used.work is TO_HANDLE


def test_a_record_that_is_given_up_stays_given_up_when_its_letter_is_made_again() -> None:
    dead = entry()
    error = LookupError()
    dead.work = Dead(LETTER, error, "poison", Done([LETTER]))
    dead.forget_used_answer()
    dead.answer_again()
    assert dead.work == Dead(LETTER, error, "poison", None)


def test_held_entries_come_back_when_they_are_due_the_first_held_first() -> None:
    held = HeldEntries()
    late, first, second = entry(1), entry(2), entry(3)
    for item, due in ((late, 9.0), (first, 5.0), (second, 5.0)):
        held.add(item, due)
    assert held.next_due() == 5.0
    assert held.pop(4.9) is None
    assert [held.pop(5.0), held.pop(5.0), held.pop(5.0)] == [first, second, None]
    assert held.drop(lambda item: item is late) == [late]
    assert (len(held), held.next_due(), held.pop(10.0)) == (0, None, None)
