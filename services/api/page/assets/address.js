// Where one is, by the fragment: #/cases/NUMBER/deliveries is ["cases", NUMBER, "deliveries"].

import { useEffect, useState } from "./vendor/htm-preact.js";

const read = () => location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map(decodeURIComponent);

export const to = (...parts) => `#/${parts.map(encodeURIComponent).join("/")}`;

export const go = (...parts) => { location.hash = to(...parts); };

export function usePlace() {
  const [place, setPlace] = useState(read);
  useEffect(() => {
    const moved = () => setPlace(read());
    addEventListener("hashchange", moved);
    return () => removeEventListener("hashchange", moved);
  }, []);
  return place;
}
