"""Providers of the key that wraps the keys."""
