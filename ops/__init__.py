"""What operators run, beside the services: the ``autos`` command calls it, and ``python -m ops.provision``.

``provision`` prepares database, broker and bucket; ``migrations/`` are numbered and run by it. ``invariants/`` compares
everything with everything (``autos doctor --deep``), ``repair`` asks again for what that found, ``clients`` makes API
keys. ``topic_access`` and ``storage_access`` say what each service may do at the broker and the store.

The invariant: whatever is here may be run again, and on a live system; only ``provision`` and ``clients`` write tables.
"""
