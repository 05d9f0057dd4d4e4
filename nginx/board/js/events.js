/* The log of what happened, newest first; on a wall one after the other. Hidden where the service keeps none. */
import { ask } from "./api.js";
import { formatAge, formatRatio, formatSignedPercent, formatTime, formatWhole } from "./format.js";
import { text } from "./texts.js";

const KEPT = 30;
const TURN_MS = 8000;

const minutesBetween = (from, to) => Math.max(1, Math.round((Date.parse(to) - Date.parse(from)) / 60000));
const causesOf = (event) => (event.cause ? text("event_by", { sources: event.cause.split("+").map((name) => text(name)).join(", ") }) : "");

/* Of a rise the most that was seen of it so far: it is told before much of it is there. */
function ratioOf(event) {
  if (event.kind !== "rise" || event.ratio === null || !(event.peak_expected > 0)) return event.ratio;
  return Math.max(event.ratio, event.peak / event.peak_expected);
}

/* What happened, in words. */
function detailOf(event) {
  const times = ratioOf(event);
  const ratio = times === null ? "" : text("event_times", { n: formatRatio(times) });
  const lasted = event.ended_at ? text("event_lasted", { age: formatAge(60 * minutesBetween(event.began_at, event.ended_at)) }) : "";
  const words = {
    rise: [text(event.ended_at ? "event_rose" : "event_rise"), ratio, causesOf(event), lasted, event.ended_at ? text("event_peak", { n: formatWhole(event.peak) }) : ""],
    takeoff: [text("event_takeoff"), `${formatWhole(event.visitors)} ${text("readers")}`, causesOf(event), lasted],
    fall: [text("event_fall"), ratio, causesOf(event), lasted],
    record: [text("event_record"), formatWhole(event.peak)],
    headline: [text("event_headline"), event.score >= 2 || event.score <= -2 ? text("event_after", { percent: formatSignedPercent(event.ratio - 1) }) : text("event_chance")],
    outage: [text("event_outage"), lasted],
  }[event.kind] || [text(`event_${event.kind}`), ratio, lasted];
  return (event.path ? words : words.slice(1)).filter((word) => word !== "").join(", ");
}

/* Another one, and the event is drawn anew. */
const stampOf = (event) => `${event.id} ${event.ended_at || ""} ${event.peak}`;

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
    this.clear();
  }

  clear() {
    this.isThere = true;
    this.since = null;
    this.events = [];
    this.place = 0;
    this.draw();
  }

  /* One request a refresh, for what came since the oldest that is not over; none where there is no log. */
  async load(host, key, signal) {
    if (!this.isThere) return;
    const answer = await ask("events", { host, since: this.since, limit: KEPT }, key, signal);
    if (answer.status === 404) this.isThere = false;
    if (answer.status !== 200 || !Array.isArray(answer.body.events)) return;
    const known = new Map(this.events.map((event) => [event.id, event]));
    for (const event of answer.body.events) known.set(event.id, event);
    this.events = [...known.values()].sort((a, b) => Date.parse(b.began_at) - Date.parse(a.began_at)).slice(0, KEPT);
    const open = this.events.filter((event) => !event.ended_at);
    if (this.events.length > 0) this.since = (open[open.length - 1] || this.events[0]).began_at;
    this.draw();
  }

  draw() {
    this.box.hidden = !this.isThere || this.events.length === 0;
    const isSame = this.events.length === this.list.childElementCount && this.events.every((event, place) => this.list.children[place].dataset.id === stampOf(event));
    if (isSame) return;
    this.list.replaceChildren(...this.events.map((event) => {
      const li = document.createElement("li");
      const time = li.appendChild(document.createElement("time"));
      const box = li.appendChild(document.createElement("div"));
      const title = box.appendChild(document.createElement(event.path ? "button" : "b"));
      const detail = box.appendChild(document.createElement("span"));
      li.dataset.id = stampOf(event);
      time.dateTime = event.began_at;
      time.textContent = formatTime(new Date(event.began_at));
      if (event.path) title.dataset.path = event.path;
      title.dir = "auto";
      title.textContent = event.i || event.path || text(`event_${event.kind}`);
      detail.className = "kind";
      detail.textContent = detailOf(event);
      return li;
    }));
    this.turn();
  }

  turn() {
    const event = this.events[this.place++ % Math.max(1, Math.min(8, this.events.length))];
    this.ticker.hidden = !event;
    const site = event && !event.path ? text(`event_${event.kind}`) : "";
    if (event) this.ticker.textContent = `${formatTime(new Date(event.began_at))} ${detailOf(event)}: \u2068${event.i || event.path || site}\u2069`;
  }
}
