"""What must hold between catalog, progress, delivery, S3 and topics: pure rules, the readers, and the check of all.

Begin at ``check`` (one look at everything, and a second that clears what was only on its way). The rules are pure:
``jobs``, ``deliveries``, ``objects``, ``groups``, each of which yields ``findings``. The readers are ``database``,
``store`` and ``topics``.

The invariant: it reads only, and reports no work that is merely under way (``findings.Patience``).
"""
