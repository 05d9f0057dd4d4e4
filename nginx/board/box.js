// The box for pages of the site itself: a list of links to what rises now.
//
//   <script type="module" src="https://upbeat.example/board/box.js"></script>
//   <upbeat-box host="news.example" token="ubt_…" limit="5">What stands here is shown until there is a list.</upbeat-box>
//
// Styles of the page reach it by ::part(list), ::part(item) and ::part(link), and by --upbeat-row (height of a row, 1.6em) and
// --upbeat-gap. Colours and type are those around it. The page's CSP needs our origin in script-src and connect-src, and no more: the
// style sheet is made by the script.

const API = new URL("../api/v1.0/increasingconcurrents", import.meta.url);
const LEAST_MS = 3000;
const MOST_MS = 300000;
const ASK_WITHIN_MS = 10000;

const sheet = new CSSStyleSheet();
sheet.replaceSync(`
:host { display: block; min-height: calc(var(--upbeat-rows, 5) * var(--upbeat-row, 1.6em)); }
:host([hidden]) { display: none; }
ol { margin: 0; padding: 0 0 0 var(--upbeat-gap, 1.6em); }
li { height: var(--upbeat-row, 1.6em); line-height: var(--upbeat-row, 1.6em); }
a { display: block; overflow: hidden; color: inherit; white-space: nowrap; text-overflow: ellipsis; text-decoration: none; }
a:hover, a:focus-visible { text-decoration: underline; }
`);

// The page's address, or "" where it is none that we would send a reader to: another host stands in front of its path.
const addressOf = (path, host) => {
  try {
    const own = path.startsWith("/");
    const url = new URL(own ? `https://${host}${path}` : `https://${path}`);
    const isSound = url.protocol === "https:" && !url.username && !url.port && (!own || url.hostname === host);
    return isSound ? url.href : "";
  } catch {
    return "";
  }
};

class UpbeatBox extends HTMLElement {
  static observedAttributes = ["host", "token", "limit"];
  #list = document.createElement("ol");
  #slot = document.createElement("slot");
  #watch = new IntersectionObserver((seen) => this.#look(seen.at(-1).isIntersecting));
  #seen = false;
  #timer = 0;
  #dueMs = 0;
  #failures = 0;
  #abort = null;
  #onVisible = () => this.#plan();

  constructor() {
    super();
    const root = this.attachShadow({ mode: "open" });
    root.adoptedStyleSheets = [sheet];
    this.#list.part = "list";
    this.#list.hidden = true;
    root.append(this.#list, this.#slot);
  }

  connectedCallback() {
    this.#watch.observe(this);
    document.addEventListener("visibilitychange", this.#onVisible);
  }

  disconnectedCallback() {
    this.#watch.disconnect();
    document.removeEventListener("visibilitychange", this.#onVisible);
    clearTimeout(this.#timer);
    this.#abort?.abort();
  }

  attributeChangedCallback(name, was, is) {
    if (was === is) return;
    this.#list.replaceChildren();
    this.#list.hidden = !(this.#slot.hidden = false);
    this.style.setProperty("--upbeat-rows", this.#limit);
    this.#abort?.abort();
    this.#abort = null;
    this.#dueMs = 0;
    if (this.#seen) this.#plan();
  }

  get #limit() {
    const limit = Math.trunc(Number(this.getAttribute("limit")));
    return limit >= 1 && limit <= 10 ? limit : 5;
  }

  #look(isSeen) {
    this.#seen = isSeen;
    this.#plan();
  }

  // Asks when the answer that is shown has run out, and only while somebody can see it.
  #plan() {
    clearTimeout(this.#timer);
    if (this.#seen && this.isConnected && document.visibilityState === "visible")
      this.#timer = setTimeout(() => this.#ask(), Math.max(0, this.#dueMs - Date.now()));
  }

  async #ask() {
    const abort = (this.#abort = new AbortController());
    const timer = setTimeout(() => abort.abort(), ASK_WITHIN_MS);
    this.#dueMs = Date.now() + ASK_WITHIN_MS;
    let pauseMs = 0;
    try {
      pauseMs = await this.#load(abort.signal);
      this.#failures = 0;
    } catch {
      pauseMs = Math.min(MOST_MS, LEAST_MS * 2 ** ++this.#failures);
    }
    clearTimeout(timer);
    if (this.#abort !== abort) return;
    this.#dueMs = Date.now() + pauseMs;
    this.#plan();
  }

  // The token stands in the page for everybody to read. In the address it costs no second request to ask whether a header may be sent.
  async #load(signal) {
    const host = (this.getAttribute("host") || "").toLowerCase();
    const url = new URL(API);
    url.search = new URLSearchParams({ host, limit: this.#limit, apikey: this.getAttribute("token") || "" });
    const answer = await fetch(url, { signal, credentials: "omit", referrerPolicy: "no-referrer" });
    const retryMs = 1000 * answer.headers.get("Retry-After");
    if (!answer.ok && !(retryMs > 0)) throw new Error("refused");
    if (answer.ok) this.#show(await answer.json(), host.replace(/^.*@/, ""));
    const [, maxAge] = /max-age=(\d+)/.exec(answer.headers.get("Cache-Control")) || [0, 0];
    const leftMs = 1000 * (maxAge - answer.headers.get("Age"));
    return Math.min(MOST_MS, Math.max(LEAST_MS, answer.ok ? leftMs : retryMs * (1 + Math.random())));
  }

  // Nothing rises, or nothing of it has an address: what was there stays.
  #show(rows, host) {
    const items = rows.slice(0, this.#limit).flatMap(({ i, path }) => {
      const address = addressOf(String(path), host);
      if (!address) return [];
      const item = document.createElement("li");
      const link = item.appendChild(document.createElement("a"));
      item.part = "item";
      link.part = "link";
      link.href = address;
      link.rel = "noopener";
      link.textContent = link.title = i || path;
      return [item];
    });
    if (items.length === 0) return;
    const focused = this.shadowRoot.activeElement?.href;
    this.#list.replaceChildren(...items);
    this.#list.hidden = !(this.#slot.hidden = true);
    if (focused) [...this.#list.querySelectorAll("a")].find((link) => link.href === focused)?.focus();
  }
}

customElements.define("upbeat-box", UpbeatBox);
