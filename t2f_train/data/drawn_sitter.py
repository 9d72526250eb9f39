"""The person in front of the easel: all that drawing a face looks at."""

from dataclasses import dataclass

from t2f_train.data.drawn_attributes import FaceAttributes
from t2f_train.data.drawn_geometry import FaceGeometry
from t2f_train.data.drawn_layout import HeadLayout, lay_out
from t2f_train.data.drawn_palette import Palette, palette_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Sitter:
    """One face: what can be said of it, and the measures and colours that follow."""

    attributes: FaceAttributes
    geometry: FaceGeometry
    layout: HeadLayout
    palette: Palette

    @property
    def lit(self) -> int:
        """The side that the light comes from: 1 right, -1 left."""
        return 1 if self.geometry.light > 0 else -1


def seat(attributes: FaceAttributes, geometry: FaceGeometry) -> Sitter:
    """Measures and colours a face."""
    return Sitter(
        attributes=attributes,
        geometry=geometry,
        layout=lay_out(attributes, geometry),
        palette=palette_of(attributes, geometry),
    )
