"""The transactional outbox: events written with their cause in one transaction, published by a relay."""
