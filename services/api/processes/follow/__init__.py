"""Following a case: entity tags, long polls, streams of events."""
