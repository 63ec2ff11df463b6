"""Deleting a case with everything that is kept of it, and the certificate of that (docs/adr/0039-deletion.md).

- ``order_rows``: the transaction from whose commit on the case is as never asked for, and the catalog's own part
- ``service``: orders, waits for the end, finishes what was left, shows certificates
- ``retention``: orders what is too old
- ``routes``, ``schemas``: the HTTP side

What the other services have is removed by themselves (shared/deletion.py): this one only reads how far they are.
"""
