"""How long a bundle's faces take on this machine, in every engine and precision that runs here."""
