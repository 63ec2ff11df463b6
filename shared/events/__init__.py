"""The events of Autos: one Pydantic model an event, one file a topic; schemas and AsyncAPI come from them."""
