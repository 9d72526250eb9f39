"""Pictures: their arrays and memory, their files, what those say, and contact sheets."""
