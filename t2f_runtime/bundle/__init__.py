"""The bundle: what passes from the exporter to the runtime, in a folder or in one file."""
