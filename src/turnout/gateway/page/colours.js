// One colour for each candidate, the same in every chart for as long as the page is open.

const COLOURS = 8;
const places = new Map();

/** The class that gives a candidate its colour. */
export function seriesOf(candidate) {
  if (!places.has(candidate)) places.set(candidate, places.size);
  const at = places.get(candidate);
  return at < COLOURS ? `series-${at}` : "series-more";
}

/** Give colours in the order of the configuration, before the charts give them by chance. */
export function meet(candidates) {
  for (const candidate of candidates) seriesOf(candidate);
}
