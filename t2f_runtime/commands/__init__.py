"""The commands of the runtime: each parses, calls one function and prints its result."""
