"""Commands of the server's shell: ``python -m api …``. Nothing of it is imported by the API."""
