"""Pictures as answers hold them."""

from PIL import Image

from t2f_runtime.pictures.facts import PictureFacts
from t2f_runtime.pictures.files import encode_picture
from t2f_runtime.service.job import Pictures
from t2f_runtime.service.messages import PictureFormat


def encode_pixels(picture: Pictures, kind: PictureFormat, facts: PictureFacts) -> bytes:
    """Gives a picture's file, or its pixels alone.

    Args:
        picture: Shape `(height, width, 3)`, uint8, RGB.
        kind: Which of the two.
        facts: What the file says about itself.
    """
    if kind == "rgb":
        return picture.tobytes()
    return encode_picture(Image.fromarray(picture), "PNG", facts.notes())
