"""The transactional outbox: events written with their cause in one transaction, published by a relay.

Read ``write`` (what the code of a service calls), ``relay`` (the one thread that publishes), ``publishing`` (what
becomes of a batch), ``rows`` (the SQL). ``inspection`` is what commands, probes and alerts see.

The invariant: an event is published if and only if its transaction was committed, at least once, in the order of its
row within its topic and key. A row that the broker will never take is set aside with its reason and stays until an
operator replays it; it never stands in the others' way (docs/adr/0020-events-set-aside.md).
"""
