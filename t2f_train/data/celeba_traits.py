"""What CelebA's attributes let one say truthfully about a face: traits and their wordings.

Two attributes never become words: Attractive is an opinion, Blurry is about the photograph.
"""

from collections.abc import Iterator, Set
from functools import lru_cache

from t2f_train.data.description_grammar import Trait

ATTRIBUTES = (
    "5_o_Clock_Shadow",
    "Arched_Eyebrows",
    "Attractive",
    "Bags_Under_Eyes",
    "Bald",
    "Bangs",
    "Big_Lips",
    "Big_Nose",
    "Black_Hair",
    "Blond_Hair",
    "Blurry",
    "Brown_Hair",
    "Bushy_Eyebrows",
    "Chubby",
    "Double_Chin",
    "Eyeglasses",
    "Goatee",
    "Gray_Hair",
    "Heavy_Makeup",
    "High_Cheekbones",
    "Male",
    "Mouth_Slightly_Open",
    "Mustache",
    "Narrow_Eyes",
    "No_Beard",
    "Oval_Face",
    "Pale_Skin",
    "Pointy_Nose",
    "Receding_Hairline",
    "Rosy_Cheeks",
    "Sideburns",
    "Smiling",
    "Straight_Hair",
    "Wavy_Hair",
    "Wearing_Earrings",
    "Wearing_Hat",
    "Wearing_Lipstick",
    "Wearing_Necklace",
    "Wearing_Necktie",
    "Young",
)
"""CelebA's attributes, in its order."""


# Attributes that are worded without a look at any other.
_ALONE = {
    "Bags_Under_Eyes": Trait(
        weight=0.5, has=("bags under {his} eyes", "bags under the eyes", "eye bags")
    ),
    "Big_Lips": Trait(weight=0.5, has=("full lips", "big lips")),
    "Chubby": Trait(weight=0.6, has=("a full face", "full cheeks")),
    "Double_Chin": Trait(weight=0.6, has=("a double chin",)),
    "Eyeglasses": Trait(
        weight=2.0, has=("glasses",), wears=("glasses", "eyeglasses", "spectacles")
    ),
    "Goatee": Trait(weight=1.2, has=("a goatee",)),
    "Heavy_Makeup": Trait(weight=0.8, wears=("heavy make-up", "heavy makeup", "lots of make-up")),
    "High_Cheekbones": Trait(weight=0.3, has=("high cheekbones", "high cheek bones")),
    "Mustache": Trait(weight=1.5, has=("a moustache", "a mustache")),
    "Narrow_Eyes": Trait(weight=0.6, has=("narrow eyes",)),
    "Oval_Face": Trait(weight=0.4, has=("an oval face", "an oval-shaped face")),
    "Pale_Skin": Trait(weight=0.8, after=("pale",), has=("pale skin", "a pale complexion")),
    "Rosy_Cheeks": Trait(weight=0.7, has=("rosy cheeks", "pink cheeks")),
    "Sideburns": Trait(weight=0.8, has=("sideburns", "side burns", "sideburns")),
    "Wearing_Earrings": Trait(weight=0.8, has=("earrings",), wears=("earrings", "ear rings")),
    "Wearing_Hat": Trait(weight=2.0, wears=("a hat",)),
    "Wearing_Lipstick": Trait(weight=0.4, wears=("lipstick",)),
    "Wearing_Necklace": Trait(weight=0.6, wears=("a necklace",)),
    "Wearing_Necktie": Trait(weight=0.9, wears=("a tie", "a necktie")),
}

# Colours by the flags that are set; any other set of flags says nothing clear about the colour.
_HAIR_COLOURS = {
    frozenset({"Black_Hair"}): ("black", "black", "dark"),
    frozenset({"Blond_Hair"}): ("blond", "blonde", "fair"),
    frozenset({"Brown_Hair"}): ("brown",),
    frozenset({"Gray_Hair"}): ("grey", "gray"),
    frozenset({"Black_Hair", "Brown_Hair"}): ("dark brown", "dark"),
    frozenset({"Blond_Hair", "Brown_Hair"}): ("light brown", "dark blond"),
    frozenset({"Black_Hair", "Gray_Hair"}): ("greying black", "graying dark"),
    frozenset({"Brown_Hair", "Gray_Hair"}): ("greying brown", "graying brown"),
    frozenset({"Blond_Hair", "Gray_Hair"}): ("greying blond", "graying blond"),
}

_FACIAL_HAIR = frozenset({"5_o_Clock_Shadow", "Goatee", "Mustache", "Sideburns"})


@lru_cache(maxsize=64)  # an image's descriptions are written one after the other
def traits(attributes: frozenset[str]) -> tuple[Trait, ...]:
    """Everything that may be said of a face with these attributes, most of it optional.

    Sex and age are not among the traits: they are in the noun, as in "young man".

    Args:
        attributes: CelebA's names of those that are present.
    """
    return (
        *(trait for name, trait in _ALONE.items() if name in attributes),
        *_hair(attributes),
        *_beard(attributes),
        *_expression(attributes),
        *_features(attributes),
        *_absences(attributes),
    )


def _hair(attributes: Set[str]) -> Iterator[Trait]:
    if "Bald" in attributes:
        yield Trait(weight=3.0, before=("bald",), has=("a bald head",), being=("bald",))
        return
    colours = _hair_colours(attributes)
    textures = _hair_textures(attributes)
    wordings = [f"{texture} {colour} hair" for texture in textures for colour in colours]
    wordings += [f"{word} hair" for word in (*colours, *textures)]
    if wordings:
        blond = tuple(colour for colour in colours if colour.startswith("blond"))
        single = tuple(f"{colour}-haired" for colour in colours if " " not in colour)
        yield Trait(weight=3.0, after=blond + single, has=tuple(wordings))
    if "Bangs" in attributes:
        yield Trait(weight=0.8, has=("bangs", "a fringe"))
    if "Receding_Hairline" in attributes:
        yield Trait(weight=1.0, has=("a receding hairline", "receding hair"))


def _hair_colours(attributes: Set[str]) -> tuple[str, ...]:
    flags = {"Black_Hair", "Blond_Hair", "Brown_Hair", "Gray_Hair"}.intersection(attributes)
    colours = _HAIR_COLOURS.get(frozenset(flags), ())
    # "Blonde" is for women, as most people write it.
    return tuple(c for c in colours if c != "blonde" or "Male" not in attributes)


def _hair_textures(attributes: Set[str]) -> tuple[str, ...]:
    if "Straight_Hair" in attributes:
        return () if "Wavy_Hair" in attributes else ("straight",)
    return ("wavy",) if "Wavy_Hair" in attributes else ()


def _beard(attributes: Set[str]) -> Iterator[Trait]:
    """Beard, stubble, or that there is none.

    CelebA unsets No_Beard for a goatee, stubble or a mere moustache too: of the men for whom it
    names one of these, few have a beard besides. So a beard is mentioned where it names none.
    """
    if "5_o_Clock_Shadow" in attributes:
        yield Trait(
            weight=0.9,
            before=("unshaven",),
            has=("stubble", "a five o'clock shadow", "light stubble", "some stubble"),
            being=("unshaven",),
        )
    if "No_Beard" not in attributes:
        if {"5_o_Clock_Shadow", "Goatee", "Mustache"}.isdisjoint(attributes):
            yield Trait(weight=2.0, before=("bearded",), has=("a beard", "a beard", "facial hair"))
    elif "Male" in attributes and _FACIAL_HAIR.isdisjoint(attributes):
        yield Trait(
            weight=0.6,
            share=0.4,
            before=("clean-shaven",),
            has=("no beard",),
            being=("clean-shaven", "clean shaven"),
        )


def _expression(attributes: Set[str]) -> Iterator[Trait]:
    is_open = "Mouth_Slightly_Open" in attributes
    if "Smiling" not in attributes:
        if is_open:
            yield Trait(weight=0.5, has=("a slightly open mouth", "slightly parted lips"))
    elif is_open:
        yield Trait(
            weight=2.0,
            before=("smiling",),
            has=("a smile", "an open smile", "an open-mouthed smile"),
            being=("smiling", "smiling", "smiling with {his} mouth slightly open"),
        )
    else:
        yield Trait(weight=2.0, before=("smiling",), has=("a smile",), being=("smiling",))


def _features(attributes: Set[str]) -> Iterator[Trait]:
    """Nose and eyebrows, of which CelebA has two attributes each."""
    if {"Big_Nose", "Pointy_Nose"}.issubset(attributes):
        yield Trait(weight=0.6, has=("a large, pointed nose", "a large nose", "a pointed nose"))
    elif "Big_Nose" in attributes:
        yield Trait(weight=0.6, has=("a large nose", "a big nose"))
    elif "Pointy_Nose" in attributes:
        yield Trait(weight=0.4, has=("a pointed nose", "a pointy nose"))
    if {"Arched_Eyebrows", "Bushy_Eyebrows"}.issubset(attributes):
        yield Trait(weight=0.6, has=("bushy, arched eyebrows", "thick eyebrows", "arched eyebrows"))
    elif "Bushy_Eyebrows" in attributes:
        yield Trait(weight=0.6, has=("bushy eyebrows", "thick eyebrows"))
    elif "Arched_Eyebrows" in attributes:
        yield Trait(weight=0.4, has=("arched eyebrows",))


def _absences(attributes: Set[str]) -> Iterator[Trait]:
    """That something common is not there, which is rarely worth a word."""
    if "Smiling" not in attributes:
        yield Trait(weight=0.5, share=0.15, being=("not smiling",))
    if "Eyeglasses" not in attributes:
        yield Trait(weight=0.5, share=0.04, wears=("no glasses",))
