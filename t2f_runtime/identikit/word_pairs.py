"""Pairs of descriptions that differ in one thing, and sets of them, for sliders and locks."""

from dataclasses import dataclass

from t2f_runtime.errors import ArgumentError
from t2f_runtime.identikit.given import check_text

_FOLLOWING = frozenset(
    {"has", "having", "in", "is", "looking", "wearing", "who", "with", "without"}
)
"""Words that begin what follows a noun: a man `with` a beard."""

_FEATURES = frozenset(
    {
        "beard", "brow", "chin", "complexion", "face", "forehead", "goatee", "hair", "hairline",
        "hat", "head", "jaw", "lipstick", "make-up", "makeup", "moustache", "mouth", "mustache",
        "neck", "necklace", "nose", "scar", "shadow", "skin", "smile", "stubble", "tie", "tooth",
    }
)  # fmt: skip
"""Nouns that a person has, beside plurals, rather than adjectives that a person is."""


@dataclass(frozen=True, slots=True)
class Wording:
    """Where some words stand in a description."""

    before: str = ""
    """Before the noun: `older`."""
    after: str = ""
    """After it: `with a beard`."""
    noun: str = ""
    """In its place: `woman`."""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two wordings whose difference is a direction."""

    towards: Wording
    away: Wording = Wording()


@dataclass(frozen=True, slots=True)
class Carrier:
    """A description that the wordings of a pair are put into."""

    start: str
    noun: str
    tail: str = ""

    def texts(self, pair: Pair) -> tuple[str, str]:
        """The description with the one wording and with the other."""
        return self._text(pair.towards), self._text(pair.away)

    def _text(self, wording: Wording) -> str:
        noun = " ".join(filter(None, [wording.before, wording.noun or self.noun]))
        article = "an" if noun[0] in "aeiou" else "a"
        text = f"{self.start}{article} {noun}{self.tail}"
        if not wording.after:
            return text
        return f"{text}, {wording.after}" if self.tail else f"{text} {wording.after}"


CARRIERS = (
    Carrier("", "man"),
    Carrier("", "woman"),
    Carrier("", "man", " with black hair"),
    Carrier("", "woman", " with blond hair"),
    Carrier("he is ", "man", " with short hair"),
    Carrier("she is ", "woman", " with brown hair"),
)
"""Both sexes and several forms, so that what is particular to one of them averages out."""


def own_texts(description: str, pair: Pair) -> tuple[str, str]:
    """A session's own description with the one wording at its end, and with the other.

    Example:
        >>> from t2f_runtime.identikit.word_pairs import find_pair, own_texts
        >>> own_texts("He is bald.", find_pair("with a beard"))
        ('He is bald, with a beard', 'He is bald')
    """
    stem = description.rstrip(" \t\r\n.!,;")

    def ended(wording: Wording) -> str:
        words = wording.before or wording.after or f"a {wording.noun}" * bool(wording.noun)
        return f"{stem}, {words}" if words else stem

    return ended(pair.towards), ended(pair.away)


def _before(towards: str, away: str = "") -> Pair:
    return Pair(Wording(before=towards), Wording(before=away))


def _after(towards: str, away: str = "") -> Pair:
    return Pair(Wording(after=towards), Wording(after=away))


def _opposites(first: tuple[str, ...], second: tuple[str, ...], pair: Pair) -> dict[str, Pair]:
    turned = Pair(pair.away, pair.towards)
    return dict.fromkeys(first, pair) | dict.fromkeys(second, turned)


KNOWN_PAIRS: dict[str, Pair] = {
    **_opposites(("older", "old", "aged"), ("younger", "young"), _before("older", "young")),
    **_opposites(
        ("masculine", "male", "manly"),
        ("feminine", "female", "womanly"),
        Pair(Wording(noun="man"), Wording(noun="woman")),
    ),
    **_opposites(("chubby", "fatter", "fat"), ("thinner", "thin"), _before("chubby", "thin")),
    **_opposites(
        ("pale", "paler", "lighter skin"),
        ("dark-skinned", "darker skin"),
        _after("with pale skin", "with dark skin"),
    ),
    **_opposites(
        ("longer hair", "long hair"),
        ("shorter hair", "short hair"),
        _after("with long hair", "with short hair"),
    ),
    **_opposites(
        ("blonder", "blond", "blonde", "lighter hair", "blond hair"),
        ("darker hair", "black hair"),
        _after("with blond hair", "with black hair"),
    ),
    **_opposites(
        ("curlier", "curly hair", "wavy hair"),
        ("straighter hair", "straight hair"),
        _after("with wavy hair", "with straight hair"),
    ),
    **dict.fromkeys(("smiling", "happier", "happy", "smile", "a smile"), _before("smiling")),
    **dict.fromkeys(("serious", "sterner"), _before("serious", "smiling")),
    **dict.fromkeys(("bearded", "beard", "a beard"), _after("with a beard")),
    **dict.fromkeys(("balder", "bald"), _before("bald")),
    **dict.fromkeys(("greyer", "grayer", "grey", "gray", "grey hair"), _after("with grey hair")),
}
"""Words whose opposite is known, or that stand elsewhere than they look; all others are free."""

LOCK_SETS: dict[str, tuple[str, ...]] = {
    "age": ("older",),
    "beard": ("a beard", "a moustache", "a goatee", "stubble", "sideburns"),
    "brows": ("bushy eyebrows", "arched eyebrows"),
    "eyes": ("blue eyes", "brown eyes", "narrow eyes", "big eyes", "bags under the eyes"),
    "face": ("an oval face", "a round face", "chubby", "a double chin", "high cheekbones"),
    "glasses": ("glasses", "sunglasses"),
    "hair": (
        "blond hair", "black hair", "brown hair", "grey hair", "long hair", "wavy hair", "bald",
        "bangs", "a receding hairline",
    ),
    "hat": ("wearing a hat",),
    "make-up": ("wearing lipstick", "wearing heavy make-up", "earrings"),
    "mouth": ("smiling", "full lips", "an open mouth"),
    "nose": ("a big nose", "a pointed nose"),
    "sex": ("feminine",),
    "skin": ("pale", "rosy cheeks", "freckles"),
}  # fmt: skip
"""What a lock keeps, by its name: directions of these words. Any other words lock themselves."""


def find_pair(words: str) -> Pair:
    """Makes a pair of descriptions out of an operator's words.

    Words that are not known stand where they seem to belong: those that begin as `with a beard`
    does, and those that name a thing a person has, follow the noun; others stand before it.

    Example:
        >>> from t2f_runtime.identikit.word_pairs import find_pair
        >>> find_pair("older").away
        Wording(before='young', after='', noun='')
        >>> find_pair("a goatee").towards
        Wording(before='', after='with a goatee', noun='')

    Raises:
        ArgumentError: There are no words.
    """
    plain = " ".join(check_text("words", words).split()).strip(".,;!…").strip()
    if not plain:
        raise ArgumentError('name what to change, such as "older" or "with a beard"')
    known = KNOWN_PAIRS.get(plain.lower())
    if known is not None:
        return known
    first, last = plain.split()[0].lower(), plain.split()[-1].lower()
    if first == "and" and " " in plain:
        return find_pair(plain.split(maxsplit=1)[1])
    if first in _FOLLOWING:
        return _after(plain)
    is_plural = last.endswith("s") and not last.endswith("ss")
    if first in {"a", "an", "no", "the"} or last in _FEATURES or is_plural:
        return _after(f"with {plain}")
    return _before(plain)


def lock_words(name: str) -> tuple[str, ...]:
    """The words whose directions a lock keeps: those of a known set, or the name itself.

    Raises:
        ArgumentError: The name is empty.
    """
    plain = " ".join(name.split())
    if not plain:
        raise ArgumentError(f"name what to lock: {', '.join(LOCK_SETS)}, or any words")
    return LOCK_SETS.get(plain.lower(), (plain,))
