"""The README of a run folder: what lies in it, and the commands that go on from it."""

import shlex
from pathlib import Path

from t2f_train.run_folder import RunRecord


def run_readme(record: RunRecord, folder: Path) -> str:
    """Writes the page in Markdown.

    Args:
        record: What the run is.
        folder: The run folder, for the commands.
    """
    config = record.config
    run, data = shlex.quote(str(folder)), shlex.quote(record.data_folder)
    phases = "\n".join(
        f"| {phase.resolution}x{phase.resolution} | {phase.images:,} | {phase.batch_size} | "
        f"{'' if index == 0 else f'{phase.fade_fraction:.0%}'} |"
        for index, phase in enumerate(config.phases)
    )
    text = (
        f"descriptions read by `{config.text.encoder}`" if config.is_conditional else "without text"
    )
    sample = ' --text "a smiling woman with grey hair"' if config.is_conditional else ""
    origin = ""
    if record.origin is not None:
        origin = (
            f"\nIt began with the weights of `{record.origin.run}` "
            f"({record.origin.images_seen:,} images).\n"
        )
    longer = "".join(
        f"\nIt was finished after {step.images_seen:,} images and made longer"
        f"{f' by commit {step.commit}' if step.commit else ''}.\n"
        for step in record.lengthened
    )
    return f"""# {folder.resolve().name}

A training run of T2F: {config.resolution}x{config.resolution} pixels, {text}, loss
`{config.optimiser.loss}`, seed {config.seed}.
{origin}{longer}
| resolution | images | batch | fading |
| --- | --- | --- | --- |
{phases}

Data: {record.data_images:,} images with {record.data_descriptions:,} descriptions from
`{record.data_folder}`, read as `{config.data.reader}`. Licence:
{config.data.licence or "none stated; state it with data.licence before you pass a model on"}.

Source: {f"commit {record.commit}" if record.commit else f"T2F {record.versions['t2f']}"}.

## What lies here

| | |
| --- | --- |
| `run.json` | the whole configuration, the data's fingerprint, versions |
| `tokenizer.model` | what cuts descriptions into tokens; none without text |
| `words.json` | the words of the descriptions, counted; bundles have them |
| `metrics.jsonl` | a line of losses every {config.output.log_every:,} images |
| `tensorboard/` | the same: `pip install tensorboard`, `tensorboard --logdir {run}` |
| `samples/` | sheets of fixed descriptions and latents; `latest.png` is the newest |
| `frames/` | small pictures for the time-lapse |
| `checkpoints/` | the last two states |

## What to do with it

```
t2f train {run}/run.json --data {data} --out {run}
t2f sample {run} -o grid.png{sample}
t2f timelapse {run} -o growth.mp4
t2f evaluate {run}
t2f export {run} -o BUNDLE
```

The paths are as seen from where the run was started. The first command continues it where it was
interrupted; add `--device cuda` to do so on a GPU.
"""
