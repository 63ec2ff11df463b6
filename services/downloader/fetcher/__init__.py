"""The fetcher: brings one document from the source into the object store.

Begin at ``handler``; ``transfer`` is the way of the bytes (``spool`` between source and store, ``document_store`` and
``duplicates`` at its end), ``endings`` the records that follow, ``outage_waits`` the waiting while the source is away.

The invariant: a document is stored whole or not at all, and memory does not grow with its size.
"""
