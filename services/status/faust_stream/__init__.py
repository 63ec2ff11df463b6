"""Everything that touches Faust and its Kafka driver."""
