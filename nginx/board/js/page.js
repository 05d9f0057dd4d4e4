/* A page's own view: a dialog with an address of its own, with the course of the page over its usual band, what happened to it, its sources over time, its hours, its
 * headlines, and the evidence of its score. Chart.js is loaded when this is. While it is open it goes on: the figures with the list, the charts once a minute. */
import { ask } from "./api.js";
import { detailOf } from "./events.js";
import { formatDay, formatDayTime, formatSigned, formatTime, formatTwo, formatWhen, formatWhole } from "./format.js";
import { localHours, usualAt } from "./head.js";
import { sinceOf, storyUrl, timesOf, trendOf } from "./list.js";
import { text } from "./texts.js";

const HOUR_MS = 3600000;
const TEN_MINUTES_MS = 600000;
const SOURCE_SPANS = ["1h", "24h"]; // of raw snapshots, which are kept for a day and not for a week
const SPANS = { "1h": { ms: HOUR_MS, step: "1m" }, "24h": { ms: 24 * HOUR_MS, step: "15m" }, "7d": { ms: 168 * HOUR_MS, step: "1h" } };
const STEP_MS = { "1m": 60000, "15m": 900000, "1h": HOUR_MS };
const SOURCES = ["social", "search", "links", "direct", "internal"];
const HEADLINES = 20;
const EVENTS = 1000; // of the whole site
const AGAIN_MS = 60000;
const ROW_AGAIN_MS = 10000; // of a page that is not in the list that is shown

const find = (id) => document.getElementById(id);
const dialog = find("page");
const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

let path = null; // of the page that is shown
let access = null;
let close = null;
let span = "1h";
let row = null; // of /trends, the newest
let missing = "state_loading"; // the text that says why there is no row of this page
let rowNow = 0; // ms, by the server's clock, when it was had
let rowAt = 0; // when it was last in the list, or asked for
let listedAt = 0; // when it was last in the list
let turn = 0; // tells answers of an earlier wish from those of this one
let charts = {};
let library = null;
let loadedAt = 0;

/* Once; a later try asks again where it failed. */
function loadLibrary() {
  library = library || new Promise((done, failed) => {
    const script = document.createElement("script");
    script.src = "chart/chart.min.js";
    script.onload = () => done(window.Chart);
    script.onerror = () => { library = null; script.remove(); failed(new Error("no chart")); };
    document.head.append(script);
  });
  return library;
}

const colour = (name) => getComputedStyle(dialog).getPropertyValue(name).trim();

/* Shows this page of the site, or, with null, closes the view. onClose() is called when somebody closes it. */
export function show(wanted, of, onClose) {
  close = onClose;
  if (!wanted) {
    path = null;
    if (dialog.open) dialog.close();
    release();
    return;
  }
  if (wanted === path && dialog.open && access && of.host === access.host) return;
  if (wanted !== path) {
    row = null;
    listedAt = -ROW_AGAIN_MS;
  }
  missing = "state_loading";
  rowAt = performance.now();
  path = wanted;
  access = { ...of };
  const link = find("page-title").firstElementChild;
  link.firstElementChild.textContent = path;
  const url = storyUrl(access.host, path);
  if (url) link.href = url;
  else link.removeAttribute("href");
  showRow();
  if (!dialog.open) {
    dialog.showModal();
    find("page-close").focus();
  }
  load();
  loadRow();
}

/* The newest rows that the list got: the one of this page among them is newer than ours. */
export function update(pages, serverNow) {
  if (!path || !dialog.open) return;
  if (performance.now() - loadedAt > AGAIN_MS) load(true);
  const mine = pages.find((page) => page.path === path);
  if (mine) {
    row = mine;
    rowNow = serverNow;
    rowAt = listedAt = performance.now();
    showRow();
  } else if (performance.now() - rowAt > ROW_AGAIN_MS) loadRow();
}

/* What the notice of the board says, which the dialog covers. */
export function sayState(words) {
  if (find("page-state").textContent !== words) find("page-state").textContent = words;
}

window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { if (path && dialog.open) load(true); });

function release() {
  for (const chart of Object.values(charts)) chart.destroy();
  charts = {};
  turn++;
}

dialog.addEventListener("close", () => { if (path) { path = null; release(); close(); } });
dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
find("page-close").addEventListener("click", () => dialog.close());
find("spans").addEventListener("click", (event) => {
  const wanted = event.target.dataset.span;
  if (!wanted || wanted === span) return;
  span = wanted;
  load();
});

/* A page that is on no tab that is shown: out of the whole list. */
async function loadRow() {
  const asked = path;
  rowAt = performance.now();
  const answer = await ask("trends", { host: access.host, direction: "all", sort: "visitors", spark: 1, limit: 10000 }, access.key);
  if (asked !== path) return;
  rowNow = answer.serverNow || rowNow;
  missing = answer.status !== 200 ? "evidence_failed" : answer.body.warming ? "evidence_warming" : "evidence_none";
  if (answer.status === 200) row = answer.body.pages.find((page) => page.path === asked) || (performance.now() - listedAt < ROW_AGAIN_MS ? row : null);
  showRow();
}

function showRow() {
  const isMine = row && row.path === path;
  if (isMine) find("page-title").querySelector("bdi").textContent = row.i || path;
  const meta = [];
  if (isMine && row.rank) meta.push(text("place", { rank: formatWhole(row.rank) }));
  if (isMine && row.sections.length) meta.push(row.sections.join(", "));
  if (isMine && sinceOf(row)) meta.push(text("since", { time: formatWhen(new Date(sinceOf(row)), rowNow) }));
  if (isMine && row.first_seen) meta.push(text("first_seen", { time: formatWhen(new Date(row.first_seen), rowNow) }));
  find("page-meta").textContent = meta.join(" · ");
  find("page-now").hidden = !isMine;
  if (isMine) showNow(row);
  find("page-evidence").textContent = isMine ? evidenceOf(row) : text(missing);
  showSources(isMine ? row.sources : null);
}

/* The three figures of the list, in large. */
function showNow(page) {
  const isUp = page.visitors >= page.expected;
  const [now, expected, change] = find("page-now").children;
  find("page-now").dataset.trend = trendOf(page);
  now.textContent = text(page.rank === null ? "page_least" : "page_now", { n: formatWhole(page.visitors) });
  expected.textContent = text(page.new && page.lower_bound ? "before" : "expected", { n: formatWhole(page.expected) });
  change.textContent = (isUp ? "▲ " : "▼ ") + formatSigned(page.visitors - page.expected) +
    (page.ratio === null ? "" : `, ${timesOf(page)}`);
}

/* expected = median × tide, as the measure has it; the tide is what its own two figures say. */
function evidenceOf(page) {
  const median = page.visitors - page.change;
  const tide = median > 0 ? page.expected / median : 1;
  return text("evidence", {
    expected: formatTwo(page.expected), median: formatTwo(median), tide: formatTwo(tide), sigma: formatTwo(page.sigma), score: formatTwo(page.score),
  });
}

function showSources(sources) {
  const list = find("page-sources");
  list.hidden = !sources;
  if (!sources) return;
  const most = Math.max(1, ...SOURCES.map((name) => sources[name].now || 0));
  SOURCES.forEach((name, place) => {
    const li = list.children[place] || list.appendChild(makeSource(name));
    li.querySelector("b").textContent = sources[name].now === null ? "–" : formatWhole(sources[name].now);
    li.querySelector("small").textContent = formatSigned(sources[name].change);
    li.querySelector("rect").setAttribute("width", String(Math.max(0, (100 * (sources[name].now || 0)) / most)));
  });
}

function makeSource(name) {
  const li = document.createElement("li");
  li.className = name;
  li.append(Object.assign(document.createElement("span"), { textContent: text(name) }));
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", "0 0 100 10");
  svg.setAttribute("preserveAspectRatio", "none");
  svg.setAttribute("aria-hidden", "true");
  const bar = svg.appendChild(document.createElementNS("http://www.w3.org/2000/svg", "rect"));
  bar.setAttribute("height", "10");
  li.append(svg, document.createElement("b"), document.createElement("small"));
  return li;
}

/* --- Charts -------------------------------------------------------------------------------------------------- */

/* isAgain: the same page and span as before, whose charts stay until there is something newer. */
async function load(isAgain = false) {
  const mine = ++turn;
  loadedAt = performance.now();
  const { host, key } = access;
  for (const button of find("spans").children) button.setAttribute("aria-pressed", String(button.dataset.span === span));
  if (!isAgain) find("page-note").textContent = text("state_loading");
  const newest = await ask("usual", { host, path }, key);
  if (mine !== turn || !path) return;
  const now = newest.serverNow || Date.now();
  const { ms, step } = SPANS[span];
  const to = Math.floor(now / 60000) * 60000 + 60000;
  const [course, profile, log] = await Promise.all([
    ask("history", { host, path, from: iso(to - ms), to: iso(to), step, sources: SOURCE_SPANS.includes(span) ? 1 : null }, key),
    ask("profile", { host, path }, key),
    ask("events", { host, since: iso(to - ms), until: iso(to), limit: EVENTS }, key),
  ]);
  let Chart = null;
  try { Chart = await loadLibrary(); } catch { /* said below */ }
  if (mine !== turn || !path) return;
  if (course.status !== 200) {
    find("page-note").textContent = text("state_offline");
    return;
  }
  const usual = profile.status === 200 ? profile.body : { hours: null, tz: "UTC" };
  const seen = course.body.points.map((point) => ({ x: Math.min(Date.parse(point.t) + STEP_MS[step] / 2, now), y: point.visitors }));
  if (row && row.path === path && row.rank !== null && !(seen.length > 0 && seen[seen.length - 1].x >= now)) seen.push({ x: now, y: row.visitors });
  const points = withGaps(seen, STEP_MS[step]);
  const events = log.status === 200 ? log.body.events.filter((event) => event.path === path && event.kind !== "headline") : [];
  showHeadlines(course.body.headlines, now);
  showEvents(events, now);
  find("page-note").textContent = Chart ? (points.some((point) => point.y !== null) ? "" : text("chart_none")) : text("chart_failed");
  if (!Chart) return;
  drawCourse(Chart, points, { from: to - ms, to, zone: usual.tz, hours: usual.hours, marks: marksOf(course.body.headlines, events) });
  drawSources(Chart, course.body.sources || [], { from: to - ms, to, stepMs: STEP_MS[step] });
  drawHours(Chart, usual);
}

function withGaps(points, stepMs) {
  return points.flatMap((point, i) => (i > 0 && point.x - points[i - 1].x > 2.5 * stepMs ? [{ x: point.x - 1, y: null }, point] : [point]));
}

function bandOf({ from, to, zone, hours }, name) {
  if (!hours) return [];
  const step = (to - from) / 96;
  return Array.from({ length: 97 }, (_, i) => from + i * step)
    .map((x) => ({ x, y: usualAt(hours, name, localHours(x, zone)) })).filter((point) => point.y !== null);
}

/* A point without a neighbour is no line, and is drawn as a dot. */
const isAlone = (points, i) => [i - 1, i + 1].every((k) => !points[k] || points[k].y === null);

/* [time, word, colour] of each, oldest first. */
function marksOf(headlines, events) {
  const colours = { rise: "--up", takeoff: "--up", fall: "--down" };
  return [
    ...headlines.map((one) => [Date.parse(one.t), text("headline"), colour("--soft")]),
    ...events.map((one) => [Date.parse(one.began_at), text(`event_${one.kind}`), colour(colours[one.kind] || "--soft")]),
  ].sort((a, b) => a[0] - b[0]);
}

/* Upright lines where the headline changed and where something happened, each with its word where there is room for it. */
const marks = {
  id: "marks",
  afterDatasetsDraw(chart, _, given) {
    const { ctx, chartArea, scales } = chart;
    let free = chartArea.left;
    ctx.save();
    ctx.setLineDash([4, 3]);
    ctx.font = given.font;
    ctx.textBaseline = "top";
    for (const [at, word, shade] of given.at || []) {
      const x = scales.x.getPixelForValue(at);
      if (x < chartArea.left || x > chartArea.right) continue;
      ctx.strokeStyle = ctx.fillStyle = shade;
      ctx.beginPath();
      ctx.moveTo(x, chartArea.top);
      ctx.lineTo(x, chartArea.bottom);
      ctx.stroke();
      const width = ctx.measureText(word).width;
      const from = x + 4 + width > chartArea.right ? x - 4 - width : x + 4;
      if (from < free) continue;
      ctx.fillText(word, from, chartArea.top + 2);
      free = from + width + 8;
    }
    ctx.restore();
  },
};

/* At each tenth minute, third hour or midnight, by the clocks of this browser, which may be put forward or back between `from` and `to`. */
export function ticksOf({ from, to }) {
  const found = [];
  if (to - from <= HOUR_MS) {
    const shift = (new Date(to).getTimezoneOffset() * 60000) % TEN_MINUTES_MS; // in Nepal, five minutes
    for (let at = Math.ceil((from - shift) / TEN_MINUTES_MS) * TEN_MINUTES_MS + shift; at <= to; at += TEN_MINUTES_MS) found.push({ value: at });
    return found;
  }
  const first = new Date(from);
  const hours = to - from <= 25 * HOUR_MS ? 3 : 24;
  for (let hour = 0, at = 0; at <= to; hour += hours) {
    at = new Date(first.getFullYear(), first.getMonth(), first.getDate(), hour).getTime();
    if (at >= from && at <= to) found.push({ value: at });
  }
  return found;
}

function drawCourse(Chart, points, given) {
  const tick = (at) => (given.to - given.from > 25 * HOUR_MS ? formatDay(at) : formatTime(at));
  const data = { datasets: [
    { label: text("band"), data: bandOf(given, "p25"), borderWidth: 0, pointRadius: 0, fill: "+1", backgroundColor: colour("--band"), order: 1 },
    { label: "", data: bandOf(given, "p75"), borderWidth: 0, pointRadius: 0, order: 1 },
    { label: text("visitors"), data: points, borderColor: colour("--accent"), backgroundColor: colour("--accent"), borderWidth: 2, pointRadius: (at) => (isAlone(points, at.dataIndex) ? 3 : 0), pointBackgroundColor: colour("--accent"), tension: 0.2, spanGaps: false, clip: 8, order: 0 },
  ] };
  const axis = { grid: { color: colour("--line") }, ticks: { color: colour("--soft"), maxRotation: 0 } };
  const options = {
    animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true, interaction: { mode: "nearest", axis: "x", intersect: false },
    scales: {
      x: { ...axis, type: "linear", min: given.from, max: given.to, afterBuildTicks: (scale) => { scale.ticks = ticksOf(given); }, ticks: { ...axis.ticks, callback: (at) => tick(at) } },
      y: { ...axis, beginAtZero: true, suggestedMax: 10, grace: "12%", ticks: { ...axis.ticks, precision: 0, maxTicksLimit: 7, callback: (n) => formatWhole(n) } },
    },
    plugins: {
      legend: { labels: { color: colour("--soft"), filter: (item, all) => item.text !== "" && all.datasets[item.datasetIndex].data.length > 0, boxWidth: 14 } },
      tooltip: { filter: (item) => item.datasetIndex === 2, callbacks: { title: (items) => items.map((item) => formatDayTime(item.raw.x)), label: (item) => formatTwo(item.raw.y) } },
      marks: { at: given.marks, font: `12px ${getComputedStyle(dialog).fontFamily}` },
    },
  };
  replace(Chart, "chart", { type: "line", data, options, plugins: [marks] });
  const seen = points.map((point) => point.y).filter((y) => y !== null);
  find("chart").setAttribute("aria-label", seen.length ? text("chart", { title: find("page-title").textContent, span: text(`span_${span}`), low: formatWhole(Math.min(...seen)), high: formatWhole(Math.max(...seen)) }) : text("chart_none"));
}

/* One band upon the other, each in its colour; a page that nobody came to for some steps has a gap. */
function drawSources(Chart, rows, given) {
  find("from-title").hidden = find("from-box").hidden = rows.length < 2;
  if (rows.length < 2) return;
  const axis = { grid: { display: false }, ticks: { color: colour("--soft"), maxRotation: 0 } };
  const tick = (at) => formatTime(at);
  const data = { datasets: SOURCES.map((name, place) => ({
    label: text(name), data: withGaps(rows.map((row) => ({ x: Math.min(Date.parse(row.t) + given.stepMs / 2, given.to), y: row[name] })), given.stepMs),
    borderColor: colour(`--${name}`), backgroundColor: colour(`--${name}`), borderWidth: 1, pointRadius: 0, pointHitRadius: 6, fill: place === 0 ? "origin" : "-1",
  })) };
  const options = {
    animation: false, responsive: true, maintainAspectRatio: false, parsing: false, normalized: true, interaction: { mode: "index", intersect: false },
    scales: {
      x: { ...axis, type: "linear", min: given.from, max: given.to, afterBuildTicks: (scale) => { scale.ticks = ticksOf(given); }, ticks: { ...axis.ticks, callback: tick } },
      y: { ...axis, stacked: true, beginAtZero: true, ticks: { ...axis.ticks, precision: 0, maxTicksLimit: 4, callback: (n) => formatWhole(n) } },
    },
    plugins: {
      legend: { labels: { color: colour("--soft"), boxWidth: 14 } },
      tooltip: { callbacks: { title: (items) => items.slice(0, 1).map((item) => formatDayTime(item.raw.x)), label: (item) => `${item.dataset.label} ${formatTwo(item.raw.y)}` } },
    },
  };
  replace(Chart, "from", { type: "line", data, options });
  const last = rows[rows.length - 1];
  find("from").setAttribute("aria-label", `${text("from_where")}: ${SOURCES.map((name) => `${text(name)} ${formatWhole(last[name])}`).join(", ")}`);
}

/* By the clocks of the site, which need not be those of this browser: the zone is said. */
function drawHours(Chart, { hours, tz }) {
  const known = (hours || []).filter((hour) => hour.median !== null);
  find("hours-title").hidden = find("hours-box").hidden = known.length === 0;
  if (known.length === 0) return;
  const title = text("hours_in", { zone: tz.replace(/_/g, " ") });
  find("hours-title").textContent = title;
  const axis = { grid: { display: false }, ticks: { color: colour("--soft"), maxRotation: 0 } };
  const data = { labels: (hours || []).map((hour) => String(hour.hour)), datasets: [
    { type: "line", label: text("median"), data: (hours || []).map((hour) => hour.median), borderColor: colour("--accent"), backgroundColor: colour("--accent"), borderWidth: 2, pointRadius: 2, pointBackgroundColor: colour("--accent") },
    { type: "bar", label: text("quartiles"), data: (hours || []).map((hour) => (hour.p25 === null ? null : [hour.p25, hour.p75])), backgroundColor: colour("--band"), barPercentage: 0.9, categoryPercentage: 1 },
  ] };
  const options = {
    animation: false, responsive: true, maintainAspectRatio: false,
    scales: { x: axis, y: { ...axis, beginAtZero: true, ticks: { ...axis.ticks, precision: 0, maxTicksLimit: 4, callback: (n) => formatWhole(n) } } },
    plugins: { legend: { labels: { color: colour("--soft"), boxWidth: 14 } } },
  };
  replace(Chart, "hours", { type: "bar", data, options });
  find("hours").setAttribute("aria-label", known.length ? `${title}: ${known.map((hour) => `${hour.hour}: ${formatWhole(hour.median)}`).join(", ")}` : text("chart_none"));
}

/* In place: a chart that is made anew each minute is what other dashboards die of. */
function replace(Chart, name, config) {
  if (!charts[name]) charts[name] = new Chart(find(name), config);
  else {
    Object.assign(charts[name], { data: config.data, options: config.options });
    charts[name].update("none");
  }
}

function showEvents(events, now) {
  find("page-events-title").hidden = events.length === 0;
  find("page-events").replaceChildren(...events.slice(0, HEADLINES).map((event) => {
    const li = document.createElement("li");
    const time = li.appendChild(document.createElement("time"));
    time.dateTime = event.began_at;
    time.textContent = formatWhen(new Date(event.began_at), now);
    li.appendChild(document.createElement("span")).textContent = detailOf(event);
    return li;
  }));
}

function showHeadlines(changes, now) {
  find("headlines-title").hidden = changes.length === 0;
  find("headlines").replaceChildren(...changes.slice(-HEADLINES).reverse().map((change) => {
    const li = document.createElement("li");
    const time = li.appendChild(document.createElement("time"));
    time.dateTime = change.t;
    time.textContent = formatWhen(new Date(change.t), now);
    const title = li.appendChild(document.createElement("bdi"));
    title.dir = "auto";
    title.textContent = change.i;
    return li;
  }));
}
