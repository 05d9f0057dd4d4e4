/* The log of what happened, newest first; on a wall one after the other. Hidden where the service keeps none. */
import { ask } from "./api.js";
import { formatAge, formatRatio, formatSignedPercent, formatWhen, formatWhole } from "./format.js";
import { Patience } from "./pace.js";
import { text } from "./texts.js";

const KEPT = 30;
const TURN_MS = 8000;
const LATE_MS = 3600000; // what a headline did is told a quarter of an hour after its change, an outage after five minutes

const minutesBetween = (from, to) => Math.max(1, Math.round((Date.parse(to) - Date.parse(from)) / 60000));
const causesOf = (event) => (event.cause ? text("event_by", { sources: event.cause.split("+").map((name) => text(name)).join(", ") }) : "");

/* Of a rise the most that was seen of it so far: it is told before much of it is there. */
function ratioOf(event) {
  if (event.kind !== "rise" || event.ratio === null || !(event.peak_expected > 0)) return event.ratio;
  return Math.max(event.ratio, event.peak / event.peak_expected);
}

/* What happened, in words. */
export function detailOf(event) {
  const times = ratioOf(event);
  const ratio = times === null ? "" : text("event_times", { n: formatRatio(times) });
  const lasted = event.ended_at ? text("event_lasted", { age: formatAge(60 * minutesBetween(event.began_at, event.ended_at)) }) : "";
  const words = {
    rise: [text(event.ended_at ? "event_rose" : "event_rise"), ratio, causesOf(event), lasted, event.ended_at ? text("event_peak", { n: formatWhole(event.peak) }) : ""],
    takeoff: [text("event_takeoff"), text("event_with", { n: formatWhole(event.visitors) }), causesOf(event), lasted],
    fall: [text("event_fall"), ratio, causesOf(event), lasted],
    record: [text("event_record"), formatWhole(event.peak)],
    headline: [text("event_headline"), event.score >= 2 || event.score <= -2 ? text("event_after", { percent: formatSignedPercent(event.ratio - 1) }) : text("event_chance")],
    outage: [text("event_outage"), lasted],
  }[event.kind] || [text(`event_${event.kind}`), ratio, lasted];
  return (event.path ? words : words.slice(1)).filter((word) => word !== "").join(", ");
}

/* Another one, and the event is drawn anew. */
const stampOf = (event) => `${event.id} ${event.ended_at || ""} ${event.peak}`;

function make(event) {
  const li = document.createElement("li");
  const time = li.appendChild(document.createElement("time"));
  const box = li.appendChild(document.createElement("div"));
  const title = box.appendChild(document.createElement(event.path ? "button" : "b"));
  const words = title.appendChild(document.createElement("span"));
  li.dataset.id = event.id;
  time.dateTime = event.began_at;
  if (event.path) Object.assign(title, { type: "button" }).dataset.path = event.path;
  words.className = "words";
  words.dir = "auto";
  box.appendChild(document.createElement("span")).className = "kind";
  return li;
}

export class Events {
  constructor(onOpen) {
    this.box = document.getElementById("events");
    this.list = document.getElementById("event-list");
    this.ticker = document.getElementById("ticker");
    this.list.addEventListener("click", (event) => {
      const button = event.target.closest("button");
      if (button) onOpen(button.dataset.path);
    });
    setInterval(() => this.turn(), TURN_MS);
    this.patience = new Patience();
    this.clear();
  }

  clear() {
    this.patience.reset();
    this.since = null;
    this.events = [];
    this.place = 0;
    this.draw();
  }

  /* One request a refresh, for what began since the oldest that is not over, and some time before the newest, since an event may be told late. Where there is no log, or it
   * can't be had, it is asked for less often. */
  async load(host, key, signal) {
    if (!this.patience.isDue) return;
    const answer = await ask("events", { host, since: this.since, limit: KEPT }, key, signal);
    if (answer.isAborted) return;
    if (answer.status !== 200) {
      this.patience.fail();
      return;
    }
    this.patience.reset();
    const known = new Map(this.events.map((event) => [event.id, event]));
    for (const event of answer.body.events) known.set(event.id, event);
    this.events = [...known.values()].sort((a, b) => Date.parse(b.began_at) - Date.parse(a.began_at)).slice(0, KEPT);
    if (this.events.length > 0) {
      const begins = this.events.filter((event) => !event.ended_at).map((event) => Date.parse(event.began_at));
      this.since = new Date(Math.min(...begins, Date.parse(this.events[0].began_at) - LATE_MS)).toISOString();
    }
    this.now = answer.serverNow || Date.now();
    this.draw();
  }

  timeOf(event) {
    return formatWhen(new Date(event.began_at), this.now);
  }

  /* In place, by the event, so that nobody loses the focus or a click. */
  draw() {
    this.box.hidden = this.events.length === 0;
    const known = new Map([...this.list.children].map((li) => [li.dataset.id, li]));
    let isChanged = known.size !== this.events.length;
    this.events.forEach((event, place) => {
      const li = known.get(String(event.id)) || make(event);
      const stamp = `${stampOf(event)} ${this.timeOf(event)}`;
      known.delete(li.dataset.id);
      if (this.list.children[place] !== li) this.list.insertBefore(li, this.list.children[place] || null);
      if (li.dataset.stamp === stamp) return;
      isChanged = true;
      li.dataset.stamp = stamp;
      li.querySelector("time").textContent = this.timeOf(event);
      li.querySelector(".words").textContent = event.i || event.path || text(`event_${event.kind}`);
      li.querySelector(".kind").textContent = detailOf(event);
    });
    for (const li of known.values()) li.remove();
    if (isChanged) this.turn();
  }

  turn() {
    const event = this.events[this.place++ % Math.max(1, Math.min(8, this.events.length))];
    this.ticker.hidden = !event;
    const site = event && !event.path ? text(`event_${event.kind}`) : "";
    if (event) this.ticker.textContent = `${this.timeOf(event)} ${detailOf(event)}: \u2068${event.i || event.path || site}\u2069`;
  }
}
