/* Which site, and the key to read it. The key is in the fragment for a moment, in the browser's storage, and in the header X-CB-AK. */
const NAME = "upbeat-access";

const stored = (storage) => {
  try { return JSON.parse(storage().getItem(NAME)) || {}; } catch { return {}; }
};
let remembered = {}; // where the browser stores nothing
const session = () => window.sessionStorage;
const local = () => window.localStorage;

/* The options in the address: host, tab, page, tv, wall; a key there is taken out at once and kept. */
export function readAddress() {
  const given = new URLSearchParams(location.hash.slice(1));
  const key = given.get("key");
  if (key !== null) {
    const host = given.get("host") || readAccess().host;
    given.delete("key");
    writeAddress(given);
    if (host && key) keepAccess({ host, key }, false);
  }
  return given;
}

/* The options as a fragment, `tv` and `wall` without a value. */
export function addressOf(options) {
  const words = [...options].map(([name, value]) => (value === "" ? name : `${name}=${encodeURIComponent(value).replace(/%2F/g, "/")}`));
  return "#" + words.join("&");
}

export function writeAddress(options) {
  if (addressOf(options) === location.hash) return;
  history.replaceState(history.state, "", location.pathname + location.search + addressOf(options));
}

export function readAccess() {
  const found = [stored(session), stored(local)].find((one) => one.key);
  return found || remembered;
}

/* For this tab, or for this screen. */
export function keepAccess(access, isForScreen) {
  const words = JSON.stringify({ host: access.host, key: access.key });
  remembered = JSON.parse(words);
  try { session().setItem(NAME, words); } catch { /* such a browser forgets at the next load */ }
  if (isForScreen) try { local().setItem(NAME, words); } catch { /* the same */ }
}

export function forgetAccess() {
  remembered = {};
  for (const storage of [session, local]) try { storage().removeItem(NAME); } catch { /* there was none */ }
}

export const isHost = (host) => /^(?:[a-z0-9._-]{1,63}@)?[a-z0-9.-]{1,253}$/.test(host);
export const isKey = (key) => /^[A-Za-z0-9_-]{8,128}$/.test(key);
