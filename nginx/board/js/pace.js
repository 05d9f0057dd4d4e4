/* When to ask next. */
const LEAST_MS = 1000;
const JITTER_MS = 200;
const MOST_MS = 30000;
const REFUSED_MS = 60000;
const BESIDE_MS = 5000;
const BESIDE_MOST_MS = 60000;

/* Milliseconds between two questions while all is well: as Cache-Control says. */
export const everyMs = (answer) => Math.max(LEAST_MS, 1000 * answer.maxAgeS);

/* Milliseconds to wait after an answer, where all is well usualMs. While it is not (failures > 0) never less, doubling to 30 seconds, each time up
 * to a quarter longer, so that screens that failed together do not come back together; never before Retry-After. */
export function pauseAfter(answer, failures, usualMs, random = Math.random) {
  if (answer.isRefusal) return REFUSED_MS * (0.75 + 0.5 * random());
  if (failures === 0) return usualMs + JITTER_MS * random();
  const pause = Math.max(usualMs, Math.min(MOST_MS, usualMs * 2 ** (failures - 1)));
  return Math.max(pause, 1000 * Math.min(answer.retryAfterS || 0, 120)) * (1 + 0.25 * random());
}

/* When something beside the list, which is asked for with it, may be asked for: after a failure later each time, at the latest when the tab is shown
 * again. */
export class Patience {
  constructor() {
    this.reset();
    document.addEventListener("visibilitychange", () => { if (!document.hidden) this.dueAt = 0; });
  }

  get isDue() {
    return performance.now() >= this.dueAt;
  }

  reset() {
    this.failures = 0;
    this.dueAt = 0;
  }

  fail() {
    this.dueAt = performance.now() + Math.min(BESIDE_MOST_MS, BESIDE_MS * 2 ** this.failures++) * (1 + 0.25 * Math.random());
  }
}

/* Calls `turn` again and again: it gives the milliseconds until the next. Not while the tab is hidden; at once when it is shown again, when
 * the network is back, and on poke(). One timer, and one turn at a time. */
export class Pace {
  constructor(turn) {
    this.turn = turn;
    this.timer = 0;
    this.isAsking = false;
    this.isAskedAgain = false;
    this.dueAt = 0;
    const wake = () => { if (!document.hidden) this.poke(); };
    document.addEventListener("visibilitychange", wake);
    window.addEventListener("online", wake);
    window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  }

  poke() {
    clearTimeout(this.timer);
    if (this.isAsking) this.isAskedAgain = true;
    else this.run();
  }

  async run() {
    if (document.hidden) return;
    this.isAsking = true;
    this.isAskedAgain = false;
    let pause = MOST_MS;
    try {
      pause = await this.turn();
    } finally {
      this.isAsking = false;
      this.timer = setTimeout(() => this.run(), this.isAskedAgain ? 0 : pause);
    }
  }
}
