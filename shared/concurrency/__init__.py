"""Small tools for coroutines that two services share: batches, outages, task groups, waits.

None of them knows Kafka, the database or HTTP, and none is thread-safe.
"""
