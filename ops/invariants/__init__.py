"""What must hold between catalog, progress, delivery, S3 and topics: pure rules, the readers, and the check of all."""
