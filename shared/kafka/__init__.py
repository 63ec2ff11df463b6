"""Kafka as this product uses it: the client properties, the one producer of a process, topics, the consumer runtime.

Start with ``config`` (what every client must have alike), then ``producer``. ``consumer/`` is the runtime of planner,
fetcher and notifier; ``admin`` is for operators and provisioning. The status service reads with Faust instead
(services/status/faust_stream, docs/adr/0023-faust-stays.md).

What every module here keeps: nothing counts as written before all in-sync replicas have acknowledged it, and nothing
counts as read before what follows from it is written.
"""
