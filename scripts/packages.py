#!/usr/bin/env python3
"""Builds the packages of a release for Linux on this machine, tests each in a clean environment, and prints a table.

    packages.py                 build, then test
    packages.py --built         test the existing packages

The wheel and the Debian package hold a binary for glibc 2.17 and newer, linked by zig (maturin, ziglang and cargo-zigbuild
from PyPI, and cargo-deb from crates.io, into target/packages/tools). The static binary needs `rustup target add
x86_64-unknown-linux-musl`, the old system root and `debootstrap`. Steps without their requirements are skipped, and
reported. Without a static binary, installer and container are tested with the glibc binary.
"""
import functools
import gzip
import http.server
import os
import pathlib
import platform
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
TARGET = pathlib.Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")).resolve()
WORK = TARGET / "packages"
DIST = WORK / "dist"
TOOLS = WORK / "tools"
MACHINE = platform.machine()
GNU, MUSL = f"{MACHINE}-unknown-linux-gnu", f"{MACHINE}-unknown-linux-musl"
SUITE = "bullseye"  # Debian 11, glibc 2.31: the oldest that Debian's mirrors still carry
ENV = {**os.environ, "CARGO_TARGET_DIR": str(TARGET), "PATH": f"{TOOLS}/bin:{os.environ['PATH']}"}


class Skipped(Exception):
    """A requirement of a step is missing."""


def run(*command, status=0, **options):
    options = {"cwd": ROOT, "env": ENV, **options}
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True, **options)
    said = done.stdout + done.stderr
    assert done.returncode == status, f"{' '.join(map(str, command))}: status {done.returncode}\n{said[-3000:]}"
    return said


def need(*names):
    for name in names:
        if not shutil.which(name, path=ENV["PATH"]):
            raise Skipped(f"there is no {name}")


def binary(target):
    return TARGET / target / "release" / "mlloop"


def version():
    return re.search(r'^version = "(.*)"', (ROOT / "Cargo.toml").read_text(), re.M)[1]


def sizes(program, archive):
    return f"binary {program.stat().st_size / 1e6:.1f} MB, archive {archive.stat().st_size / 1e6:.1f} MB"


def build_wheel():
    if not (TOOLS / "bin" / "maturin").exists():
        run(sys.executable, "-m", "venv", TOOLS)
        run(TOOLS / "bin" / "pip", "install", "-q", "maturin==1.16.0", "ziglang==0.17.1", "cargo-zigbuild==0.24.1")
    run("maturin", "build", "--release", "--locked", "--zig", "--target", GNU, "--compatibility", "manylinux2014", "--out", DIST)
    return f"{next(DIST.glob('*.whl')).name}, {next(DIST.glob('*.whl')).stat().st_size / 1e6:.1f} MB"


def build_archive():
    run("scripts/package.sh", binary(GNU), GNU, DIST, env={**ENV, "SHARE": str(ROOT / "target/package/share")})
    return sizes(binary(GNU), DIST / f"mlloop-{version()}-{GNU}.tar.gz")


def build_deb():
    need("dpkg-deb")
    if not (TOOLS / "bin" / "cargo-deb").exists():
        run("cargo", "install", "--locked", "--root", TOOLS, "cargo-deb@3.8.0", env={**ENV, "CARGO_TARGET_DIR": str(WORK / "cargo-deb")})
    run("cargo", "deb", "--no-build", "--no-strip", "--target", GNU, "--output", f"{DIST}/")
    package = next(DIST.glob("*.deb"))
    return f"{package.name}, {package.stat().st_size / 1e6:.1f} MB"


def build_static():
    if MUSL not in run("rustup", "target", "list", "--installed").split():
        raise Skipped(f"no std of {MUSL} (rustup target add {MUSL})")
    run("cargo", "zigbuild", "--release", "--locked", "--target", MUSL)
    run("scripts/package.sh", binary(MUSL), MUSL, DIST)
    return sizes(binary(MUSL), DIST / f"mlloop-{version()}-{MUSL}.tar.gz")


def oldest_glibc():
    """The newest glibc symbol that the binary needs."""
    need("objdump")
    asked = re.findall(r"GLIBC_([\d.]+)", run("objdump", "-T", binary(GNU)))
    newest = max(tuple(map(int, one.split("."))) for one in asked)
    assert newest <= (2, 17), f"the binary asks for glibc {newest}"
    needed = run("objdump", "-p", binary(GNU))
    libraries = set(re.findall(r"NEEDED\s+(\S+)", needed))
    known = {"libc.so.6", "libm.so.6", "libpthread.so.0", "libdl.so.2", "librt.so.1", "ld-linux-x86-64.so.2", "ld-linux-aarch64.so.1"}
    assert libraries <= known, f"it also needs {libraries - known}"
    return f"glibc {'.'.join(map(str, newest))}, {len(libraries)} libraries of glibc and no other"


def goes_around(*mlloop, cwd, env=None):
    """Runs the whole loop once with this binary; returns its version."""
    options = {"cwd": cwd, "env": env or ENV}
    said = run(*mlloop, "--version", **options).strip()
    assert said.startswith(f"mlloop {version()}"), said
    run(*mlloop, "demo", "demo", "-q", **options)
    run(*mlloop, "-C", "demo", "audit", "verify", "-q", **options)
    return said


def try_wheel():
    with tempfile.TemporaryDirectory() as clean:
        run(sys.executable, "-m", "venv", f"{clean}/venv")
        began = time.monotonic()
        run(f"{clean}/venv/bin/pip", "install", "--no-index", "--find-links", DIST, "mlloop")
        took = time.monotonic() - began
        said = goes_around(f"{clean}/venv/bin/mlloop", cwd=clean, env={"PATH": "/usr/bin:/bin", "HOME": clean})
        run(f"{clean}/venv/bin/pip", "uninstall", "-y", "mlloop")
        assert not pathlib.Path(clean, "venv/bin/mlloop").exists()
        return f"{said}, installed in {took:.1f} s"


def old_system():
    """An old Debian, created once."""
    need("debootstrap", "chroot")
    if os.geteuid() != 0:
        raise Skipped("a chroot needs root")
    home = WORK / SUITE
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        run("debootstrap", "--variant=minbase", SUITE, home, *os.environ.get("DEBIAN_MIRROR", "").split())
        (home / "complete").touch()
    return home


def inside(root, *command, home="/tmp", user=()):
    """A command with `root` as its root. It has a /proc and a /dev/null, as in a container, which go away with it."""
    need("unshare", "chroot")
    for name in ("proc", "dev"):
        (pathlib.Path(root) / name).mkdir(exist_ok=True)
    (pathlib.Path(root) / "dev/null").touch()
    script = 'mount -t proc proc "$0/proc"; mount --bind /dev/null "$0/dev/null"; exec chroot "$@"'
    variables = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": home, "TMPDIR": home}
    return run("unshare", "--mount", "sh", "-ec", script, root, *user, root, *command, env=variables)


def try_deb():
    home = old_system()
    package = next(DIST.glob("*.deb"), None)
    if package is None:
        raise Skipped("no Debian package was built")
    shutil.copy(package, home / "tmp" / "mlloop.deb")
    shutil.rmtree(home / "tmp" / "demo", ignore_errors=True)
    old = functools.partial(inside, home)
    old("dpkg", "-i", "/tmp/mlloop.deb")
    said = old("mlloop", "--version").strip()
    old("sh", "-c", "cd /tmp && mlloop demo demo -q && mlloop -C demo audit verify -q")
    listed = old("dpkg", "-L", "mlloop")
    for path in ("/usr/share/man/man1/mlloop.1.gz", "/usr/share/bash-completion/completions/mlloop", "/usr/share/doc/mlloop/copyright"):
        assert path in listed.split(), f"{path} is not in the package"
    glibc = old("ldd", "--version").splitlines()[0].split()[-1]
    old("dpkg", "-r", "mlloop")
    assert not (home / "usr/bin/mlloop").exists()
    return f"{said}, in {SUITE} with glibc {glibc}"


def try_archive_in_old_system():
    home = old_system()
    name = f"mlloop-{version()}-{GNU}"
    shutil.rmtree(home / "tmp" / name, ignore_errors=True)
    shutil.rmtree(home / "tmp" / "demo", ignore_errors=True)
    run("tar", "-xzf", DIST / f"{name}.tar.gz", "-C", home / "tmp")
    command = ["sh", "-c", f"cd /tmp && {name}/mlloop demo demo -q 2>&1 && {name}/mlloop --version"]
    return inside(home, *command).splitlines()[-1] + f", in {SUITE}"


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def try_installer():
    """The installer installs the static archive, and refuses a wrong checksum; if there is no static archive, the other binary is used."""
    name = f"mlloop-{version()}-{MUSL}.tar.gz"
    with tempfile.TemporaryDirectory() as clean:
        release = pathlib.Path(clean, f"v{version()}")
        release.mkdir()
        if (DIST / name).exists():
            shutil.copy(DIST / name, release)
            sums = (DIST / f"{name}.sha256").read_text()
        else:
            if not binary(GNU).exists():
                raise Skipped("no binary was built")
            run("scripts/package.sh", binary(GNU), MUSL, release)
            sums = (release / f"{name}.sha256").read_text()
        (release / "SHA256SUMS").write_text(sums)
        handler = functools.partial(Quiet, directory=clean)
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        install = ["sh", ROOT / "scripts/install.sh", "--version", version(), "--from", f"http://127.0.0.1:{server.server_port}"]
        began = time.monotonic()
        run(*install, "--prefix", f"{clean}/prefix")
        took = time.monotonic() - began
        said = goes_around(f"{clean}/prefix/bin/mlloop", cwd=clean)
        (release / "SHA256SUMS").write_text(re.sub("^[0-9a-f]{64}", "0" * 64, sums))
        refused = run(*install, "--prefix", f"{clean}/other", status=2)
        assert "nothing was installed" in refused and not pathlib.Path(clean, "other").exists(), refused
        server.shutdown()
        which = "" if (DIST / name).exists() else " (the binary for glibc)"
        return f"{said}{which}, installed in {took:.1f} s; a wrong checksum is refused"


def try_container():
    """The image as a root: the static binary, a directory for the loop, and nothing else.

    Without a static binary, the glibc binary is tested with the libraries it needs from the old system.
    """
    if os.geteuid() != 0:
        raise Skipped("a chroot needs root")
    static = binary(MUSL).exists()
    program = binary(MUSL if static else GNU)
    if not program.exists():
        raise Skipped("no binary was built")
    with tempfile.TemporaryDirectory() as root:
        (pathlib.Path(root) / "usr/bin").mkdir(parents=True)
        (pathlib.Path(root) / "loop").mkdir()
        os.chown(f"{root}/loop", 65532, 65532)
        os.chmod(root, 0o755)
        shutil.copy(program, f"{root}/usr/bin/mlloop")
        if not static:
            home = old_system()
            linked = run("chroot", home, "ldd", "/tmp/mlloop") if shutil.copy(program, home / "tmp/mlloop") else ""
            for library in re.findall(r"(/\S+) \(0x", linked):
                (pathlib.Path(root) / library[1:]).parent.mkdir(parents=True, exist_ok=True)
                file = run("chroot", home, "readlink", "-f", library).strip()
                shutil.copy(home / file[1:], pathlib.Path(root) / library[1:])
        size = sum(file.stat().st_size for file in pathlib.Path(root).rglob("*") if file.is_file())
        command = ["/usr/bin/mlloop", "demo", "/loop/demo", "-q"]
        inside(root, *command, home="/loop", user=["--userspec=65532:65532"])
        packed = len(gzip.compress(program.read_bytes(), 9))
        # Images are pulled compressed.
        assert packed <= 15e6, f"the image has {packed / 1e6:.1f} MB packed, {size / 1e6:.1f} MB unpacked"
        return f"{packed / 1e6:.1f} MB packed, {size / 1e6:.1f} MB unpacked, {'static' if static else 'with the libraries of glibc'}"


STEPS = [build_wheel, build_archive, build_deb, build_static]
TRIES = [oldest_glibc, try_wheel, try_archive_in_old_system, try_deb, try_installer, try_container]


def main():
    DIST.mkdir(parents=True, exist_ok=True)
    failed = 0
    for step in (TRIES if "--built" in sys.argv[1:] else STEPS + TRIES):
        try:
            result, what = "passed", step()
        except Skipped as why:
            result, what = "skipped", why
        except AssertionError as why:
            result, what = "FAILED", why
            failed += 1
        print(f"{step.__name__:28}{result:10}{what}", flush=True)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
