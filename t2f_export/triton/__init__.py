"""Model repositories for the Triton inference server."""
