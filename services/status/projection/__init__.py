"""The projection of document.events: pure rules, and the SQL that applies them.

``project`` has the rules, ``rows`` what they work on, ``apply`` locks, loads and writes, ``statements`` is the SQL,
``urgency`` knows which event may end a job and should not wait for others.
"""
