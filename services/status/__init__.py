"""Status: the projection of document.events into the schema ``progress``; says when a job has ended."""
