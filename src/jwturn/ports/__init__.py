"""Protocols of two or three methods: what the rooms above ask of the world."""
