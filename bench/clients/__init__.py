"""Clients of one JWKS beside each other, before one issuer on loopback: `python -m bench.clients`."""
