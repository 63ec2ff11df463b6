"""What arrives from Kafka becomes deliveries.

``handlers`` is the way in; a batch of events is one transaction. Ends of jobs and subscriptions meet in whichever order they
come (``completion_rows``, ``request_rows``, ``registered_rows``), and every step can be repeated.
"""
