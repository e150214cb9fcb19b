// Numbers for people: few digits, always with a unit.

const GROUPED = new Intl.NumberFormat("en");
const NONE = "–";
const SPACE = "\u00a0";

const isMissing = (value) => value === null || value === undefined || Number.isNaN(value);

/** About three digits. */
function digits(value) {
  if (value === 0) return "0";
  if (value >= 100) return GROUPED.format(Math.round(value));
  return value.toFixed(value >= 9.95 ? 0 : value >= 0.95 ? 1 : 2);
}

export function seconds(value) {
  if (isMissing(value)) return NONE;
  if (value === 0) return `0${SPACE}s`;
  if (value < 0.001) return `under 1${SPACE}ms`;
  if (value < 0.9995) return `${Math.round(value * 1000)}${SPACE}ms`;
  if (value < 99.5) return `${digits(value)}${SPACE}s`;
  return duration(value);
}

export function duration(value) {
  if (isMissing(value)) return NONE;
  const whole = Math.round(value);
  const parts = [[Math.floor(whole / 86400), "d"], [Math.floor(whole / 3600) % 24, "h"], [Math.floor(whole / 60) % 60, "min"], [whole % 60, "s"]];
  const first = parts.findIndex(([amount]) => amount > 0);
  if (first < 0) return `0${SPACE}s`;
  return parts.slice(first, first + 2).filter(([amount]) => amount > 0).map(([amount, unit]) => `${amount}${SPACE}${unit}`).join(" ");
}

export function percent(share) {
  if (isMissing(share)) return NONE;
  const points = share * 100;
  const text = points > 0 && points < 0.95 ? points.toFixed(1) : points > 99 && points < 100 ? points.toFixed(1) : String(Math.round(points));
  return `${text}${SPACE}%`;
}

/** Points of success, with their sign. */
export function points(value) {
  return `${value < 0 ? "−" : "+"}${Math.abs(value).toFixed(1)}`;
}

export function count(value) {
  if (isMissing(value)) return NONE;
  return value < 1e6 ? GROUPED.format(Math.round(value)) : `${digits(value / 1e6)}${SPACE}M`;
}

export function tokens(value) {
  return isMissing(value) ? NONE : `${count(value)}${SPACE}tokens`;
}

export function rate(value) {
  return isMissing(value) ? NONE : `${digits(value)}${SPACE}tokens/s`;
}

export function bytes(value) {
  if (isMissing(value)) return NONE;
  for (const [unit, size] of [["GiB", 2 ** 30], ["MiB", 2 ** 20], ["KiB", 2 ** 10]]) {
    if (value >= size * 0.95) return `${digits(value / size)}${SPACE}${unit}`;
  }
  return `${value}${SPACE}bytes`;
}

export function dollars(value) {
  if (isMissing(value)) return NONE;
  return value === 0 ? "$0" : `$${value.toPrecision(2)}`;
}

const CLOCK = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });
const DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });

/** The time of day of a moment in Unix time, with the day unless it is today. */
export function clock(at) {
  const moment = new Date(at * 1000);
  const isToday = moment.toDateString() === new Date().toDateString();
  return isToday ? CLOCK.format(moment) : `${DAY.format(moment)} ${CLOCK.format(moment)}`;
}

/** The day and time of an ISO 8601 text; the text itself where it is none. */
export function moment(text) {
  const at = Date.parse(text);
  return Number.isNaN(at) ? text : `${DAY.format(at)} ${CLOCK.format(at)}`;
}

export function iso(at) {
  return new Date(at * 1000).toISOString();
}

/** "1 request", "2 requests". */
export function many(amount, word) {
  return `${count(amount)} ${word}${amount === 1 ? "" : "s"}`;
}
