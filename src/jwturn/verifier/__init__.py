"""Check a token against an issuer's published keys."""
