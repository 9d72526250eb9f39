"""Chooses the reader of a data set by its name in the configuration."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

from t2f_train.data.captioned_face import CaptionedFace
from t2f_train.data.celeba import read_celeba
from t2f_train.data.coco import read_coco
from t2f_train.data.face2text import read_face2text
from t2f_train.data.flickr8k import read_flickr8k
from t2f_train.data.image_folder import read_image_folder, read_images, read_partly_captioned
from t2f_train.data.lfw import read_lfw
from t2f_train.data.webdataset import read_webdataset

ReaderName = Literal[
    "face2text",
    "celeba",
    "folder",
    "partly-captioned",
    "images",
    "lfw",
    "coco",
    "flickr8k",
    "webdataset",
]
"""Layouts of data sets that can be read."""

_READERS: Mapping[ReaderName, Callable[[Path], list[CaptionedFace]]] = {
    "face2text": read_face2text,
    "celeba": read_celeba,
    "folder": read_image_folder,
    "partly-captioned": read_partly_captioned,
    "images": read_images,
    "lfw": read_lfw,
    "coco": read_coco,
    "flickr8k": read_flickr8k,
    "webdataset": read_webdataset,
}


def read_faces(reader: ReaderName, folder: Path) -> list[CaptionedFace]:
    """Reads a data set.

    Args:
        reader: Its layout.
        folder: Where it is.

    Returns:
        Its faces, one or more, in an order that is the same on every machine. Those that `images`
        and `lfw` read have no descriptions, and so have some that `partly-captioned` reads.

    Raises:
        DataError: With everything that is missing or broken in the data set.
    """
    return _READERS[reader](folder)
