"""The seeded data: one generator per resource, and the world that holds them together."""
