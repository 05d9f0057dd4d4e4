/* All sites of one key: a small head each, loaded when they are wanted. */
import { ask, isRefusal } from "./api.js";
import { formatAge, formatWhole } from "./format.js";
import { againstOf } from "./head.js";
import { STALE_S, UNKNOWN_S } from "./state.js";
import { text } from "./texts.js";

const MOST = 24;
const seen = new WeakMap(); // by the list item of a site, what was last known of it: {site, ageMs, askedAt}

/* Shows a head for each host in `list`, keyed by host and updated in place; gives the answers. A head whose site can't be had keeps what
 * it had, says how old that is, and after five minutes that nothing is known. */
export async function showWall(list, hosts, key, signal, addressOf) {
  const shown = hosts.slice(0, MOST);
  const answers = await Promise.all(shown.map((host) => ask("trends", { host, limit: 1, spark: 1 }, key, signal)));
  if (signal.aborted) return answers;
  const known = new Map([...list.children].map((li) => [li.dataset.host, li]));
  shown.forEach((host, place) => {
    const li = known.get(host) || make(host);
    known.delete(host);
    if (list.children[place] !== li) list.insertBefore(li, list.children[place] || null);
    fill(li, answers[place], addressOf(host));
  });
  for (const li of known.values()) li.remove();
  const more = document.getElementById("wall-more");
  more.hidden = hosts.length <= MOST;
  more.textContent = text("wall_more", { n: formatWhole(hosts.length - MOST) });
  return answers;
}

function make(host) {
  const li = document.createElement("li");
  const link = li.appendChild(document.createElement("a"));
  li.dataset.host = host;
  for (const name of ["name", "now", "against", "rising"]) link.appendChild(document.createElement("span")).className = name;
  link.querySelector(".name").textContent = host;
  return li;
}

function fill(li, answer, address) {
  const find = (name) => li.querySelector(`.${name}`);
  if (answer.status === 200 || isRefusal(answer)) seen.delete(li);
  if (answer.status === 200 && answer.body.site.visitors !== null) seen.set(li, { site: answer.body.site, ageMs: answer.ageMs, askedAt: answer.askedAt });
  const had = seen.get(li);
  const ageS = had ? (had.ageMs + performance.now() - had.askedAt) / 1000 : 0;
  const site = had && ageS < UNKNOWN_S ? had.site : null;
  const against = site ? againstOf(site) : { trend: "steady", words: "" };
  const isOld = site && ageS >= STALE_S;
  li.classList.toggle("old", Boolean(isOld));
  li.querySelector("a").href = address;
  find("now").textContent = site ? formatWhole(site.visitors) : "–";
  find("against").dataset.trend = against.trend;
  find("against").textContent = against.words;
  find("rising").textContent = isOld ? text("age", { age: formatAge(ageS) }) : site ? text("wall_rising", { n: formatWhole(site.rising) })
    : isRefusal(answer) ? text("wall_refused") : text("wall_none");
}
