// The unified number of court cases (CNJ Resolution 65/2008) as it is typed: its mask, its check digits, its court.

const PARTS = [[7, ""], [2, "-"], [4, "."], [1, "."], [2, "."], [4, "."]];
const STATES = ("AC AL AP AM BA CE DF ES GO MA MT MS MG PA PB PR PE PI RJ RN RS RO RR SC SE SP TO").split(" ");
const ALONE = { 1: "STF", 2: "CNJ", 3: "STJ" };

export const digitsOf = (text) => text.replace(/\D/g, "").slice(0, 20);

// As many of the mask's characters as the digits reach.
export function masked(text) {
  const digits = digitsOf(text);
  let shown = "", at = 0;
  for (const [length, before] of PARTS) {
    if (at >= digits.length) break;
    shown += before + digits.slice(at, at + length);
    at += length;
  }
  return shown;
}

const remainder = (digits) => [...digits].reduce((rest, digit) => (rest * 10 + Number(digit)) % 97, 0);

// {state: "empty" | "short" | "wrong" | "court" | "valid", …}; of "wrong" with the check digits that would fit.
export function examine(text) {
  const digits = digitsOf(text);
  if (!digits) return { state: "empty" };
  if (digits.length < 20) return { state: "short", missing: 20 - digits.length };
  const [sequence, check, rest] = [digits.slice(0, 7), digits.slice(7, 9), digits.slice(9)];
  const expected = String(98 - remainder(`${sequence}${rest}00`)).padStart(2, "0");
  const court = courtOf(digits);
  if (check !== expected) return { state: "wrong", expected };
  if (!court) return { state: "court" };
  return { state: "valid", number: masked(digits), court, year: digits.slice(9, 13) };
}

function courtOf(digits) {
  const segment = digits[13], court = Number(digits.slice(14, 16));
  const within = (first, last) => court >= first && court <= last;
  switch (segment) {
    case "1": case "2": case "3": return court === 0 ? ALONE[segment] : null;
    case "4": return court === 0 || court === 90 ? "CJF" : within(1, 6) ? `TRF${court}` : null;
    case "5": return court === 0 ? "TST" : court === 90 ? "CSJT" : within(1, 24) ? `TRT${court}` : null;
    case "6": return court === 0 ? "TSE" : within(1, 27) ? `TRE-${STATES[court - 1]}` : null;
    case "7": return court === 0 ? "STM" : within(1, 12) ? `CJM ${court}` : null;
    case "8": return within(1, 27) ? `TJ${court === 7 ? "DFT" : STATES[court - 1]}` : null;
    case "9": return [13, 21, 26].includes(court) ? `TJM${STATES[court - 1]}` : null;
    default: return null;
  }
}

// A number that is valid and most likely nobody's: for trying with a simulated source.
export function makeNumber() {
  const random = (most) => crypto.getRandomValues(new Uint32Array(1))[0] % most;
  const sequence = String(random(10_000_000)).padStart(7, "0"), rest = `2024826${String(1 + random(9998)).padStart(4, "0")}`;
  const check = String(98 - remainder(`${sequence}${rest}00`)).padStart(2, "0");
  return masked(`${sequence}${check}${rest}`);
}
