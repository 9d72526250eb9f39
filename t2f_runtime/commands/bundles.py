"""The commands that move bundles and say who made them: pack, unpack, sign, keys."""

from pathlib import Path

import click

from t2f_runtime.bundle.packing import pack_bundle, unpack_bundle
from t2f_runtime.bundle.signing import PUBLIC_SUFFIX, new_keys, sign_bundle
from t2f_runtime.bundle.trust import PublicKey
from t2f_runtime.commands.options import BUNDLE, TRUST, check_output_file, printable, read_trusted


@click.command()
@BUNDLE
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The file, such as face.t2f"
)
@TRUST
def pack(bundle: Path, out: Path, key_files: tuple[Path, ...]) -> None:
    """Pack BUNDLE, a folder, into one file.

    The runtime opens it where it lies. Equal bundles give equal bytes. Files that the manifest does
    not list are left out.

    \b
    Example:
      t2f pack bundles/faces -o faces.t2f
    """  # noqa: D301 (click's mark is the backspace)
    check_output_file(out)
    packed = pack_bundle(bundle, out, trusted=read_trusted(key_files))
    for name in packed.left_out:
        click.echo(printable(f"left out {name}: the manifest does not list it"))
    click.echo(printable(f"packed   {out}: {packed.files} files, {packed.size / 2**20:.1f} MiB"))
    click.echo(f"id       {packed.bundle.bundle_id}")


@click.command()
@BUNDLE
@click.option(
    "-o", "--out", required=True, type=click.Path(path_type=Path), help="The folder, a new one."
)
@TRUST
def unpack(bundle: Path, out: Path, key_files: tuple[Path, ...]) -> None:
    """Unpack BUNDLE, one file, into a folder.

    Every file is verified.

    \b
    Example:
      t2f unpack faces-1.t2f -o bundles/faces-1
    """  # noqa: D301 (click's mark is the backspace)
    unpacked = unpack_bundle(bundle, out, trusted=read_trusted(key_files))
    click.echo(
        printable(f"unpacked {out}: {unpacked.files} files, {unpacked.size / 2**20:.1f} MiB")
    )


@click.command()
@BUNDLE
@click.option(
    "--key", required=True, type=click.Path(path_type=Path), help="The private key's file."
)
@click.option("--replace", is_flag=True, help="Replace a signature that another key made.")
def sign(bundle: Path, key: Path, *, replace: bool) -> None:
    """Sign BUNDLE, a folder or one file.

    Its files are verified before.

    \b
    Examples:
      t2f keys new maker
      t2f sign bundles/faces --key maker
      t2f generate bundles/faces "a bald man" -o face.png --trust maker.pub
    """  # noqa: D301 (click's mark is the backspace)
    public = sign_bundle(bundle, key, replaces=replace)
    click.echo(printable(f"signed   {bundle} with the key {public.fingerprint}"))


@click.group()
def keys() -> None:
    """Make keys that sign bundles, and tell them apart."""


@keys.command()
@click.argument("key", type=click.Path(path_type=Path))
def new(key: Path) -> None:
    """Make a pair of Ed25519 keys: KEY signs and stays secret, KEY.pub goes to the kiosks.

    \b
    Example:
      t2f keys new maker
    """  # noqa: D301 (click's mark is the backspace)
    check_output_file(key)
    public = new_keys(key)
    click.echo(
        printable(f"secret   {key}: signs bundles; keep it to yourself, it is not encrypted")
    )
    click.echo(printable(f"public   {key}{PUBLIC_SUFFIX}: give it to whoever runs your bundles"))
    click.echo(f"key      {public.fingerprint}")


@keys.command()
@click.argument("keyfile", type=click.Path(path_type=Path))
def show(keyfile: Path) -> None:
    """Tell the fingerprint of a public key, KEYFILE.

    \b
    Example:
      t2f keys show maker.pub
    """  # noqa: D301 (click's mark is the backspace)
    click.echo(PublicKey.read(keyfile).fingerprint)
