"""Conformance suites and a fake clock, public, so that others can prove their adapters."""
