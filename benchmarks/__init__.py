"""Speed, memory and start-up of the provider beside other ways to do the same: `make bench` writes docs/performance.rst."""
