"""The only room that imports cryptography: make, import, sign, verify and seal keys."""
