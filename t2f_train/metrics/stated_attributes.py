"""What a description written from CelebA's attributes says of them, and what it is silent about.

The grammar writes a few of a face's attributes into a description; only those may be asked of a
picture. Reading the words tells which, without a record of how each description came about.
"""

import re
from collections.abc import Iterator

_MEN = r"he|his|man|guy|gentleman|male"
_WOMEN = r"she|her|woman|lady|female"

# Attribute, the value that is said, and the words that say it.
_WORDINGS = (
    ("5_o_Clock_Shadow", True, r"unshaven|stubble|five o'clock shadow"),
    ("Arched_Eyebrows", True, r"arched eyebrows"),
    ("Bags_Under_Eyes", True, r"bags under \w+ eyes|eye bags"),
    ("Bald", True, r"bald"),
    ("Bangs", True, r"bangs|fringe"),
    ("Big_Lips", True, r"(?:full|big) lips"),
    ("Big_Nose", True, r"(?:large|big)(?:, pointed)? nose"),
    ("Black_Hair", True, r"black"),
    ("Blond_Hair", True, r"blonde?|fair"),
    ("Brown_Hair", True, r"brown"),
    ("Bushy_Eyebrows", True, r"(?:bushy|thick)(?:, arched)? eyebrows"),
    ("Chubby", True, r"full (?:face|cheeks)"),
    ("Double_Chin", True, r"double chin"),
    ("Eyeglasses", True, r"glasses|eyeglasses|spectacles"),
    ("Eyeglasses", False, r"no glasses"),
    ("Goatee", True, r"goatee"),
    ("Gray_Hair", True, r"gr[ae]y(?:ing)?"),
    ("Heavy_Makeup", True, r"(?:heavy|lots of) make-?up"),
    ("High_Cheekbones", True, r"high cheek ?bones"),
    ("Male", True, _MEN),
    ("Male", False, _WOMEN),
    (
        "Mouth_Slightly_Open",
        True,
        r"open smile|open-mouthed|mouth slightly open|slightly open mouth|slightly parted lips",
    ),
    ("Mustache", True, r"mo?ustache"),
    ("Narrow_Eyes", True, r"narrow eyes"),
    ("No_Beard", True, r"no beard|clean[- ]shaven"),
    ("No_Beard", False, r"beard|bearded|facial hair"),
    ("Oval_Face", True, r"oval(?:-shaped)? face"),
    ("Pale_Skin", True, r"pale"),
    ("Pointy_Nose", True, r"(?:pointed|pointy) nose"),
    ("Receding_Hairline", True, r"receding"),
    ("Rosy_Cheeks", True, r"(?:rosy|pink) cheeks"),
    ("Sideburns", True, r"side ?burns"),
    ("Smiling", True, r"smiling|smile"),
    ("Smiling", False, r"not smiling"),
    ("Straight_Hair", True, r"straight"),
    ("Wavy_Hair", True, r"wavy"),
    ("Wearing_Earrings", True, r"ear ?rings"),
    ("Wearing_Hat", True, r"hat"),
    ("Wearing_Lipstick", True, r"lipstick"),
    ("Wearing_Necklace", True, r"necklace"),
    ("Wearing_Necktie", True, r"tie|necktie"),
    ("Young", True, r"young"),
    ("Young", False, r"middle-aged|older"),
)

# "No beard" is no beard: what is denied is not said.
_PATTERNS = tuple(
    (attribute, value, re.compile(rf"(?<!\bno )(?<!\bnot )\b(?:{words})\b"))
    for attribute, value, words in _WORDINGS
)

STATEMENTS = tuple((attribute, value) for attribute, value, _ in _WORDINGS)
"""Everything that can be said: an attribute of CelebA and whether it is there."""


def stated_attributes(description: str) -> dict[str, bool]:
    """Reads which attributes a description states.

    It knows the wordings of `t2f_train.data.celeba_traits`, not free text. A mixed colour of hair
    states each colour that it names; "dark" hair, which may be black or brown, states none.

    Args:
        description: As `t2f_train.data.celeba_descriptions.describe` writes them.

    Returns:
        CelebA's attributes that it mentions; True if it says that they are there, False if it says
        that they are not.
    """
    return dict(_statements(description.lower()))


def _statements(text: str) -> Iterator[tuple[str, bool]]:
    for attribute, value, pattern in _PATTERNS:
        if pattern.search(text):
            yield attribute, value
