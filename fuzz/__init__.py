"""Fuzzing: targets that any bytes may be thrown at, and the atheris runs behind `make fuzz`."""
