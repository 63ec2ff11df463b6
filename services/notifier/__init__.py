"""The notifier: sends webhooks. It takes in ends of jobs and subscriptions, makes deliveries, and calls receivers.

Begin at ``worker`` (what runs in one process) and ``sending/dispatcher`` (the life of a delivery, from top to bottom).
``domain/`` has the rules, all pure: the state machine of a delivery, the retry schedule, breakers, queues, slots.
``intake/`` turns what arrives from Kafka into deliveries, ``sending/`` claims, prepares, calls and records, ``alerts/``
tells people. The contract with receivers is docs/reference/webhooks.md.

The invariant: a delivery is a row before it is anything else. It is sent at least once, by one process at a time (a
lease, fenced by a token), and its attempts end with the schedule (docs/adr/0009-notifier.md).
"""
