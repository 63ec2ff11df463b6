"""Following a case: entity tags, long polls, streams of events.

``follower`` is the way in, ``changes`` wakes those who wait, ``stream_pages`` reads what is new, ``event_id`` says
where a stream goes on. One listening connection serves every waiter of a process; who waits holds no connection.
"""
