"""The planner: makes a job's plan and requests its documents.

Begin at ``handler``. The decision is in ``plan`` (with ``needed_documents`` and ``windows``, which are pure), the SQL
in ``plan_rows``, the reading of the case in ``discovery``, the transaction in ``transactional_sink``. ``plan_upkeep``
asks again for what a lost record should have asked for.

The invariant: a job is planned once in effect. Its records and the request's offset are one Kafka transaction, and a
large plan is kept as it was decided (docs/adr/0017-windows.md).
"""
