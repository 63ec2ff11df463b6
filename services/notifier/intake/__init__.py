"""What arrives from Kafka becomes deliveries.

``handlers`` is the way in; a batch of events is one transaction. Ends of jobs and subscriptions meet in whichever order
they come (``completion_rows``, ``request_rows``, ``registered_rows``), and a delivery's id follows from its
subscription, so that none is made twice.
"""
