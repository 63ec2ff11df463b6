"""Becomes another program that ends with its parent: ``python -I -S launch.py SIGNAL USER program arguments...``.

On Linux the program gets SIGNAL when its parent dies, even by SIGKILL (prctl(2), PR_SET_PDEATHSIG). USER is ``-`` or a
system user to become: PostgreSQL refuses to run as root. That user keeps one capability, CAP_DAC_OVERRIDE
(capabilities(7), ambient set), so that no directory on the way to its files needs wider permissions. access(2), by
which initdb looks for the server's program, heeds capabilities of such a user with SECBIT_NO_SETUID_FIXUP alone.

A program of its own instead of a ``preexec_fn``: the parent has threads, and it stays one pid through exec.
Imports little, since it runs before every process of the stack.
"""

from __future__ import annotations

import ctypes
import os
import sys

_PR_SET_PDEATHSIG = 1
_PR_SET_KEEPCAPS = 8
_PR_SET_SECUREBITS = 28
_SECBIT_NO_SETUID_FIXUP = 1 << 2
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_RAISE = 2
_CAP_DAC_OVERRIDE = 1
_CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


def _become(libc: ctypes.CDLL | None, uid: int, gid: int) -> None:
    if libc is not None:
        libc.prctl(_PR_SET_KEEPCAPS, 1, 0, 0, 0)
        # Then the change of user takes no capability away; capset below leaves one of them.
        libc.prctl(_PR_SET_SECUREBITS, _SECBIT_NO_SETUID_FIXUP, 0, 0, 0)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if libc is not None:
        mask = 1 << _CAP_DAC_OVERRIDE
        header = _CapHeader(_CAPABILITY_VERSION_3, 0)
        wanted = (_CapData * 2)(_CapData(mask, mask, mask), _CapData(0, 0, 0))
        # Without the capability (a container may have dropped it) the program still runs where its paths are open.
        if libc.capset(ctypes.byref(header), wanted) == 0:
            libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_RAISE, _CAP_DAC_OVERRIDE, 0, 0)


def main(arguments: list[str]) -> None:
    """Does not return unless the program cannot be run."""
    number, user, *command = arguments
    parent = os.getppid()
    libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
    if user != "-":
        uid, _, gid = user.partition(":")
        _become(libc, int(uid), int(gid))
    if libc is not None:
        # After the change of user, which clears it.
        libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0)
        if os.getppid() != parent:
            raise SystemExit("the parent is gone")
    try:
        os.execvp(command[0], command)
    except OSError as error:
        raise SystemExit(f"cannot run {command[0]}: {error.strerror}") from None


if __name__ == "__main__":
    main(sys.argv[1:])
