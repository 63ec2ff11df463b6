"""HTTP as both sides need it: the guarded dialler of webhooks, headers that are parsed in more than one place."""
