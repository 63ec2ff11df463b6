"""Deleting a case with everything that is kept of it, and the certificate of that (docs/adr/0039-deletion.md)."""
