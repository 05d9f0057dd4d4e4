/* The table of pages. Rows are keyed by path, updated in place, and moved; while somebody points at the list or has the focus in it, the
 * order is held. */
import { formatRatio, formatSigned, formatWhen, formatWhole } from "./format.js";
import { sparkPaths } from "./spark.js";
import { text } from "./texts.js";

const MOVE_MS = 300;
const IDLE_MS = 120000; // a pointer that was left on the list, or a focus that nobody uses, holds the order no longer
const SHOWN = { min_score: 2.8, min_visitors: 10, min_change: 5 }; // what /trends calls rising or falling where it is not told
const SOURCES = ["social", "search", "links", "direct", "internal"];
const still = window.matchMedia("(prefers-reduced-motion: reduce)");

/* The address of a page, or "". The pages of video@news.example are at news.example. A path begins with a slash; before that of another
 * host of the site stands its name. Nothing in it makes it anything else than https. */
export function storyUrl(host, path) {
  const own = path.startsWith("/");
  const site = host.replace(/^.*@/, "");
  const wanted = own ? site : path.split("/")[0];
  try {
    const url = new URL(`https://${own ? site : ""}${path}`);
    return url.protocol === "https:" && url.hostname === wanted && !url.username && !url.port ? url.href : "";
  } catch {
    return "";
  }
}

/* Since when a page rises or falls: as it was told, or as its minutes show. */
export const sinceOf = (page) => page.since || page.spark_since;

/* As /trends has it by default: the tab of all pages shows those too that do neither. */
export function trendOf(page) {
  const more = page.visitors - page.expected;
  const most = Math.max(page.visitors, page.expected);
  if (Math.abs(page.score) < SHOWN.min_score || Math.abs(more) < SHOWN.min_change || most < SHOWN.min_visitors) return "steady";
  return more > 0 ? "up" : "down";
}

/* How many times what is expected, in words. */
export function timesOf(page) {
  if (page.ratio === null) return text("fresh");
  const isUp = page.visitors >= page.expected;
  return text(!page.lower_bound ? "times" : isUp ? "times_least" : "times_most", { n: formatRatio(page.ratio) });
}

/* The sources that make up the change against what is expected, largest first: [{source, change}]. */
export function reasonsOf(page) {
  if (!page.sources) return [];
  const sign = page.visitors < page.expected ? -1 : 1;
  const all = SOURCES.map((source) => ({ source, change: page.sources[source].change }))
    .filter((one) => sign * one.change >= 3)
    .sort((a, b) => sign * (b.change - a.change));
  return all.filter((one) => Math.abs(one.change) >= 0.15 * Math.abs(all[0].change)).slice(0, 3);
}

/* Figures that are too long for their column are set smaller. */
const LONG = 7;
const setFigure = (row, name, node, value) => {
  set(row, name, node, value);
  node.classList.toggle("long", value.length > LONG);
};

const set = (row, name, node, value) => {
  if (row.said[name] === value) return;
  row.said[name] = value;
  node.textContent = value;
};
const setAttribute = (row, name, node, attribute, value) => {
  if (row.said[name] === value) return;
  row.said[name] = value;
  if (value === null) node.removeAttribute(attribute);
  else node.setAttribute(attribute, value);
};

export class List {
  /* onOpen(path) shows a page's own view. */
  constructor(root, held, onOpen) {
    this.root = root;
    this.held = held;
    this.template = document.getElementById("row").content.firstElementChild;
    this.rows = new Map();
    this.waiting = null;
    this.isPointed = false;
    this.usedAt = 0;
    root.addEventListener("click", (event) => {
      const button = event.target.closest("button.spark");
      if (button) onOpen(button.closest("li").dataset.path);
    });
    for (const name of ["pointerenter", "pointermove", "focusin", "keydown"]) root.addEventListener(name, () => { this.usedAt = performance.now(); }, { passive: true });
    root.addEventListener("pointerenter", () => { this.isPointed = true; });
    root.addEventListener("pointerleave", () => { this.isPointed = false; this.release(); });
    root.addEventListener("focusout", () => setTimeout(() => this.release(), 0));
    root.addEventListener("keydown", (event) => this.walk(event));
  }

  get isHeld() {
    return (this.isPointed || this.root.contains(document.activeElement)) && performance.now() - this.usedAt < IDLE_MS;
  }

  /* Up and down go from story to story. */
  walk(event) {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (!step) return;
    const all = [...this.root.children];
    const place = all.indexOf(event.target.closest("li")) + step;
    if (all[place]) {
      event.preventDefault();
      all[place].querySelector(event.target.matches("button.spark") ? "button.spark" : "a.title").focus();
    }
  }

  clear() {
    this.rows.clear();
    this.root.replaceChildren();
    this.waiting = null;
    this.sayHeld(0);
  }

  /* Shows these pages in this order. view: {host, tab, isPlain, now}, now in ms by the server's clock. */
  show(pages, view) {
    const wanted = new Set();
    for (const page of pages) {
      wanted.add(page.path);
      this.update(this.rows.get(page.path) || this.add(page.path), page, view);
    }
    if (this.isHeld && this.root.childElementCount > 0) this.hold(pages, wanted);
    else this.arrange(pages.map((page) => page.path), wanted);
  }

  add(path) {
    const li = this.template.cloneNode(true);
    const find = (selector) => li.querySelector(selector);
    li.dataset.path = path;
    const row = {
      li, said: {}, title: find(".title"), bdi: find("bdi"), section: find(".section"), since: find(".since"), fresh: find(".new"), why: find(".why"),
      spark: find(".spark"), area: find(".area"), expected: find(".expected"), line: find(".line"), dot: find("circle"),
      people: find(".people strong"), peopleNote: find(".people small"), times: find(".times strong"), timesNote: find(".times small"),
    };
    this.rows.set(path, row);
    return row;
  }

  /* Rows stay where they are; new ones come at the end, gone ones stay, marked. */
  hold(pages, wanted) {
    for (const page of pages) {
      const row = this.rows.get(page.path);
      if (!row.li.isConnected) this.root.append(row.li);
    }
    for (const [path, row] of this.rows) row.li.classList.toggle("gone", !wanted.has(path));
    this.waiting = { order: pages.map((page) => page.path), wanted };
    const now = [...this.root.children].map((li) => li.dataset.path).filter((path) => wanted.has(path));
    this.sayHeld(now.filter((path, place) => path !== this.waiting.order[place]).length + this.rows.size - wanted.size);
  }

  sayHeld(count) {
    this.held.hidden = count === 0;
    if (count > 0) this.held.textContent = count === 1 ? text("held_one") : text("held", { n: formatWhole(count) });
  }

  release() {
    if (!this.waiting || this.isHeld) return;
    const { order, wanted } = this.waiting;
    this.arrange(order, wanted);
  }

  arrange(order, wanted) {
    this.waiting = null;
    this.sayHeld(0);
    const isMoved = order.length !== this.root.childElementCount || order.some((path, place) => this.root.children[place].dataset.path !== path);
    if (!isMoved) return;
    const before = still.matches ? null : this.places();
    for (const [path, row] of this.rows) {
      row.li.classList.remove("gone");
      if (wanted.has(path)) continue;
      row.li.remove();
      this.rows.delete(path);
    }
    order.forEach((path, place) => {
      const { li } = this.rows.get(path);
      if (this.root.children[place] !== li) this.root.insertBefore(li, this.root.children[place] || null);
    });
    if (before && before.size > 0) this.glide(before);
  }

  places() {
    const tops = new Map();
    for (const li of this.root.children) tops.set(li.dataset.path, li.offsetTop);
    return tops;
  }

  /* First, last, invert, play: by what is called FLIP (Paul Lewis 2015). Rows that nobody sees do not glide. */
  glide(before) {
    const top = window.scrollY - this.root.getBoundingClientRect().top - window.scrollY - 200;
    const bottom = top + window.innerHeight + 400;
    const after = [...this.root.children].map((li) => [li, li.offsetTop - this.root.offsetTop]);
    for (const [li, to] of after) {
      const from = before.get(li.dataset.path);
      if (to < top || to > bottom) continue;
      if (from === undefined) li.animate([{ opacity: 0 }, { opacity: 1 }], { duration: MOVE_MS });
      else if (from !== to + this.root.offsetTop)
        li.animate([{ transform: `translateY(${from - to - this.root.offsetTop}px)` }, { transform: "none" }], { duration: MOVE_MS, easing: "ease-out" });
    }
  }

  update(row, page, view) {
    const title = page.i || page.path;
    set(row, "title", row.bdi, title);
    setAttribute(row, "href", row.title, "href", storyUrl(view.host, page.path) || null);
    set(row, "section", row.section, (page.sections || []).slice(0, 2).join(", "));
    setFigure(row, "people", row.people, page.rank === null ? text("most", { n: formatWhole(page.visitors) }) : formatWhole(page.visitors));
    if (view.isPlain) this.updatePlain(row, page, title);
    else this.updateTrend(row, page, title, view);
  }

  /* Of the list of what grew between two looks, which knows no more. */
  updatePlain(row, page, title) {
    setFigure(row, "times", row.times, formatSigned(page.change));
    for (const [name, node] of [["since", row.since], ["fresh", row.fresh], ["peopleNote", row.peopleNote], ["timesNote", row.timesNote]]) set(row, name, node, "");
    this.updateWhy(row, []);
    this.updateSpark(row, [], null);
    setAttribute(row, "label", row.spark, "aria-label", text("spark_plain", { title, now: formatWhole(page.visitors) }));
    setAttribute(row, "direction", row.li, "data-trend", "up");
  }

  updateTrend(row, page, title, view) {
    const trend = page.trend || (view.tab === "falling" ? "down" : view.tab === "rising" ? "up" : "steady");
    const least = page.lower_bound ? "_least" : "";
    const isUp = page.visitors >= page.expected;
    set(row, "since", row.since, sinceOf(page) && trend !== "steady" ? text(page.isSinceBefore ? "since_before" : "since", { time: formatWhen(new Date(sinceOf(page)), view.now) }) : "");
    set(row, "fresh", row.fresh, page.new ? text("fresh") : page.rank === null ? text("listed_no") : "");
    set(row, "peopleNote", row.peopleNote, text(page.new && page.lower_bound ? "before" : "expected", { n: formatWhole(page.expected) }));
    setFigure(row, "times", row.times, timesOf(page));
    const isLevel = Math.abs(page.visitors - page.expected) < 0.5;
    set(row, "timesNote", row.timesNote, text(isLevel ? "level" : (isUp ? "up" : "down") + least, { n: formatSigned(page.visitors - page.expected) }));
    this.updateWhy(row, trend === "steady" ? [] : reasonsOf(page));
    this.updateSpark(row, page.spark || [], page.expected);
    setAttribute(row, "label", row.spark, "aria-label", text("spark", { title, now: formatWhole(page.visitors), expected: formatWhole(page.expected) }));
    setAttribute(row, "direction", row.li, "data-trend", trend);
  }

  updateWhy(row, reasons) {
    const said = reasons.map((one) => `${text(one.source)} ${formatSigned(one.change)}`);
    const words = said.join(" ");
    if (row.said.why === words) return;
    row.said.why = words;
    reasons.forEach((one, place) => {
      const node = row.why.children[place] || row.why.appendChild(document.createElement("span"));
      node.className = one.source;
      node.textContent = said[place];
    });
    while (row.why.childElementCount > reasons.length) row.why.lastElementChild.remove();
  }

  updateSpark(row, values, expected) {
    const paths = sparkPaths(values, expected);
    setAttribute(row, "area", row.area, "d", paths.area);
    setAttribute(row, "line", row.line, "d", paths.line);
    setAttribute(row, "expected", row.expected, "d", paths.expected);
    setAttribute(row, "r", row.dot, "r", paths.x === null ? "0" : "2.6");
    setAttribute(row, "x", row.dot, "cx", String(paths.x ?? 0));
    setAttribute(row, "y", row.dot, "cy", String(paths.y ?? 0));
  }
}
