"""The downloader: plans jobs, fetches their documents from the courts' platforms, stores them.

Begin at ``worker`` (everything that one process is made of). ``planner/`` answers ProcessRequested with a job's
DocumentRequested records, in one Kafka transaction; ``fetcher/`` brings one document after the other into the object
store, at least once; ``source_share/`` keeps all workers together under the limit of a source. ``retry_policy`` decides
what follows from a failure, ``event_records`` makes every record.

The invariant: every document of a plan comes to an end for its job, available or failed, whatever breaks; and an outage
of a source, the store or the database spends no attempt (docs/adr/0007-downloader.md).
"""
