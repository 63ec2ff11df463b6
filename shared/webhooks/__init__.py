"""What the api and the notifier share about webhooks: types of events, their bodies, signatures, sealed headers.

Read ``event_type`` (what a type is), ``event_types/`` (one module each), ``registry`` (how they are found) and
``facts`` (what a body is made of). ``signing`` is Standard Webhooks, ``sealing`` keeps clients' own headers unreadable
in the database. The address guard and the request itself are in shared/http; the contract with receivers is
docs/reference/webhooks.md.

Nothing here knows the database or makes a request.
"""
