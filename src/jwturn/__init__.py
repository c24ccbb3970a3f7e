"""Make, keep, publish and turn the keys that sign JSON Web Tokens, without one good token being refused."""

__version__ = "0.1.0"

__all__ = ["__version__"]
