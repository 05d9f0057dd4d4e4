/* All sites of one key: a small head each, loaded when they are wanted. */
import { ask } from "./api.js";
import { formatAge, formatWhole } from "./format.js";
import { againstOf } from "./head.js";
import { STALE_S } from "./state.js";
import { text } from "./texts.js";

const MOST = 24;

/* Shows a head for each host in `list`, keyed by host and updated in place; gives the answers. Where there was none at all, what was shown stays. */
export async function showWall(list, hosts, key, signal, addressOf) {
  const shown = hosts.slice(0, MOST);
  const answers = await Promise.all(shown.map((host) => ask("trends", { host, limit: 1, spark: 1 }, key, signal)));
  if (signal.aborted || (list.childElementCount > 0 && !answers.some((answer) => answer.body))) return answers;
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
  const site = answer.status === 200 && answer.body.site && answer.body.site.visitors !== null ? answer.body.site : null;
  const against = site ? againstOf(site) : { trend: "steady", words: "" };
  const isOld = site && answer.ageMs >= 1000 * STALE_S;
  li.classList.toggle("old", Boolean(isOld));
  li.querySelector("a").href = address;
  find("now").textContent = site ? formatWhole(site.visitors) : "–";
  find("against").dataset.trend = against.trend;
  find("against").textContent = against.words;
  find("rising").textContent = isOld ? text("age", { age: formatAge(answer.ageMs / 1000) }) : site ? text("wall_rising", { n: formatWhole(site.rising) })
    : answer.status === 403 ? text("wall_refused") : text("wall_none");
}
