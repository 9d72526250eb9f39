"""Making a finished run longer: more images of its last phase, and everything else as it was."""

from msgspec.structs import replace

from t2f_train.checkpoint import latest_checkpoint, read_state
from t2f_train.config import Config
from t2f_train.errors import RunError
from t2f_train.run_folder import Lengthening, RunFolder, RunRecord
from t2f_train.schedule import Schedule


def lengthen(folder: RunFolder, wanted: RunRecord) -> RunRecord | None:
    """Gives the record of a run that goes on beyond the end that it had.

    New steps follow the old ones as if they had been planned. Where as many images fade the last
    layers in as before (`images` twice as many, `fade_fraction` half as large), the run is the one
    that would have been longer from its start, bit for bit on a CPU.

    Args:
        folder: The run's folder; nothing in it is changed.
        wanted: What the run is to be from now on.

    Returns:
        The record to write; None where the configurations differ in anything but the length of the
        last phase, or do not differ.

    Raises:
        RunError: If the run is not finished yet, or its last layers would fade in again.
    """
    found = folder.read_record()
    if not _is_longer(found.config, wanted.config):
        return None
    old, new = Schedule(found.config.phases), Schedule(wanted.config.phases)
    checkpoint = latest_checkpoint(folder.checkpoints)
    place = read_state(checkpoint).place if checkpoint else None
    if place is None or place.step < old.total_steps:
        seen = place.images_seen if place else 0
        raise RunError(
            f"{folder.path} has seen {seen:,} of its {old.total_images:,} images; only a finished "
            f"run is made longer: finish it with the configuration in {folder.record_path} first"
        )
    if new.at(place.step).fade < 1:
        last, before, now = len(new.phases) - 1, old.phases[-1], new.phases[-1]
        raise RunError(
            f"with phases.{last}.fade_fraction = {now.fade_fraction:g} the last layers of "
            f"{folder.path} would fade in again; set it to {before.images / now.images:.3g} or "
            f"less, or phases.{last}.images to {int(before.images / now.fade_fraction)} at most "
            f"(a run can be made longer more than once)"
        )
    step = Lengthening(
        images_seen=place.images_seen, commit=wanted.commit, versions=wanted.versions
    )
    return replace(found, config=wanted.config, lengthened=(*found.lengthened, step))


def _is_longer(old: Config, new: Config) -> bool:
    """Whether two configurations differ in nothing but a longer last phase."""
    last = new.phases[-1]
    same = replace(last, images=old.phases[-1].images, fade_fraction=old.phases[-1].fade_fraction)
    return (
        last.images > old.phases[-1].images and replace(new, phases=(*new.phases[:-1], same)) == old
    )
