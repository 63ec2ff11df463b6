"""A request for a case: decided, read at the source, stored, started.

Begin at ``service`` (look, read, commit), then ``decisions`` (pure: what a request leads to), ``transactions`` (the two
transactions), ``source_reader`` (one reading for all who ask at once), ``snapshot`` (what a decision is made by).

The invariant: equal requests join one job, however many come at once, and the source is read outside of any transaction
(docs/adr/0006-api.md).
"""
