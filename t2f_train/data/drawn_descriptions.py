"""Describes drawn faces: what can be seen of them, in the words of `description_grammar`."""

from collections.abc import Iterator

import numpy as np

from t2f_train.data.description_grammar import Chance, Person, Trait, compose
from t2f_train.data.drawn_attributes import FaceAttributes

_AGES = {
    "young": ("young",),
    "middle-aged": ("middle-aged", "middle aged"),
    "old": ("old", "elderly", "older"),
}
_SKINS = {
    "fair": ("fair", "light", "pale"),
    "tan": ("tanned", "light brown"),
    "brown": ("brown",),
    "dark": ("dark", "dark brown"),
}
_HAIR_COLOURS = {
    "black": ("black",),
    "dark brown": ("dark brown",),
    "brown": ("brown",),
    "blond": ("blond", "blonde"),
    "red": ("red", "ginger"),
    "grey": ("grey", "gray"),
    "white": ("white",),
}
_HATS = {
    "cap": ("{colour} cap", "{colour} baseball cap"),
    "beanie": ("{colour} beanie", "{colour} knitted hat", "{colour} woolly hat"),
    "brimmed": ("{colour} hat", "{colour} hat with a brim"),
}


def describe(attributes: FaceAttributes, rng: np.random.Generator) -> str:
    """Describes a drawn face: each call differs in what it mentions, in wording and in form.

    Only what is visible is mentioned: no hair under a beanie, no eyes behind sunglasses.

    Args:
        attributes: What is true of the face.
        rng: Makes the choices.

    Returns:
        One or more sentences or fragments, such as "An old man with a white beard."
    """
    chance = Chance(rng)
    return compose(_person(attributes, chance), tuple(traits(attributes)), chance)


def traits(attributes: FaceAttributes) -> Iterator[Trait]:
    """Everything that may be said of a face, but for sex and age, which are in the noun."""
    yield from _hair(attributes)
    yield from _head(attributes)
    yield from _face(attributes)
    yield from _worn(attributes)
    yield from _facial_hair(attributes)
    yield from _mouth(attributes)


def _person(attributes: FaceAttributes, chance: Chance) -> Person:
    is_woman = attributes.sex == "woman"
    he, his, sex = ("she", "her", "female") if is_woman else ("he", "his", "male")
    if attributes.age == "child":
        noun = chance.pick(("girl", "girl", "young girl") if is_woman else ("boy", "young boy"))
        return Person(noun, f"{sex} child", "", he, his)
    nouns = ("woman", "woman", "lady") if is_woman else ("man", "man", "man", "guy")
    age = chance.pick(_AGES[attributes.age]) if chance.happens(0.75) else ""
    return Person(chance.pick(nouns), sex, age, he, his)


def _hair(attributes: FaceAttributes) -> Iterator[Trait]:
    if not attributes.is_hair_visible:
        if attributes.hat == "none":
            yield Trait(weight=3.0, before=("bald",), has=("a bald head", "no hair"))
        return
    # "Blonde" is for women, as most people write it.
    colours = [
        colour
        for colour in _HAIR_COLOURS[attributes.hair_colour]
        if colour != "blonde" or attributes.sex == "woman"
    ]
    lengths = _hair_lengths(attributes)
    wordings = [f"{colour} hair" for colour in colours]
    for word in (*lengths, attributes.hair_texture):
        wordings += [f"{word} {colour} hair" for colour in colours] + [f"{word} hair"]
    wordings += [
        f"{length} {attributes.hair_texture} {colour} hair"
        for length in lengths
        for colour in colours
    ]
    adjectives = tuple(f"{colour}-haired" for colour in colours if " " not in colour)
    yield Trait(weight=3.5, after=adjectives, has=tuple(wordings))
    if attributes.hair_length == "receding" and attributes.is_hair_length_visible:
        yield Trait(weight=1.2, has=("a receding hairline", "thinning hair", "receding hair"))
    if attributes.is_hair_tied:
        yield Trait(weight=1.5, has=_TIED_HAIR[attributes.hair_arrangement])
    if attributes.is_hair_front_visible and attributes.hair_front == "fringe":
        yield Trait(weight=0.8, has=("a fringe", "bangs"))


_TIED_HAIR = {
    "loose": (),
    "bun": ("{his} hair in a bun", "a bun", "hair tied up in a bun"),
    "ponytail": ("a ponytail", "{his} hair in a ponytail", "a pony tail"),
}


def _hair_lengths(attributes: FaceAttributes) -> tuple[str, ...]:
    if not attributes.is_hair_length_visible or attributes.is_hair_tied:
        return ()
    return {
        "bald": (),
        "receding": ("short",),
        "cropped": ("very short", "cropped"),
        "short": ("short",),
        "shoulder-length": ("shoulder-length", "medium-length"),
        "long": ("long",),
    }[attributes.hair_length]


def _head(attributes: FaceAttributes) -> Iterator[Trait]:
    skin = _SKINS[attributes.skin]
    yield Trait(
        weight=2.0,
        after=tuple(f"{word.split()[-1]}-skinned" for word in skin[:1] if word != "tanned"),
        has=tuple(f"{word} {noun}" for word in skin for noun in ("skin", "complexion"))[::2],
    )
    shape = {"heart": "heart-shaped"}.get(attributes.face_shape, attributes.face_shape)
    article = "an" if shape[0] in "aeiou" else "a"
    yield Trait(weight=0.5, share=0.4, has=(f"{article} {shape} face",))
    background = attributes.background
    yield Trait(
        weight=1.4,
        has=(
            f"{'an' if background[0] in 'aeiou' else 'a'} {background} background",
            f"{'an' if background[0] in 'aeiou' else 'a'} {background} wall behind",
        ),
    )


def _face(attributes: FaceAttributes) -> Iterator[Trait]:
    if attributes.eyebrows != "medium":
        thick = ("thick eyebrows", "bushy eyebrows")
        thin = ("thin eyebrows", "fine eyebrows")
        yield Trait(weight=0.6, share=0.4, has=thick if attributes.eyebrows == "thick" else thin)
    if attributes.are_eyes_visible:
        yield Trait(weight=0.7, share=0.4, has=(f"{attributes.eye_colour} eyes",))
        if attributes.eye_form != "almond":
            yield Trait(weight=0.4, share=0.4, has=(f"{attributes.eye_form} eyes",))
    if attributes.nose != "average":
        yield Trait(weight=0.5, share=0.4, has=(f"a {attributes.nose} nose",))


def _worn(attributes: FaceAttributes) -> Iterator[Trait]:
    match attributes.glasses:
        case "sunglasses":
            dark = ("sunglasses", "dark glasses", "sun glasses")
            yield Trait(weight=2.5, wears=dark)
        case "round" | "square" as form:
            plain = ("glasses", "spectacles", "glasses", f"{form} glasses")
            yield Trait(weight=2.2, wears=plain)
        case "none":
            yield Trait(weight=0.15, share=0.3, has=("no glasses",))
    if attributes.hat != "none":
        wordings = [w.format(colour=attributes.hat_colour) for w in _HATS[attributes.hat]]
        plain_hat = "a cap" if attributes.hat == "cap" else "a hat"
        yield Trait(weight=2.5, wears=(*(f"a {wording}" for wording in wordings), plain_hat))
    match attributes.earrings:
        case "pearls":
            yield Trait(weight=0.9, wears=("earrings", "pearl earrings", "ear rings"))
        case "hoops":
            yield Trait(weight=0.9, wears=("earrings", "hoop earrings", "gold hoops"))
        case "none":
            pass
    if attributes.lipstick:
        yield Trait(weight=0.6, wears=("lipstick", "red lipstick"))
    yield Trait(
        weight=0.7,
        share=0.4,
        wears=(f"{attributes.clothes_colour} clothes", f"something {attributes.clothes_colour}"),
    )


def _facial_hair(attributes: FaceAttributes) -> Iterator[Trait]:
    colour = _HAIR_COLOURS[attributes.hair_colour][0]
    match attributes.facial_hair:
        case "full beard":
            beards = ("a beard", "a full beard", f"a {colour} beard", "a beard")
            yield Trait(weight=2.2, before=("bearded",), has=beards)
        case "moustache":
            moustaches = ("a moustache", "a mustache", f"a {colour} moustache")
            yield Trait(weight=2.2, has=moustaches)
        case "goatee":
            yield Trait(weight=2.0, has=("a goatee", f"a {colour} goatee"))
        case "stubble":
            yield Trait(weight=1.2, before=("unshaven",), has=("stubble", "some stubble"))
        case "none":
            if attributes.sex == "man" and attributes.age != "child":
                yield Trait(weight=0.4, share=0.5, before=("clean-shaven",), has=("no beard",))


def _mouth(attributes: FaceAttributes) -> Iterator[Trait]:
    match attributes.mouth:
        case "smiling":
            yield Trait(weight=1.6, before=("smiling",), has=("a smile",), being=("smiling",))
        case "grinning":
            broad = ("a big smile", "a broad grin", "a wide smile")
            yield Trait(weight=1.8, before=("smiling",), has=broad, being=("grinning", "smiling"))
        case "open":
            yield Trait(weight=1.4, has=("an open mouth", "{his} mouth open"))
        case "frowning":
            yield Trait(weight=1.2, has=("a frown",), being=("frowning", "sad"))
        case "neutral":
            serious = ("serious", "not smiling")
            yield Trait(weight=0.5, share=0.6, before=("serious",), being=serious)
    if attributes.lips != "medium" and attributes.mouth in ("neutral", "smiling", "frowning"):
        yield Trait(weight=0.4, share=0.4, has=(f"{attributes.lips} lips",))
