"""Changes the manifest of a bundle that is there, and the model card, which tells of it."""

import hashlib
from pathlib import Path

import msgspec

from t2f_export.model_card import model_card
from t2f_runtime.atomic_files import write_atomically
from t2f_runtime.bundle.manifest import MANIFEST, MODEL_CARD, FileEntry, Manifest, encode_manifest


def file_entry(content: bytes) -> FileEntry:
    """What a manifest says of a file."""
    return FileEntry(bytes=len(content), sha256=hashlib.sha256(content).hexdigest())


def write_with_card(path: Path, manifest: Manifest) -> Manifest:
    """Writes a manifest into a bundle, and the card that goes with it.

    For a moment the manifest lists no card: what interrupts this leaves a bundle that opens.

    Args:
        path: The bundle's folder.
        manifest: What it is to say.

    Returns:
        The same with the new card among its files.

    Raises:
        OSError: The bundle cannot be written.
    """
    without = {name: entry for name, entry in manifest.files.items() if name != MODEL_CARD}
    bare = msgspec.structs.replace(manifest, files=without)
    card = model_card(bare).encode()
    complete = msgspec.structs.replace(bare, files={**without, MODEL_CARD: file_entry(card)})
    write_atomically(path / MANIFEST, encode_manifest(bare))
    write_atomically(path / MODEL_CARD, card)
    write_atomically(path / MANIFEST, encode_manifest(complete))
    return complete
