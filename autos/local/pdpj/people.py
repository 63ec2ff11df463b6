"""The invented people and companies of a case."""

from __future__ import annotations

from autos.local.pdpj.dice import Dice
from autos.local.pdpj.model import Party
from autos.local.pdpj.vocabulary import COMPANIES, GIVEN_NAMES, SURNAMES


def person_name(dice: Dice) -> str:
    """An invented name with the accents of real ones."""
    return f"{dice.pick(GIVEN_NAMES)} {dice.pick(SURNAMES)} de {dice.pick(SURNAMES)}"


def parties(dice: Dice) -> tuple[Party, ...]:
    """Both sides, with their lawyers."""
    found = []
    for pole, role in (("ATIVO", "AUTOR"), ("PASSIVO", "REU")):
        for _ in range(dice.pick((1, 1, 1, 2))):
            is_company = dice.chance(70 if pole == "PASSIVO" else 15)
            found.append(
                Party(
                    pole=pole,
                    role=role,
                    name=dice.pick(COMPANIES) if is_company else person_name(dice),
                    tax_id=_tax_id(dice, is_company),
                    is_company=is_company,
                    lawyer=person_name(dice) if dice.chance(85) else None,
                    lawyer_number=str(dice.between(10_000, 499_999)),
                )
            )
    return tuple(found)


def _tax_id(dice: Dice, is_company: bool) -> str:
    """A CPF or CNPJ in form only: its check digits are wrong on purpose, so that it is nobody's."""
    length, weights = (12, (5, 4, 3, 2, 9, 8, 7, 6, 5, 4, 3, 2)) if is_company else (9, tuple(range(10, 1, -1)))
    digits = [dice.below(10) for _ in range(length)]
    rest = sum(digit * weight for digit, weight in zip(digits, weights, strict=True)) % 11
    first = 0 if rest < 2 else 11 - rest
    return "".join(map(str, digits)) + f"{(first + 1) % 10}{dice.below(10)}"
