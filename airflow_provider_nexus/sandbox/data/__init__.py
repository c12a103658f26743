"""The seeded data: what each resource's records are. The world puts them together."""
