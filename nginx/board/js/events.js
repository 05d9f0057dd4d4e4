/* The log of what happened, newest first; on a wall one after the other. Hidden where the service keeps none. */
import { ask } from "./api.js";
import { formatRatio, formatTime, formatWhole } from "./format.js";
import { text } from "./texts.js";

const KEPT = 30;
const TURN_MS = 8000;

const kindOf = (event) => {
  const name = `event_${event.kind}`;
  const said = text(name);
  return said === name ? String(event.kind) : said;
};

function detailOf(event) {
  const words = [kindOf(event)];
  if (event.ended_at && event.kind !== "headline") words.push(text("event_over"));
  if (typeof event.ratio === "number") words.push(text("times", { n: formatRatio(event.ratio) }));
  if (typeof event.visitors === "number") words.push(`${formatWhole(event.visitors)} ${text("readers")}`);
  const causes = Array.isArray(event.cause) ? event.cause : [];
  if (causes.length > 0) words.push(text("event_by", { sources: causes.map((name) => text(String(name))).join(", ") }));
  return words.join(", ");
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
    const isSame = this.events.length === this.list.childElementCount && this.events.every((event, place) => this.list.children[place].dataset.id === `${event.id} ${event.ended_at || ""}`);
    if (isSame) return;
    this.list.replaceChildren(...this.events.map((event) => {
      const li = document.createElement("li");
      const time = li.appendChild(document.createElement("time"));
      const box = li.appendChild(document.createElement("div"));
      const title = box.appendChild(document.createElement(event.path ? "button" : "b"));
      const detail = box.appendChild(document.createElement("span"));
      li.dataset.id = `${event.id} ${event.ended_at || ""}`;
      time.dateTime = event.began_at;
      time.textContent = formatTime(new Date(event.began_at));
      if (event.path) title.dataset.path = event.path;
      title.dir = "auto";
      title.textContent = event.title || event.path || kindOf(event);
      detail.className = "kind";
      detail.textContent = detailOf(event);
      return li;
    }));
    this.turn();
  }

  turn() {
    const event = this.events[this.place++ % Math.max(1, Math.min(8, this.events.length))];
    this.ticker.hidden = !event;
    if (event) this.ticker.textContent = `${formatTime(new Date(event.began_at))} ${detailOf(event)}: \u2068${event.title || event.path || ""}\u2069`;
  }
}
