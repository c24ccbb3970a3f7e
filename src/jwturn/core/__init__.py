"""The rules of jwturn, pure: no input or output, no clock, no randomness."""
