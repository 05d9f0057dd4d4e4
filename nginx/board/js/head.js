/* The head: how many read now, beside what is usual, and the line of the last 24 hours over the usual band and last week's line. */
import { ask } from "./api.js";
import { formatPercent, formatSignedPercent, formatTime, formatWhole } from "./format.js";
import { text } from "./texts.js";

const DAY_MS = 86400000;
const STEP_MS = 900000;
const WEEK_MS = 7 * DAY_MS;
const LEAST_STEPS = 4; // of the day: less of it is a stroke that says nothing
const WIDTH = 600;
const HEIGHT = 64;

const iso = (ms) => new Date(ms).toISOString().slice(0, 19) + "Z";

/* Hours since midnight, with their fraction, by the clocks of a time zone. */
export function localHours(ms, zone) {
  const parts = new Intl.DateTimeFormat("en", { timeZone: zone, hour: "numeric", minute: "numeric", hourCycle: "h23" }).formatToParts(ms);
  const of = (type) => Number(parts.find((part) => part.type === type).value);
  return of("hour") + of("minute") / 60;
}

/* A quartile of the profile at some time of day, between the middles of two hours; null where one of them is not known. */
export function usualAt(profile, name, hours) {
  const before = Math.floor(hours - 0.5);
  const share = hours - 0.5 - before;
  const [a, b] = [profile[(before + 24) % 24][name], profile[(before + 25) % 24][name]];
  return a === null || b === null ? null : a + (b - a) * share;
}

function pathOf(points, x, y) {
  let path = "";
  let isDrawing = false;
  for (const [at, value] of points) {
    if (value === null) isDrawing = false;
    else path += `${isDrawing ? "L" : "M"}${x(at)} ${y(value)}`, isDrawing = true;
  }
  return path;
}

/* How a site stands against what is usual for it, in words; none where that is not known. Within the middle half of the days it is as usual. */
export function againstOf(site) {
  if (!(site.usual > 0)) return { trend: "steady", words: "" };
  const share = site.visitors / site.usual - 1;
  if (Math.abs(share) < 0.005) return { trend: "steady", words: text("same") };
  if (site.visitors >= site.usual_low && site.visitors <= site.usual_high) return { trend: "steady", words: `${text("same")}, ${formatSignedPercent(share)}` };
  const percent = formatPercent(Math.abs(share));
  return share > 0 ? { trend: "up", words: `▲ ${text("more", { percent })}` } : { trend: "down", words: `▼ ${text("less", { percent })}` };
}

export class Head {
  constructor() {
    const find = (id) => document.getElementById(id);
    Object.assign(this, { host: find("host"), now: find("now"), against: find("against"), usual: find("usual"), day: find("day") });
    this.clear();
  }

  clear() {
    this.course = null;
    this.asked = null;
    this.site = null;
    this.now.textContent = "–";
    this.against.textContent = this.usual.textContent = "";
    for (const path of this.day.querySelectorAll("path")) path.removeAttribute("d");
    this.day.setAttribute("aria-label", text("day_none"));
  }

  /* site: as /trends has it; at: by the server's clock. */
  show(site, at) {
    if (!site || site.visitors === null) return;
    this.site = site;
    this.now.textContent = formatWhole(site.visitors);
    if (!(site.usual > 0)) {
      this.against.textContent = "";
      this.usual.textContent = text("no_usual");
      return;
    }
    const { trend, words } = againstOf(site);
    this.against.dataset.trend = trend;
    this.against.textContent = words;
    this.usual.textContent = text("usual", { time: formatTime(at), low: formatWhole(site.usual_low), high: formatWhole(site.usual_high) });
  }

  /* Asks for the course of the day, of the same day last week, and of a usual day, and draws them. serverNow: in ms. Gives whether nearly all of it
   * was known. */
  async load(host, key, serverNow) {
    const asked = (this.asked = {}); // tells the answers for another host from those for this one
    const to = Math.floor(serverNow / 60000) * 60000;
    const from = to - DAY_MS;
    const [today, week, profile] = await Promise.all([
      ask("history", { host, from: iso(from), to: iso(to), step: "15m" }, key),
      ask("history", { host, from: iso(from - WEEK_MS), to: iso(to - WEEK_MS), step: "15m" }, key),
      ask("profile", { host }, key),
    ]);
    if (today.status !== 200) return false;
    if (asked !== this.asked) return false;
    const points = (answer, shift) => answer.body.points.map((point) => [Date.parse(point.t) + STEP_MS / 2 + shift, point.low]);
    const before = this.course || { week: [], hours: null, zone: "UTC" }; // what could not be had now is as it was
    this.course = {
      from, to, today: points(today, 0), week: week.status === 200 ? points(week, WEEK_MS) : before.week,
      hours: profile.status === 200 ? profile.body.hours : before.hours, zone: today.body.tz || (profile.body && profile.body.tz) || before.zone,
    };
    this.draw();
    const isMost = (found, steps) => found.length > 0.9 * steps;
    return isMost(this.course.today, DAY_MS / STEP_MS) && isMost(this.course.week, DAY_MS / STEP_MS) && isMost(this.band(this.course), DAY_MS / (2 * STEP_MS));
  }

  band({ from, to, hours, zone }) {
    const band = [];
    for (let at = from; hours && at <= to; at += 2 * STEP_MS) {
      const time = localHours(at, zone);
      band.push([at, usualAt(hours, "p25", time), usualAt(hours, "p75", time)]);
    }
    return band.filter(([, low]) => low !== null);
  }

  draw() {
    const { from, to, today, week } = this.course;
    const band = this.band(this.course);
    const withGaps = (points) => points.flatMap((point, i) => (i > 0 && point[0] - points[i - 1][0] > 2 * STEP_MS ? [[point[0], null], point] : [point]));
    const now = this.site ? this.site.visitors : null;
    const isLittle = today.length < LEAST_STEPS && week.length < LEAST_STEPS;
    const line = isLittle ? [] : withGaps(now === null || today.length === 0 ? today : [...today, [to, now]]);
    const most = Math.max(1, ...[...line, ...week].map(([, value]) => value || 0), ...band.map(([, , high]) => high));
    const x = (at) => (((at - from) / (to - from)) * WIDTH).toFixed(1);
    const y = (value) => (HEIGHT - 2 - (value / most) * (HEIGHT - 6)).toFixed(1);
    const set = (name, path) => this.day.querySelector(name).setAttribute("d", path);
    set(".line", pathOf(line, x, y));
    set(".week", pathOf(withGaps(week), x, y));
    set(".band", band.length > 1 ? pathOf(band.map(([at, low]) => [at, low]), x, y) + pathOf(band.reverse().map(([at, , high]) => [at, high]), x, y).replace("M", "L") + "Z" : "");
    const seen = line.map(([, value]) => value).filter((value) => value !== null);
    this.day.setAttribute("aria-label", seen.length === 0 ? text("day_none") : text("day", { now: formatWhole(seen[seen.length - 1]), low: formatWhole(Math.min(...seen)), high: formatWhole(Math.max(...seen)) }));
  }
}
