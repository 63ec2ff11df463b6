"""The gate before a source: who may ask it now, and whether a failure is an outage or a bad case.

gate.py                the waiting: slots, pauses, what is logged
admission.py           the decision: who of the queue may ask now
case_queue.py          cases take turns; case_health.py says which of them fail
adaptive_limit.py      how much at once; breaker.py and pauses.py: nothing at all for a while
read_timeouts.py       how long a first try may stay silent
outage_evidence.py     what failures and answers say; control_request.py asks where they do not tell

Only gate.py, slot.py and the two control_* modules run on the event loop; the rest is pure, with the clock given. The
invariant: a request is never turned away, it waits; and no document is blamed for an outage of its source
(docs/adr/0016-outage-or-bad-case.md).
"""
