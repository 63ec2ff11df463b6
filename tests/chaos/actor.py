"""Does to a running product what the plan says, and heals what has to be healed from outside when its time is over."""

from __future__ import annotations

import contextlib
import os
import shlex
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

import psutil

from autos.local.pdpj.control import SourceSetting
from tests.chaos.plan import Freeze, Kill, Plan, RateStorm, ReceiverOutage, Restart, SourceOutage, Trouble
from tests.product import Product
from tests.support import wait_until

_STOP_SIGNALS: Final = {"postgres": signal.SIGINT}
_RESTART_SECONDS: Final = 60.0
_STEP: Final = 0.05


@dataclass(frozen=True)
class _Healing:
    """What ends a trouble, and when (monotonic)."""

    due: float
    name: str
    heal: Callable[[], None]
    needs_answer: bool
    """Whether the simulator or the receiver has to hear of it."""


class Actor:
    """One actor a product. ``say`` is told what is done, with its time since the start (seconds)."""

    def __init__(self, product: Product, say: Callable[[str], None]) -> None:
        self._product = product
        self._say = say
        self._healing: list[_Healing] = []
        self._frozen: set[int] = set()

    def perform(self, plan: Plan, began: float) -> None:
        """Every trouble at its time; returns when all of them are over. ``began`` is monotonic."""
        try:
            for trouble in plan.troubles:
                self._wait(began + trouble.at)
                self._begin(trouble, began)
            while self._healing:
                self._wait(time.monotonic() + _STEP)
        finally:
            for pid in self._frozen:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGCONT)

    def _wait(self, until: float) -> None:
        """Sleep until a moment, healing what is due before it: the times are the plan's."""
        while True:
            for healing in list(self._healing):
                # What is frozen hears of the end of another trouble when it is thawed.
                if healing.due <= time.monotonic() and not (healing.needs_answer and self._frozen):
                    self._healing.remove(healing)
                    self._say(f"        over: {healing.name}")
                    healing.heal()
            left = until - time.monotonic()
            if left <= 0:
                return
            time.sleep(min(left, _STEP))

    def _begin(self, trouble: Trouble, began: float) -> None:
        product = self._product
        self._say(f"{time.monotonic() - began:5.1f} s  {trouble}")
        match trouble:
            case Kill(_, process):
                self._signal(process, signal.SIGKILL)
            case Restart(_, process):
                self._signal(process, _STOP_SIGNALS.get(process, signal.SIGTERM))
            case Freeze(_, process, seconds):
                pid = product.kill(process, signal.SIGSTOP)
                self._frozen.add(pid)

                def thaw() -> None:
                    os.kill(pid, signal.SIGCONT)
                    self._frozen.discard(pid)

                self._heal_in(seconds, trouble, thaw, needs_answer=False)
            case SourceOutage(_, kind, seconds):
                if self._answers_control():
                    product.simulator.outage(kind)
                    self._heal_in(seconds, trouble, lambda: product.simulator.outage(None))
            case RateStorm(_, rate, seconds):
                if self._answers_control():
                    product.simulator.configure_source(SourceSetting(rate_limit=rate, retry_after=1))
                    calm = SourceSetting()
                    self._heal_in(seconds, trouble, lambda: product.simulator.configure_source(calm))
            case ReceiverOutage(_, status, seconds):
                if self._answers_control():
                    product.receiver.answer("/", status)
                    self._heal_in(seconds, trouble, lambda: product.receiver.answer("/", 204))

    def _heal_in(
        self, seconds: float, trouble: Trouble, heal: Callable[[], None], *, needs_answer: bool = True
    ) -> None:
        self._healing.append(_Healing(time.monotonic() + seconds, type(trouble).__name__, heal, needs_answer))

    def _answers_control(self) -> bool:
        """A frozen simulator or receiver cannot be told anything; then this trouble is left out."""
        if self._frozen:
            self._say("        left out: something is frozen")
        return not self._frozen

    def _signal(self, process: str, number: int) -> None:
        """Kill the process that is there; one that is being started again is waited for."""

        def alive() -> int | None:
            entry = self._product.stack()["processes"][process]
            try:
                # By its command line: the number in stack.json may be that of a dead one, given to somebody else.
                running = psutil.Process(entry["pid"]).cmdline() == shlex.split(entry["command"])
            except psutil.Error:
                return None
            return int(entry["pid"]) if running else None

        pid = wait_until(alive, _RESTART_SECONDS, f"a living {process}")
        assert pid is not None
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
