"""The ways to paginate through a collection without losing a record."""
