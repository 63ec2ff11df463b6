"""Who read what: each answer with something of a case is recorded before it leaves, and operators read the record."""
