"""Status: the projection of document.events into the schema ``progress``; says when a job has ended.

Begin at ``worker`` (Faust reads, batches are written, offsets are committed after their transaction), then
``projection/project`` (the rules, pure) and ``projection/apply`` (the SQL). ``batch_writer`` turns records into one
transaction, ``rebuild`` makes the tables anew from the topic, ``faust_stream`` is everything that touches Faust.

The invariant: the rows are a function of the events alone. Any split of the same events into batches, any repeat and
any rebuild gives the same rows, and the end of a job is announced once (docs/adr/0008-projection.md).
"""
