"""The ASGI application that carries the service over HTTP."""
