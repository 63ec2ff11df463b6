"""A delivery from its claim to its recorded attempt.

Begin at ``dispatcher``, whose docstring has the phases in order. Files that end in ``_rows`` have the SQL. Between
claim and record nothing is held but the lease.
"""
