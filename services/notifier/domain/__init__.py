"""The rules of deliveries and endpoints. Pure."""
