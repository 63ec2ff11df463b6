"""The projection of document.events: pure rules, and the SQL that applies them."""
