// Asking the gateway. A key, where one is needed, is kept for this tab only.

const KEY = "turnout.key";
const PATIENCE_MS = 15000;

let kept = null;

export function key() {
  try {
    return sessionStorage.getItem(KEY) ?? kept;
  } catch {
    return kept; // storage is switched off: until the page is left
  }
}

export function keep(value) {
  kept = value;
  try {
    if (value === null) sessionStorage.removeItem(KEY);
    else sessionStorage.setItem(KEY, value);
  } catch {
    // As above.
  }
}

/** The gateway answered, with a refusal. */
export class Refused extends Error {
  constructor(status, message, code, retryAfterS) {
    super(message);
    this.name = "Refused";
    this.status = status;
    this.code = code;
    this.retryAfterS = retryAfterS;
  }
}

/** The response of a request, once it has begun and is none of refusal. */
export async function open(path, { body, signal } = {}) {
  const headers = {};
  const held = key();
  if (held) headers.Authorization = `Bearer ${held}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const response = await fetch(path, {
    method: body === undefined ? "GET" : "POST",
    headers,
    body: body === undefined ? undefined : JSON.stringify(body),
    cache: "no-store",
    signal,
  });
  if (!response.ok) throw await refusal(response);
  return response;
}

async function refusal(response) {
  let error = {};
  try {
    error = (await response.json()).error ?? {};
  } catch {
    // A proxy in between says it in its own way.
  }
  const message = typeof error.message === "string" ? error.message : `the gateway answered ${response.status}`;
  const retry = Number.parseFloat(response.headers.get("Retry-After") ?? "");
  return new Refused(response.status, message, error.code ?? "", Number.isNaN(retry) ? null : retry);
}

/** The JSON of an answer that comes soon or not at all. */
export async function json(path, body) {
  const response = await open(path, { body, signal: AbortSignal.timeout(PATIENCE_MS) });
  return response.json();
}

/** What a person reads of an error. */
export function said(error) {
  if (error instanceof Refused) return error.message;
  if (error.name === "TimeoutError") return "the gateway does not answer";
  return error instanceof TypeError ? "the gateway cannot be reached" : error.message;
}
