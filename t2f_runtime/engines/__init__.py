"""Engines: what can run a bundle's networks on this machine, and how one is picked."""
