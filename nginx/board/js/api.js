/* One way to ask the service. The key goes in a header; the browser's own cache answers with an ETag. */
const base = new URL(document.querySelector('meta[name="upbeat-api"]').content, document.baseURI);
const WITHIN_MS = 6000;
const MOST_CHARACTERS = 300;

const number = (text) => (/^\d+$/.test(text || "") ? Number(text) : null);

/* What a response says of time, by the server's clock alone: the client's may be wrong by hours. `askedAt` is when we asked, by
 * performance.now(), so that an age is never said to be smaller than it is. */
function times(response, body, askedAt) {
  const date = Date.parse(response.headers.get("Date"));
  const asOf = Date.parse(body && body.as_of);
  const taken = Date.parse(response.headers.get("Last-Modified")); // of a copy that stands in for an answer, which has no Age
  const ages = [1000 * (number(response.headers.get("Age")) || 0), ...[asOf, taken].map((at) => (Number.isFinite(date - at) ? date - at : 0))];
  const maxAge = /max-age=(\d+)/.exec(response.headers.get("Cache-Control") || "");
  return {
    askedAt,
    ageMs: Math.max(...ages, 0),
    serverNow: Number.isFinite(date) ? date : asOf,
    maxAgeS: maxAge ? Number(maxAge[1]) : 0,
    retryAfterS: number(response.headers.get("Retry-After")),
  };
}

/* Whether it is what the service says: a captive portal answers 200 to everything. */
const FORMS = {
  trends: (body) => Array.isArray(body.pages) && body.site,
  events: (body) => Array.isArray(body.events),
  history: (body) => Array.isArray(body.points),
  profile: (body) => Array.isArray(body.hours),
  hosts: (body) => Array.isArray(body.hosts),
  increasingconcurrents: Array.isArray,
};
const isSound = (path, body) => Boolean(body && (!FORMS[path] || FORMS[path](body)));

/* Asks for a path below the API with these parameters. Gives {status, body, …times}; status 0: there was no answer, and `isTimeout` says
 * whether we waited in vain. `isStandIn`: it is a copy, and the service is away. Never throws. */
export async function ask(path, parameters, key, signal) {
  const url = new URL(path, base);
  for (const [name, value] of Object.entries(parameters)) if (value !== undefined && value !== null) url.searchParams.set(name, value);
  const askedAt = performance.now();
  const ours = new AbortController();
  const end = () => ours.abort();
  const timer = setTimeout(end, WITHIN_MS);
  if (signal) signal.addEventListener("abort", end, { once: true });
  try {
    const response = await fetch(url, { headers: { "X-CB-AK": key, Accept: "application/json" }, cache: "no-cache", credentials: "same-origin", redirect: "error", signal: ours.signal });
    const isJson = /json/.test(response.headers.get("Content-Type") || "");
    const body = isJson ? await response.json() : null;
    // nginx's copy of an earlier answer, since no worker gave one: the numbers are to be shown, and that there is nobody there. Only
    // Cache-Control says so for certain: of a 304 the browser keeps Age and Warning of the answer before.
    const isStandIn = /no-cache/.test(response.headers.get("Cache-Control") || "");
    return { status: response.ok && !isSound(path, body) ? 0 : response.status, body, isStandIn, ...times(response, body, askedAt) };
  } catch {
    return { status: 0, body: null, isTimeout: ours.signal.aborted && !(signal && signal.aborted), isAborted: Boolean(signal && signal.aborted), askedAt, ageMs: 0, maxAgeS: 0, retryAfterS: null };
  } finally {
    clearTimeout(timer);
    if (signal) signal.removeEventListener("abort", end);
  }
}

/* What the service says for a person of an answer that is none, in English; "" where that is nothing, or has the key in it. */
export function refusalOf(answer, key) {
  const said = answer && answer.body && answer.body.detail;
  return typeof said === "string" && !said.includes(key) ? said.slice(0, MOST_CHARACTERS) : "";
}

/* By the service, which says so in JSON: a proxy in front of it that wants a password of its own knows nothing of our keys. */
export const isRefusal = (answer) => Boolean(answer.body) &&
  (answer.status === 401 || answer.status === 403 || (answer.status === 400 && ["apikey", "host"].includes(answer.body.parameter)));
