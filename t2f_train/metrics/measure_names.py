"""What the measures of an evaluation are called, and what they mean in plain words."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class MeasureName:
    """How a measure is shown to people."""

    title: str
    explanation: str
    is_share: bool = False
    digits: int = 2

    def written(self, value: float) -> str:
        """The value as people read it: a share in per cent, else a number."""
        return f"{value:.1%}" if self.is_share else f"{value:.{self.digits}f}"


_NAMES = {
    "swd": MeasureName(
        "Sliced Wasserstein distance",
        "How far small patches of drawn faces are from those of photographs, averaged over "
        "scales. Lower is better; for photographs, it is the distance between two sets of them.",
    ),
    "ms_ssim": MeasureName(
        "Likeness between faces (MS-SSIM)",
        "How alike two faces of a set are. Well above the photographs' number, the model "
        "draws the same few faces again and again; noise lowers it, so lower is not better.",
        digits=3,
    ),
    "nearest_median": MeasureName(
        "Distance to the nearest training photograph, median",
        "Difference of pixels in levels of 255. Far below the photographs' number would mean "
        "copying; somewhat below is usual, since smooth pictures are near to everything.",
    ),
    "nearest_least": MeasureName(
        "Distance to the nearest training photograph, least",
        "The one face that is most alike a training photograph.",
    ),
    "faces": MeasureName(
        "Pictures with a face",
        "Share in which an independent face detector (MTCNN) finds a face. It says nothing about "
        "how good or varied the faces are.",
        is_share=True,
    ),
    "fid": MeasureName(
        "Fréchet inception distance (FID)",
        "Difference between drawn faces and training photographs in the eyes of a network that "
        "knows many things. Lower is better; compare only between equal counts.",
    ),
    "kid": MeasureName(
        "Kernel inception distance (KID)",
        "As FID, without its dependence on the count.",
        digits=4,
    ),
    "attributes": MeasureName(
        "Attribute accuracy",
        "How often a classifier sees what the description says, averaged over all things that "
        "descriptions say, each counting the same. Chance: in faces of any description.",
        is_share=True,
    ),
    "attributes_known": MeasureName(
        "Attribute accuracy, clear attributes",
        "The same over what the classifier tells well in photographs.",
        is_share=True,
    ),
    "r_precision": MeasureName(
        "R-precision",
        "How often a picture's own description is ranked first among 100, by a network that "
        "learned from training photographs which descriptions belong to them.",
        is_share=True,
    ),
}


def name_of(key: str) -> MeasureName:
    """The name of a measure by its key in JSON."""
    level = key.removeprefix("swd_")
    if level != key:
        return MeasureName(
            f"Sliced Wasserstein distance at {level} pixels",
            "Patches at this scale alone: coarse ones tell of composition, fine ones of texture.",
        )
    return _NAMES[key]
