"""The worker's share of each source, and what all workers must know of it at once.

``connected_sources`` puts a source together with its gate, heartbeat and alarms. ``request_share`` (pure) divides the
limit, ``worker_heartbeat`` tells the others of pauses, ``forbidden_source`` (pure) and ``forbidden_watch`` find out
that a firewall forbids everything.

The invariant: all workers together have no more requests open at a source than AUTOS_SOURCE_CONCURRENCY, where there
are no more workers than that; each has one at least.
"""
