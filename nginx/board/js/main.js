/* The board: what it is asked to show, what it asks for, and in which state it is. */
import { addressOf, forgetAccess, isHost, isKey, keepAccess, readAccess, readAddress, writeAddress } from "./access.js";
import { ask, isRefusal, refusalOf } from "./api.js";
import { Events } from "./events.js";
import { formatAge, formatWhole } from "./format.js";
import { Head } from "./head.js";
import { List, trendOf } from "./list.js";
import { Pace, Patience, everyMs, pauseAfter } from "./pace.js";
import { keepAwake, startTheme, watchForUpdate } from "./screen.js";
import { FADED_S, STALE_S, UNKNOWN_S, stateOf } from "./state.js";
import { fillTexts, language, text } from "./texts.js";

const TABS = ["rising", "falling", "top"];
const LIMIT = 100;
const TV_LIMIT = 8;
const DAY_PAUSE_MS = 300000;
const FIRST_MS = 1000; // between two tries for a first list, for a start
const AGAIN_MS = 1000; // where the past is not known yet, and twice as long each time
const ANNOUNCE_MS = 10000;
const WALL_MS = 6000;

const find = (id) => document.getElementById(id);
const html = document.documentElement;

let options = readAddress();
let access = {};
let data = null; // of the newest answer that had any: {ageMs, askedAt, wallAt, isWarming, known, needed, isEmpty}
let failures = 0;
let usualMs = FIRST_MS; // between two lists, as the newest good one says
let failed = null; // the answer that failed last
let isRefused = false;
let aborter = new AbortController();
let dayDueAt = 0;
let dayPauseMs = AGAIN_MS;
let announced = new Set();
let announcedAt = -ANNOUNCE_MS;
let pageView = null; // the module page.js, once it was wanted
let wall = null; // the module wall.js
const parts = {}; // modules that are on their way or here
let lostParts = 0; // how often one could not be had
let isPartLost = false; // right now
let hostsOfKey = [];
let hasHosts = false; // they are known, or asked for right now
const hostsPatience = new Patience();
let isUpdated = false; // the files are newer than this page

const tab = () => (TABS.includes(options.get("tab")) ? options.get("tab") : "rising");
const isTv = () => options.has("tv");
const isWall = () => options.has("wall") && hostsOfKey.length > 1;

fillTexts(document);
html.lang = language;
const head = new Head();
const list = new List(find("rows"), find("held"), openPage);
const events = new Events(openPage);
startTheme(find("theme"));
const stayAwake = keepAwake(isTv);
watchForUpdate(isTv, () => {
  isUpdated = true;
  showState();
});

/* --- What is wanted ------------------------------------------------------------------------------------------ */

function readWishes() {
  const stored = readAccess();
  const host = (options.get("host") || stored.host || "").toLowerCase();
  const isNewKey = stored.key !== access.key;
  const isNew = host !== access.host || isNewKey;
  access = { host, key: stored.key };
  if (isNew) {
    isRefused = false;
    failures = 0;
    failed = data = null;
    dayDueAt = 0;
    dayPauseMs = AGAIN_MS;
    announced = null;
    list.clear();
    head.clear();
    events.clear();
  }
  if (isNewKey) {
    hostsOfKey = [];
    hasHosts = false;
    hostsPatience.reset();
    find("hosts").hidden = find("wall-link").hidden = true;
  }
  find("host-choice").value = access.host;
  html.toggleAttribute("data-tv", isTv());
  html.toggleAttribute("data-wall", isWall());
  html.dataset.tab = tab();
  head.host.textContent = (isWall() && text("wall")) || access.host || "upbeat";
  head.host.title = access.host || "";
  document.title = access.host ? `${access.host} – upbeat` : "upbeat";
  for (const name of TABS) {
    const button = find(`tab-${name}`);
    button.setAttribute("aria-selected", String(name === tab()));
    button.tabIndex = name === tab() ? 0 : -1;
  }
  find("panel").setAttribute("aria-labelledby", `tab-${tab()}`);
  find("tv-link").href = addressOf(withOption("tv", ""));
  find("wall-link").href = addressOf(withOption("wall", options.has("wall") ? null : ""));
  find("wall-link").textContent = text(isWall() ? "one" : "wall");
  stayAwake();
}

function withOption(name, value) {
  const changed = new URLSearchParams(options);
  if (access.host) changed.set("host", access.host);
  if (value === null) changed.delete(name);
  else changed.set(name, value);
  return changed;
}

function go(changed) {
  options = changed;
  writeAddress(options);
  wish();
}

/* After a change of the address, of the tab or of the key. */
function wish() {
  const before = `${access.host} ${html.dataset.tab}`;
  const wasWall = html.hasAttribute("data-wall");
  readWishes();
  if (before !== `${access.host} ${html.dataset.tab}`) list.clear();
  if (wasWall && !isWall()) { // the rows are those of before, and the age is the wall's
    list.clear();
    data = null;
  }
  aborter.abort();
  aborter = new AbortController();
  showState();
  showPage();
  pace.poke();
}

/* The link moves the focus alone: the fragment is where site, tab and page stand. */
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  find("panel").focus();
});

window.addEventListener("hashchange", () => {
  options = readAddress();
  wish();
});

/* --- Asking -------------------------------------------------------------------------------------------------- */

const QUESTIONS = { rising: { direction: "up" }, falling: { direction: "down" }, top: { direction: "all", sort: "visitors" } };

async function turn() {
  if (!access.host || !access.key) return 3600000;
  if (isWall()) return turnWall();
  const { host, key } = access;
  const wanted = tab();
  const signal = aborter.signal;
  const asked = ask("trends", { host, ...QUESTIONS[wanted], spark: 1, limit: isTv() ? TV_LIMIT : LIMIT }, key, signal);
  const happened = events.load(host, key, signal);
  const answer = await asked;
  if (signal.aborted) return 0;
  const before = failures;
  if (answer.status === 200 && !answer.isStandIn) usualMs = everyMs(answer);
  if (answer.status === 200) await take(answer, { host, key, wanted, signal });
  else fail(answer);
  if (answer.isStandIn) {
    failures = before + 1;
    failed = answer;
  }
  await happened;
  if (signal.aborted) return 0;
  showState();
  answer.isRefusal = isRefused;
  return pauseAfter(answer, failures, usualMs);
}

function fail(answer) {
  failures++;
  failed = answer;
  isRefused = isRefusal(answer);
}

async function take(answer, { host, key, wanted, signal }) {
  const { body } = answer;
  const isLate = body.warming && answer.ageMs > 1000 * body.recent_s;
  if (failures > 0) for (const patience of [hostsPatience, events.patience]) patience.reset();
  failures = 0;
  failed = null;
  isRefused = false;
  let pages = body.pages;
  if (body.warming && !isLate) {
    const plain = await ask("increasingconcurrents", { host, limit: isTv() ? TV_LIMIT : LIMIT }, key, signal);
    if (signal.aborted) return;
    pages = plain.status === 200 ? plain.body : [];
  }
  data = { ageMs: answer.ageMs, askedAt: answer.askedAt, wallAt: Date.now(), isWarming: body.warming && !isLate, known: Math.min(body.minutes_known, body.minutes_needed - 1), needed: body.minutes_needed, isEmpty: isLate ? list.rows.size === 0 : pages.length === 0 };
  if (!isLate) draw(pages, body, wanted, answer.serverNow);
  if (!hasHosts && hostsPatience.isDue) loadHosts();
  loadDay({ host, key }, answer);
  if (isPartLost) showPage();
}

/* Where not all of the day is known it is asked for again, without waiting for the next turn: a past may be coming in. */
async function loadDay({ host, key }, { serverNow, askedAt }) {
  if (performance.now() < dayDueAt || document.hidden) return;
  dayDueAt = performance.now() + DAY_PAUSE_MS * (0.9 + 0.2 * Math.random());
  const isAll = await head.load(host, key, serverNow + performance.now() - askedAt);
  if (isAll || host !== access.host || key !== access.key) return;
  dayDueAt = Math.min(dayDueAt, performance.now() + dayPauseMs);
  setTimeout(() => { if (host === access.host && key === access.key) loadDay({ host, key }, { serverNow, askedAt }); }, dayPauseMs + 1);
  dayPauseMs *= 2;
}

function draw(pages, body, wanted, serverNow) {
  performance.mark("upbeat-draw");
  if (!body.warming) {
    for (const page of pages) {
      page.trend = wanted === "rising" ? "up" : wanted === "falling" ? "down" : trendOf(page);
      page.isSinceBefore = !page.since && page.spark_since && Date.parse(page.spark_since) <= Date.parse(body.as_of) - 1000 * (body.window_s - 60);
    }
    for (const name of TABS) find(`tab-${name}`).querySelector("small").textContent = formatWhole(body.site[{ rising: "rising", falling: "falling", top: "listed" }[name]]);
    head.show(body.site, new Date(serverNow));
    if (wanted === "rising") announce(pages);
  }
  list.show(pages, { host: access.host, tab: wanted, isPlain: body.warming, now: serverNow });
  find("empty").hidden = pages.length > 0;
  if (pages.length === 0) find("empty").textContent = text(body.warming ? "empty_warming" : `empty_${wanted}`);
  if (pageView) pageView.update(body.warming ? [] : pages, serverNow);
  performance.measure("upbeat-draw", "upbeat-draw");
  performance.clearMarks("upbeat-draw");
  if (performance.getEntriesByName("upbeat-draw").length > 200) performance.clearMeasures("upbeat-draw");
}

/* New rises, to those who listen: politely, and not more often than every ten seconds. */
function announce(pages) {
  const now = new Set(pages.map((page) => page.path));
  if (announced === null) {
    announced = now;
    return;
  }
  if (performance.now() - announcedAt < ANNOUNCE_MS) return;
  const fresh = pages.filter((page) => !announced.has(page.path));
  announced = now;
  if (fresh.length === 0) return;
  announcedAt = performance.now();
  find("live").textContent = text(fresh.length > 1 ? "live" : "live_one", { title: fresh[0].i || fresh[0].path, n: formatWhole(fresh.length - 1) });
}

/* --- States -------------------------------------------------------------------------------------------------- */

/* Seconds. The computer may have slept, when performance.now() stands still in some browsers: then the wall clock tells. */
function ageS() {
  if (!data) return null;
  const passed = Math.max(performance.now() - data.askedAt, Date.now() - data.wallAt);
  return (data.ageMs + passed) / 1000;
}

function showState() {
  const age = ageS();
  const state = stateOf({
    hasAccess: Boolean(access.host && access.key), isRefused, ageS: age, failures, failedStatus: failed && failed.status, isTimeout: Boolean(failed && (failed.isTimeout || failed.isStandIn || failed.status === 504)),
    isOnline: navigator.onLine, isWarming: Boolean(data && data.isWarming), isEmpty: Boolean(data && data.isEmpty),
  });
  const isNew = html.dataset.state !== state;
  if (isNew) html.dataset.state = state;
  html.dataset.age = age === null ? "none" : age >= UNKNOWN_S ? "unknown" : age >= FADED_S ? "faded" : age >= STALE_S || state === "offline" ? "old" : "fresh";
  const isAsking = state === "key" || state === "refused";
  const isFresh = age < STALE_S && ["live", "quiet", "warming"].includes(state);
  const ageText = age === null || isAsking ? "" : isFresh ? text("age_fresh") : text("age", { age: formatAge(age) });
  if (find("age").textContent !== ageText) find("age").textContent = ageText;
  find("ask").hidden = !isAsking;
  find("list").hidden = isAsking || isWall();
  find("wall").hidden = !isWall() || isAsking;
  find("leave").hidden = !access.key;
  const words = isAsking ? "" : noticeOf(state, age) || (isPartLost && text("part_lost")) || (isUpdated ? text("updated") : "");
  if (find("notice").textContent !== words) find("notice").textContent = words;
  if (pageView) pageView.sayState(isAsking ? "" : words);
  if (isAsking && isNew) showForm(state);
}

/* The age is said to the second beside the numbers; in the notice, which is read out, to the half minute. */
function noticeOf(state, age) {
  const isOffNet = state === "offline" && !navigator.onLine;
  const rough = age === null ? 0 : age < 60 ? Math.floor(age / 10) * 10 : Math.floor(age / 60) * 60;
  const said = text(`state_${state}${isOffNet ? "_net" : ""}`, { age: formatAge(rough), known: data && formatWhole(data.known), needed: data && formatWhole(data.needed) });
  return said === `state_${state}` ? "" : said;
}

setInterval(() => { if (!document.hidden) showState(); }, 1000);
document.addEventListener("visibilitychange", () => { if (!document.hidden) showState(); });
for (const name of ["online", "offline"]) window.addEventListener(name, showState);

/* --- The form ------------------------------------------------------------------------------------------------ */

function showForm(state) {
  find("ask-why").textContent = state === "refused" ? text("ask_refused", { host: access.host }) : text("ask_first");
  find("ask-detail").textContent = state === "refused" ? refusalOf(failed, access.key) : "";
  find("ask-detail").hidden = find("ask-detail").textContent === "";
  find("ask-host").value = access.host || "";
  find("ask-key").value = "";
  if (!isTv()) (access.host ? find("ask-key") : find("ask-host")).focus();
}

find("ask-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const host = find("ask-host").value.trim().toLowerCase().replace(/^https?:\/\//, "").replace(/\/.*$/, "");
  const key = find("ask-key").value.trim();
  if (!isHost(host) || !isKey(key)) {
    find("ask-why").textContent = text("ask_bad");
    return;
  }
  find("ask-key").value = "";
  keepAccess({ host, key }, find("ask-keep").checked);
  access = {};
  const changed = new URLSearchParams(options);
  changed.set("host", host);
  go(changed);
});

find("leave").addEventListener("click", () => {
  forgetAccess();
  go(new URLSearchParams());
});

/* --- Tabs, hosts, the wall, a page's own view ---------------------------------------------------------------------- */

find("tabs").addEventListener("click", (event) => {
  const button = event.target.closest("[role=tab]");
  if (button) go(withOption("tab", button.id.slice(4)));
});
find("tabs").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowLeft: -1, Home: -TABS.indexOf(tab()), End: TABS.length - 1 - TABS.indexOf(tab()) }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  const next = TABS[(TABS.indexOf(tab()) + step + TABS.length) % TABS.length];
  go(withOption("tab", next));
  find(`tab-${next}`).focus();
});

/* Once the key has proved good: before that it has no sites. */
async function loadHosts() {
  const { key } = access;
  hasHosts = true;
  const answer = await ask("hosts", { limit: 200 }, key);
  if (key !== access.key) return;
  if (answer.status !== 200) {
    hasHosts = false;
    hostsPatience.fail();
    return;
  }
  hostsOfKey = answer.body.hosts.map((one) => one.host);
  if (hostsOfKey.length < 2) return;
  const choice = find("host-choice");
  choice.replaceChildren(...hostsOfKey.map((host) => new Option(host, host, false, host === access.host)));
  find("hosts").hidden = find("wall-link").hidden = false;
  if (options.has("wall")) wish();
}
find("host-choice").addEventListener("change", (event) => {
  const changed = withOption("wall", null);
  changed.delete("page");
  changed.set("host", event.target.value);
  go(changed);
});

/* A module that is loaded when it is first wanted; null where it can't be had. For a browser an import that failed stays failed at its address, so
 * that a later try has another one. */
function loadPart(name) {
  const address = `./${name}.js${lostParts ? `?try=${lostParts}` : ""}`;
  parts[name] = parts[name] || import(address).catch(() => {
    lostParts++;
    return (parts[name] = null);
  });
  return parts[name];
}

/* The age of the wall is that of its newest answer; each head says by itself where it is older. */
async function turnWall() {
  const signal = aborter.signal;
  wall = wall || (await loadPart("wall"));
  if (signal.aborted) return 0;
  if (!wall) {
    fail({ status: 0, isTimeout: true }); // which is said at once
    showState();
    return pauseAfter(failed, failures, WALL_MS);
  }
  const answers = await wall.showWall(find("wall-list"), hostsOfKey, access.key, signal, (host) => {
    const changed = withOption("wall", null);
    changed.set("host", host);
    return addressOf(changed);
  });
  if (signal.aborted) return 0;
  const [newest] = answers.filter((answer) => answer.status === 200).sort((a, b) => a.isStandIn - b.isStandIn || a.ageMs - b.ageMs);
  if (newest) {
    data = { ageMs: newest.ageMs, askedAt: newest.askedAt, wallAt: Date.now(), isWarming: false, isEmpty: false };
    failures = newest.isStandIn ? failures + 1 : 0;
    failed = newest.isStandIn ? newest : null;
    isRefused = false;
  } else fail(answers.find((answer) => answer.status === 429) || answers.find((answer) => !isRefusal(answer)) || answers[0]);
  showState();
  return pauseAfter({ ...failed, isRefusal: isRefused }, failures, WALL_MS);
}

function openPage(path) {
  const changed = withOption("page", path);
  history.pushState(null, "", addressOf(changed));
  options = changed;
  showPage();
}

/* Loaded when it is first wanted, with the chart; where that failed, again with the next list. */
async function showPage() {
  if (!options.has("page") && !pageView) {
    isPartLost = false;
    return;
  }
  pageView = pageView || (await loadPart("page"));
  isPartLost = !pageView;
  showState();
  if (isPartLost) return;
  const isWanted = access.host && access.key && options.has("page");
  pageView.show(isWanted ? options.get("page") : null, access, () => go(withOption("page", null)));
}

/* --- Start --------------------------------------------------------------------------------------------------- */

const pace = new Pace(turn);
wish();
