"""The consumer runtime: reads records, handles each at least once, commits only what is finished.

Read ``runtime`` first (the contract and a record's way through the modules), then ``handling`` (what a service brings),
``entry`` (the stages of a record) and ``committable_offsets`` (what makes an offset committable). ``poll_thread``,
``rebalance`` and ``commits`` run in the poll thread; everything else runs on the event loop. Design and measurements
are in docs/adr/0004-consumer-runtime.md.
"""
