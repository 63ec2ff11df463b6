"""Kafka as Autos uses it: records, one producer, one consumer runtime, topic administration."""
