"""A session: the operations by which a witness's face is found, each giving a new session."""

from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass

from msgspec.structs import replace

from t2f_runtime.errors import ArgumentError, DescriptionError
from t2f_runtime.generator import MAXIMUM_FACES
from t2f_runtime.identikit.breeding import breed_faces, mutation_step
from t2f_runtime.identikit.case import MAXIMUM_LOCKS, MAXIMUM_SCREEN
from t2f_runtime.identikit.comparison import Comparison, compare_faces
from t2f_runtime.identikit.directions import (
    Direction,
    basis_of,
    find_direction,
    keep_in_place,
    slide,
)
from t2f_runtime.identikit.exact import Doubles
from t2f_runtime.identikit.face import Face, first_face, mix, morph_amounts
from t2f_runtime.identikit.given import check_text, continued, finite_number
from t2f_runtime.identikit.history import History
from t2f_runtime.identikit.named_face import (
    NamedFace,
    check_place,
    find_face,
    labels,
    of_other_cases,
)
from t2f_runtime.identikit.spread import choose_different
from t2f_runtime.identikit.word_pairs import lock_words
from t2f_runtime.latent import check_whole_number

POOL = 3
"""So many times as many faces are drawn for a screen of candidates as it shows."""

LARGEST_AMOUNT = 6.0
"""From one end of a slider to the other."""


@dataclass(frozen=True, slots=True, repr=False)
class Session(History):
    """A witness's search for a face. Immutable: each operation returns a new session.

    So a session may be continued twice, in two ways, and nothing that happens to one changes
    another. Faces come of arithmetic on latents, and a case gives the same on every engine; the
    pictures of one engine are the same to the bit.

    Faces on the screen go by their places, from 0. Operations work on the *chosen* ones: those that
    `choose` named, or the one face of a screen that has no more.

    Example:
        >>> from t2f_runtime import FaceGenerator
        >>> from t2f_runtime.identikit import Session
        >>> generator = FaceGenerator.load("tests/runtime/tiny_bundle")
        >>> session = Session.start("a bald man", generator, seed=7).candidates(18)
        >>> session = session.choose([3, 7]).breed(18).choose([5]).describe("… with a beard")
        >>> session = session.more("older", 0.5).less("smiling", 0.5)
        >>> session.face.descriptions
        ('a bald man with a beard',)
        >>> session.pictures().shape
        (1, 8, 8, 3)
        >>> session.undo().redo() == session
        True

    Attributes:
        case: All that has happened, as a value; two sessions are equal if their cases are.
        studio: What reads and draws.
        log: Where each step is written; None where nothing is.
        log_mark: Where its log ended, of a case that has one and was loaded without it; else None.
    """

    def candidates(self, count: int = 18, *, pool: int | None = None) -> "Session":
        """Shows other faces of the same words, sliders and locks, chosen to differ.

        The first time, place 0 is the face that `start` drew; each further time shows faces that no
        screen before had, which differ from those on the present one.

        Args:
            count: How many.
            pool: How many are drawn to choose them from; None takes three times as many.

        Raises:
            ArgumentError: A number is out of range.
        """
        count = check_whole_number("count", count, largest=MAXIMUM_SCREEN, least=1)
        if pool is None:
            pool = count * POOL
        pool = check_whole_number("pool", pool, largest=MAXIMUM_FACES, least=count)
        start = self.step.next_candidate
        model, basis = self.face, self._basis()
        faces = [self._candidate(model, start + place, basis) for place in range(pool)]
        beside = self.pictures() if start else None
        places = choose_different(self.studio.draw(faces), count, beside)
        return self._advance(
            "candidates",
            {"count": count, "pool": pool, "indices": tuple(start + place for place in places)},
            made=[faces[place] for place in places],
            chosen=(0,) if count == 1 else (),
            generation=0,
            next_candidate=start + pool,
        )

    def choose(self, places: Sequence[int]) -> "Session":
        """Chooses the faces that what follows works on.

        Args:
            places: Their places on the screen, the closest first: that one is `face`, whose words
                and sliders new candidates have. Children have those of each chosen face in turn,
                and mixtures those of both.

        Raises:
            ArgumentError: There are none, one is named twice, or is not on the screen.
        """
        is_list = isinstance(places, Iterable)
        if not is_list or isinstance(places, Set | Mapping):  # which have no first
            raise ArgumentError(
                f"places must be a list of places, such as [3, 7], not {places!r:.50}"
            )
        checked = [check_place(self.case, place) for place in places]
        if not checked:
            raise ArgumentError("choose at least one face")
        if len(set(checked)) < len(checked):
            raise ArgumentError(f"a face is chosen twice: {', '.join(map(str, checked))}")
        return self._advance("choose", {"places": tuple(checked)}, chosen=checked)

    def breed(self, count: int = 18) -> "Session":
        """Shows the next generation: the chosen faces, and their children.

        Children have the words and sliders of one chosen face, of each in turn, and a part of its
        chance and of another's. They have something new, too, the less of it the more generations
        have been bred; see `t2f_runtime.identikit.breeding`.

        Args:
            count: How many faces, the parents among them.

        Raises:
            ArgumentError: No face is chosen, or there is no place for a child.
        """
        parents = self._working()
        least = len(parents) + 1
        count = check_whole_number("count", count, largest=MAXIMUM_SCREEN, least=least)
        generation = self.step.generation
        children = breed_faces(
            parents,
            count - len(parents),
            generation=generation,
            seed=self.case.seed,
            index=len(self.case.steps),
            basis=self._basis(),
        )
        return self._advance(
            "breed",
            {"count": count, "step": round(mutation_step(generation), 4)},
            made=children,
            kept=[face.name for face in parents],
            chosen=(),
            generation=generation + 1,
        )

    def describe(self, text: str) -> "Session":
        """Changes the words of the chosen faces, and keeps the rest of them: chance and sliders.

        Args:
            text: The new description. One that begins with `…` or `...` goes on after the old one,
                less its last full stop.

        Raises:
            DescriptionError: It cannot be read, or the model takes none.
            ArgumentError: No face is chosen, or `…` follows a face of several descriptions.
        """
        self._require_text("describe")
        basis = self._basis()
        made = []
        for face in self._working():
            description = continued(face, text)
            reading = self.studio.read(description)
            moved = replace(
                face,
                made_by="describe",
                parents=(face.name,),
                descriptions=(description,),
                reading=reading,
            )
            made.append(replace(moved, shift=keep_in_place(moved, face, basis)))
        return self._advance("describe", {"text": text}, made=made, chosen=range(len(made)))

    def more(self, words: str, amount: float = 1.0) -> "Session":
        """Moves the chosen faces towards some words.

        Args:
            words: Such as `older`, `smiling` or `with a beard`: away from their opposite in
                `KNOWN_PAIRS`; of words that are not there, from a description without them.
            amount: How far, in the standard deviation of faces along it. A slider goes from -3 to
                3, whatever moved it there.

        Raises:
            ArgumentError: The amount is out of range, the slider is at its end, locks keep what it
                would move, no face is chosen, or the model reads nothing in the words.
            DescriptionError: The model cannot read them, or takes no text.
        """
        return self._slide("more", words, amount, 1)

    def less(self, words: str, amount: float = 1.0) -> "Session":
        """Moves the chosen faces away from some words; otherwise as `more`."""
        return self._slide("less", words, amount, -1)

    def direction(self, words: str) -> Direction:
        """What `more` of these words means for the present faces; nothing is moved.

        Raises:
            ArgumentError: As `more`.
            DescriptionError: As `more`.
        """
        self._require_text("a slider")
        faces = self.chosen or self.screen[:1]
        own = dict.fromkeys(text for face in faces for text in face.descriptions)
        return find_direction(words, self.studio.read, tuple(own))

    def lock(self, name: str) -> "Session":
        """Keeps what some words would change, whatever else is done until `unlock`.

        Only what words decide can be kept; what chance alone decides changes with new candidates
        and children.

        Args:
            name: A set of words of `LOCK_SETS`, such as `hair` or `eyes`, or any words.

        Raises:
            ArgumentError: It is locked already, 256 locks are in force, or the model reads nothing
                in the words.
            DescriptionError: The model cannot read them, or takes no text.
        """
        self._require_text("lock")
        name = " ".join(check_text("the name of a lock", name).split())
        if name in self.locks:
            raise ArgumentError(f"{name!r:.80} is locked already")
        if len(self.locks) >= MAXIMUM_LOCKS:
            raise ArgumentError(
                f"{len(self.locks)} locks are in force, the most of a case: unlock one first"
            )
        directions = self._lock_directions(name)
        number = len(self.case.steps)
        return self._advance(
            "lock", {"name": name}, directions=directions, locks=(*self.step.locks, number)
        )

    def unlock(self, name: str) -> "Session":
        """Lets go of what `lock` keeps under a name.

        Raises:
            ArgumentError: Nothing is locked under it.
        """
        name = " ".join(check_text("the name of a lock", name).split())
        if name not in self.locks:
            held = ", ".join(self.locks) or "nothing"
            raise ArgumentError(f"{name!r:.80} is not locked; what is: {held}")
        place = self.locks.index(name)
        left = (*self.step.locks[:place], *self.step.locks[place + 1 :])
        return self._advance("unlock", {"name": name}, locks=left)

    @property
    def locks(self) -> tuple[str, ...]:
        """The names of the locks in force."""
        steps = self.case.steps
        return tuple(str(steps[number].arguments["name"]) for number in self.step.locks)

    def mix(
        self, first: "int | str | Face | Session", second: "int | str | Face | Session",
        amount: float = 0.5,
    ) -> "Session":  # fmt: skip
        """Mixes two faces into one; see `t2f_runtime.identikit.mix`. Locks keep what the first has.

        Args:
            first: A place on the screen, the name of a face of this case, a face, or another
                witness's session, whose face it is.
            second: As `first`.
            amount: 0 gives the first and 1 the second, each with its own descriptions.

        Raises:
            ArgumentError: There is no such face, or the amount is out of range.
            CaseError: The other face or session is of another bundle.
        """
        ends = self._find(first), self._find(second)
        amount = finite_number("amount", amount)
        made = self._mixed(*ends, amount)
        return self._advance(
            "mix",
            {**labels(*ends), "amount": amount},
            made=[made],
            given=of_other_cases(*ends),
            chosen=(0,),
        )

    def morph(
        self, first: "int | str | Face | Session", second: "int | str | Face | Session",
        count: int = 7,
    ) -> "Session":  # fmt: skip
        """Shows the way from one face to another, both ends among the faces; otherwise as `mix`."""
        count = check_whole_number("count", count, largest=MAXIMUM_SCREEN, least=2)
        ends = self._find(first), self._find(second)
        made = [self._mixed(*ends, amount) for amount in morph_amounts(count)]
        return self._advance(
            "morph",
            {**labels(*ends), "count": count},
            made=made,
            given=of_other_cases(*ends),
            chosen=(),
        )

    def compare(
        self, first: "int | str | Face | Session", second: "int | str | Face | Session"
    ) -> Comparison:
        """Says how two faces differ, in numbers and in words; nothing is added to the case.

        Raises:
            ArgumentError: There is no such face.
            CaseError: The other face or session is of another bundle.
        """
        return compare_faces(self.studio, self._find(first).face, self._find(second).face)

    def _slide(self, operation: str, words: str, amount: float, sign: int) -> "Session":
        faces = self._working()
        amount = finite_number("amount", amount)
        if not 0 < amount <= LARGEST_AMOUNT:
            raise ArgumentError(
                f"the amount is {amount:g}; it must be above 0, and {LARGEST_AMOUNT:g} at most; "
                "for the other way, take less in the place of more"
            )
        direction = self.direction(words)
        basis = self._basis()
        made = [
            replace(
                face,
                made_by=f"{operation} {words}"[:256],
                parents=(face.name,),
                shift=slide(face, direction, sign * amount, basis),
            )
            for face in faces
        ]
        return self._advance(
            operation,
            {"words": words, "amount": amount, "agreement": round(direction.agreement, 4)},
            made=made,
            chosen=range(len(made)),
            directions=[direction.unit],
        )

    def _lock_directions(self, name: str) -> list[bytes]:
        """The directions of a lock's words; those that the model reads nothing in are left out."""
        found = [self._try_direction(words) for words in lock_words(name)]
        directions = [one.unit for one in found if isinstance(one, Direction)]
        if not directions and isinstance(found[0], ArgumentError):
            raise found[0]
        return directions

    def _try_direction(self, words: str) -> Direction | ArgumentError:
        try:
            return self.direction(words)
        except ArgumentError as error:
            return error

    def _candidate(self, model: Face, index: int, basis: Sequence[Doubles]) -> Face:
        """The face of an index of the seed, with a model's words, sliders and locks."""
        size = self.case.noise_size
        fresh = first_face(
            model.descriptions,
            model.reading,
            bundle_id=self.case.bundle_id,
            seed=self.case.seed,
            index=index,
            noise_size=size,
        )
        fresh = replace(fresh, shift=model.shift)
        return replace(fresh, shift=keep_in_place(fresh, model, basis)) if basis else fresh

    def _mixed(self, first: NamedFace, second: NamedFace, amount: float) -> Face:
        mixed = mix(first.face, second.face, amount)
        basis = self._basis()
        return replace(mixed, shift=keep_in_place(mixed, first.face, basis)) if basis else mixed

    def _basis(self) -> tuple[Doubles, ...]:
        return basis_of(self.case.locked())

    def _working(self) -> tuple[Face, ...]:
        if not self.chosen:
            raise ArgumentError(f"choose first which of the {len(self.screen)} faces is meant")
        return self.chosen

    def _require_text(self, what: str) -> None:
        if not self.studio.generator.takes_text:
            raise DescriptionError(
                f"{what} needs a model that reads descriptions, and this one draws without; its "
                "faces are found with candidates, choose, breed and mix"
            )

    def _find(self, which: "int | str | Face | Session") -> NamedFace:
        return find_face(self.case, which.face if isinstance(which, Session) else which)
