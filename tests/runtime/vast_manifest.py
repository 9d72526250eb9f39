"""A manifest of pictures that no memory holds, larger than a real one may ask for."""


class VastManifest:
    """A manifest but for the size of its pictures: a few are more than processors can address.

    Args:
        manifest: Says all the rest.
    """

    image_size = 2**24

    def __init__(self, manifest):
        self._manifest = manifest

    def __getattr__(self, name):
        return getattr(self._manifest, name)
