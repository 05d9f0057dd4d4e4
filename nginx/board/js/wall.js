/* All sites of one key: a small head each, loaded when they are wanted. */
import { ask } from "./api.js";
import { formatPercent, formatWhole } from "./format.js";
import { text } from "./texts.js";

const MOST = 24;

/* Shows a head for each host in `list`, keyed by host and updated in place; gives the milliseconds until it should be done again. */
export async function showWall(list, hosts, key, addressOf) {
  const shown = hosts.slice(0, MOST);
  const answers = await Promise.all(shown.map((host) => ask("trends", { host, limit: 1, spark: 1 }, key)));
  const known = new Map([...list.children].map((li) => [li.dataset.host, li]));
  shown.forEach((host, place) => {
    const li = known.get(host) || make(host);
    known.delete(host);
    if (list.children[place] !== li) list.insertBefore(li, list.children[place] || null);
    fill(li, answers[place], addressOf(host));
  });
  for (const li of known.values()) li.remove();
  return 15000;
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
  const site = answer.status === 200 ? answer.body.site : null;
  const share = site && site.visitors !== null && site.usual ? site.visitors / site.usual - 1 : null;
  li.querySelector("a").href = address;
  find("now").textContent = site && site.visitors !== null ? formatWhole(site.visitors) : "–";
  find("against").dataset.trend = share === null ? "steady" : share > 0 ? "up" : "down";
  find("against").textContent = share === null ? "" : `${share > 0 ? "▲" : "▼"} ${text(share > 0 ? "more" : "less", { percent: formatPercent(Math.abs(share)) })}`;
  find("rising").textContent = site && site.visitors !== null ? text("wall_rising", { n: formatWhole(site.rising) }) : answer.status === 403 ? text("wall_refused") : "";
}
