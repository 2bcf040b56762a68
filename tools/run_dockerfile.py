"""Takes the steps of Dockerfiles without an engine: `python tools/run_dockerfile.py Dockerfile`.

The root of the image is an overlay over this machine's own: what the steps write vanishes with the
process. In the place of the base image's Python there is a new virtual environment at /usr/local,
which borrows the dependencies of the one that runs this, so that nothing is downloaded; with
--download pip fetches them. A step that fails ends it. Needs root, or a container that has it, and
Linux's overlays; leaves with status 77 where they are refused.
"""

import argparse
import ast
import dataclasses
import fnmatch
import os
import re
import shlex
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

ROOT = Path(__file__).resolve().parents[1]
REFUSED = 77
PYTHON = PurePosixPath('/usr/local')  # Where it is in the base image, too.
_BASES = ('python:3.11-slim', 'garden')
_PATH = '/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin'


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yields instruction and arguments of each step of a Dockerfile."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith('#')]
    for line in re.sub(r'\\\n', ' ', '\n'.join(lines)).splitlines():
        if line.strip():
            word, _, rest = line.strip().partition(' ')
            yield word.upper(), rest.strip()


def sent(patterns: Sequence[str], folder: Path) -> list[str]:
    """Returns the files below a folder that an engine is sent, by the rules of .dockerignore."""
    sent = []
    for name, folders, files in os.walk(folder):
        inside = Path(name).relative_to(folder)
        folders[:] = [f for f in folders if _may_hold_some(inside / f, patterns)]
        sent += [inside / file for file in files if not _ignored(inside / file, patterns)]
    return sorted(file.as_posix() for file in sent)


def _may_hold_some(folder: Path, patterns: Sequence[str]) -> bool:
    """Whether a folder is sent, or a pattern could take back something deeper in it."""
    taken_back = [PurePosixPath(p[1:].strip('/')) for p in patterns if p.startswith('!')]
    deeper = any(p.is_relative_to(folder) or set('*?[') & set(str(p)) for p in taken_back)
    return deeper or not _ignored(folder, patterns)


def _ignored(file: Path, patterns: Sequence[str]) -> bool:
    ignored = False
    for pattern in patterns:
        whole = pattern.removeprefix('!').strip('/')
        if any(_matches(path.as_posix(), whole) for path in (file, *file.parents)):
            ignored = not pattern.startswith('!')  # The last that matches decides.
    return ignored


def _matches(path: str, pattern: str) -> bool:
    if pattern.startswith('**/'):
        return _matches(path.rpartition('/')[2], pattern.removeprefix('**/'))
    parts, wanted = path.split('/'), pattern.split('/')
    return len(parts) == len(wanted) and all(map(fnmatch.fnmatchcase, parts, wanted))


@dataclasses.dataclass
class Image:
    """What the steps have come to.

    Attributes:
      root: the root of the image on this machine.
      arguments: values for ARG.
      environment: what ENV has set.
      folder: the present WORKDIR.
      user: the present USER.
      entry_point: of ENTRYPOINT.
    """

    root: Path
    arguments: dict[str, str] = dataclasses.field(default_factory=dict)
    environment: dict[str, str] = dataclasses.field(default_factory=lambda: {'PATH': _PATH})
    folder: str = '/'
    user: str = 'root'
    entry_point: list[str] = dataclasses.field(default_factory=list)

    def take(self, word: str, rest: str) -> None:
        """Takes one step.

        Raises:
          ValueError: for an instruction that is not known here.
          subprocess.CalledProcessError: for a command that fails.
        """
        if (word == 'FROM' and rest in _BASES) or word == 'VOLUME':
            return
        if word == 'ARG':
            name, _, default = rest.partition('=')
            self.arguments.setdefault(name, ''.join(shlex.split(default)))
        elif word == 'ENV':
            self.environment |= dict(pair.split('=', 1) for pair in shlex.split(rest))
        elif word == 'WORKDIR':
            self.folder = rest
            self.path(rest).mkdir(parents=True, exist_ok=True)
        elif word == 'COPY':
            self._copy(*shlex.split(rest))
        elif word == 'RUN':
            self.run('/bin/sh', '-c', rest, **self.arguments)
        elif word == 'USER':
            self.user = rest
        elif word == 'ENTRYPOINT':
            self.entry_point = ast.literal_eval(rest)
        else:
            raise ValueError(f'{word} {rest}: this step is not known here.')

    def run(self, *command: str, **variables: str) -> None:
        """Runs a command in the image as its user does.

        Raises:
          subprocess.CalledProcessError: if it fails.
        """
        home = '/root' if self.user == 'root' else str(PurePosixPath('/home', self.user))
        entered = ['chroot', f'--userspec={self.user}', str(self.root)]
        inside = ['/bin/sh', '-c', f'cd {shlex.quote(self.folder)} && exec "$@"', 'sh', *command]
        environment = {**_of_pip(), **self.environment, **variables, 'HOME': home}
        subprocess.run([*entered, *inside], env=environment, check=True)

    def path(self, name: str) -> Path:
        """Returns the place on this machine of a path in the image."""
        return self.root / str(PurePosixPath(self.folder, name)).lstrip('/')

    def _copy(self, *names: str) -> None:
        *sources, target = names
        patterns = (ROOT / '.dockerignore').read_text().splitlines()
        patterns = [line for line in patterns if line and not line.startswith('#')]
        files = sent(patterns, ROOT)
        for source in sources:
            chosen = files if source == '.' else [f for f in files if f == source]
            if not chosen:
                raise ValueError(f'COPY {source}: there is no such file, or it is not sent.')
            for file in chosen:
                place = self.path(target) / file
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(ROOT / file, place)


def _of_pip() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith('PIP_')}


def make_root(folder: Path, download: bool) -> Path:
    """Mounts a root with a new Python; returns where.

    Raises:
      subprocess.CalledProcessError: if mounting is refused.
    """
    upper, work, root = (folder / name for name in ('upper', 'work', 'root'))
    for path in (upper, work, root):
        path.mkdir()
    options = f'lowerdir=/,upperdir={upper},workdir={work}'
    _mount('-t', 'overlay', 'overlay', '-o', options, str(root))
    users = root / 'etc/passwd'  # The base image has those of the system only.
    lines = users.read_text().splitlines(keepends=True)
    users.write_text(''.join(line for line in lines if int(line.split(':')[2]) < 1000))
    for path in ('/proc', '/dev', '/sys'):
        _mount('--rbind', path, f'{root}{path}')
    site_packages = sysconfig.get_path('purelib')
    for path in (sys.base_prefix, site_packages):
        _show(path, root)
    shutil.rmtree(root / 'usr/local/lib/python3.11', ignore_errors=True)
    base = f'{sys.base_prefix}/bin/python3.11'
    subprocess.run(['chroot', str(root), base, '-m', 'venv', str(PYTHON)], check=True)
    if not download:
        pip = [f'{PYTHON}/bin/python', '-m', 'pip', 'uninstall', '--quiet', '--yes', 'setuptools']
        subprocess.run(['chroot', str(root), *pip], check=True)  # It would hide the one borrowed.
        borrowed = root / 'usr/local/lib/python3.11/site-packages/borrowed.pth'
        borrowed.write_text(f'{site_packages}\n')
        os.environ |= {'PIP_NO_INDEX': '1', 'PIP_NO_BUILD_ISOLATION': '0'}
    return root


def _show(path: str, root: Path) -> None:
    """Lets every user of the image see a folder of this machine."""
    place = Path(f'{root}{path}')
    place.mkdir(parents=True, exist_ok=True)
    _mount('--bind', path, str(place))
    for parent in place.parents:
        if parent == root:
            break
        parent.chmod(parent.stat().st_mode | 0o055)


def _mount(*arguments: str) -> None:
    subprocess.run(['mount', *arguments], check=True, stderr=subprocess.PIPE, text=True)


def main() -> int:
    """Takes the steps, then calls the entry point with each of the commands that were given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('dockerfiles', nargs='+', type=Path, metavar='DOCKERFILE')
    parser.add_argument('--launch', action='append', default=[], metavar='ARGUMENTS')
    parser.add_argument('--arg', action='append', default=[], metavar='NAME=VALUE')
    parser.add_argument('--download', action='store_true', help='let pip fetch everything')
    parser.add_argument('--inside', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args()
    if not args.inside:  # What is mounted from here on, nobody else sees.
        apart = ['unshare', '--mount']
        if subprocess.run([*apart, 'true'], check=False).returncode:
            return REFUSED
        return subprocess.run(
            [*apart, sys.executable, *sys.argv, '--inside'], check=False
        ).returncode
    with tempfile.TemporaryDirectory(prefix='image-', ignore_cleanup_errors=True) as folder:
        try:
            root = make_root(Path(folder), args.download)
        except subprocess.CalledProcessError as error:
            print(f'No root can be made here: {(error.stderr or "").strip()}', file=sys.stderr)
            return REFUSED
        try:
            _build(Image(root, dict(pair.split('=', 1) for pair in args.arg)), args)
        except subprocess.CalledProcessError as error:
            print(f'A step failed: {error}', file=sys.stderr)
            return 1
        finally:
            subprocess.run(['umount', '--recursive', str(root)], check=False)
    return 0


def _build(image: Image, args: argparse.Namespace) -> None:
    for dockerfile in args.dockerfiles:
        for word, rest in steps(dockerfile.read_text()):
            print(f'== {word} {rest}', flush=True)
            image.take(word, rest)
    for words in args.launch:
        print(f'== {image.entry_point} {words}', flush=True)
        image.run(*image.entry_point, *shlex.split(words))
    for path in sorted(image.path('runs').glob('*/summary.json')):
        print(
            f'== {path.relative_to(image.root)} belongs to {_owner(path, image.root)}', flush=True
        )


def _owner(path: Path, root: Path) -> str:
    users = (line.split(':') for line in (root / 'etc/passwd').read_text().splitlines())
    return next(user[0] for user in users if int(user[2]) == path.stat().st_uid)


if __name__ == '__main__':
    sys.exit(main())
