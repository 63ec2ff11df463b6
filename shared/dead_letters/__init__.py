"""What was given up, as an operator sees it: read from the dead topics and the projection's table, and sent again."""
