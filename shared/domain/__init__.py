"""What a case is to every service: its number, its secrecy, the views of it."""
