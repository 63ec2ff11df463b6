"""What arrives from Kafka becomes deliveries."""
