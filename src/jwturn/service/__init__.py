"""Use cases: rotate, sign, publish, and a person's commands."""
