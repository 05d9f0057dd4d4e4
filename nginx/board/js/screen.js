/* The screen itself: light or dark, kept awake on a wall, and loaded anew after an update of the service. */
import { text } from "./texts.js";

const LOOK_MS = 300000;
const SPREAD_MS = 120000;
const THEMES = ["auto", "light", "dark"];
const NAME = "upbeat-theme";

export function startTheme(button) {
  let theme = "auto";
  try { theme = localStorage.getItem(NAME) || "auto"; } catch { /* no storage: the system's */ }
  const show = () => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    button.textContent = text(`theme_${theme}`);
    button.title = text("theme");
  };
  button.addEventListener("click", () => {
    theme = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length];
    try { localStorage.setItem(NAME, theme); } catch { /* until the next load */ }
    show();
  });
  if (!THEMES.includes(theme)) theme = "auto";
  show();
}

/* While isWanted(). Needs https or localhost, and is lost when the tab is hidden; where it can't be had the screen's own settings count. */
export function keepAwake(isWanted) {
  let lock = null;
  const take = async () => {
    if (!isWanted() || document.hidden || !navigator.wakeLock || (lock && !lock.released)) return;
    try { lock = await navigator.wakeLock.request("screen"); } catch { lock = null; }
  };
  document.addEventListener("visibilitychange", take);
  take();
  return take;
}

/* Every five minutes: have the board's own files changed? Then the tab is loaded anew when nobody looks at it, on a wall within two minutes,
 * not all of them in one second. onChange() says so meanwhile. Nothing is loaded anew unless the server has just given the page: else
 * there would be an error page, which never loads itself anew. */
export function watchForUpdate(isWall, onChange) {
  const files = () => [document.baseURI.split("#")[0], ...performance.getEntriesByType("resource").map((entry) => entry.name)
    .filter((name) => name.startsWith(new URL(".", document.baseURI).href) && /\.(js|css)$/.test(name) && !name.includes("/chart/"))];
  let known = null;
  const tagOf = async (name) => {
    const answer = await fetch(name, { method: "HEAD", cache: "no-store", redirect: "error" });
    if (!answer.ok) throw new Error("no answer");
    return answer.headers.get("ETag");
  };
  const look = async () => {
    if (document.hidden && known) return;
    const names = known ? [...known.keys()] : [...new Set(files())];
    try {
      const tags = await Promise.all(names.map(async (name) => [name, await tagOf(name)]));
      if (!known) known = new Map(tags);
      else if (tags.some(([name, tag]) => known.get(name) !== tag)) change();
    } catch { /* the next look is in five minutes */ }
  };
  const change = () => {
    clearInterval(timer);
    const reload = () => tagOf(files()[0]).then(() => location.reload());
    const reloadSoon = () => setTimeout(() => reload().catch(reloadSoon), SPREAD_MS * Math.random());
    if (isWall()) reloadSoon();
    else {
      onChange();
      document.addEventListener("visibilitychange", () => { if (document.hidden) reload().catch(() => { /* when it is hidden next */ }); });
    }
  };
  const timer = setInterval(look, LOOK_MS);
  setTimeout(look, 5000);
}
