"""HTTP as the api and the notifier need it: the guarded request of webhooks, and headers parsed in more than one place.

In the order of a webhook's request: ``guard`` reads and judges the URL (``addresses`` and ``special_purpose`` say which
addresses are public), ``lookups`` resolves the name, ``dial`` makes the request over a ``connection`` whose bytes are
``wire``'s, and ``answer`` reads what comes back. ``retry_after`` and ``disposition`` are pure parsers.

The invariant: the address that was checked is the address that is dialled, and everything that a receiver sends is
bounded (docs/reference/limits.md, "Answers of webhook receivers").
"""
