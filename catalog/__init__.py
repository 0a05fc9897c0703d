"""The reference checkpoint catalog."""
