"""The rules of deliveries and endpoints. Pure: no database, no clock, no network; the caller passes the time.

``delivery`` is the state machine, ``retry_policy`` the schedule, ``endpoint_health`` what is remembered over days,
``endpoint_breaker`` over seconds. ``endpoint_queues`` (with ``turns`` and ``slots``) says which delivery is next.
"""
