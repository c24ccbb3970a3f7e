"""What jwturn costs beyond the raw primitive, beyond the interpreter, and per request: `python -m bench`."""
