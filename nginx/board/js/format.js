/* Numbers and times in the browser's language. */
import { language } from "./texts.js";

const locale = (navigator.languages || []).find((name) => name.slice(0, 2).toLowerCase() === language) || language;
const whole = new Intl.NumberFormat(locale, { maximumFractionDigits: 0 });
const oneDigit = new Intl.NumberFormat(locale, { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const twoDigits = new Intl.NumberFormat(locale, { maximumFractionDigits: 2 });
const signed = new Intl.NumberFormat(locale, { maximumFractionDigits: 0, signDisplay: "exceptZero" });
const percents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0 });
const signedPercents = new Intl.NumberFormat(locale, { style: "percent", maximumFractionDigits: 0, signDisplay: "exceptZero" });
const clock = new Intl.DateTimeFormat(locale, { hour: "2-digit", minute: "2-digit" });
const day = new Intl.DateTimeFormat(locale, { weekday: "short" });
const dayAndClock = new Intl.DateTimeFormat(locale, { weekday: "short", hour: "2-digit", minute: "2-digit" });
const dateAndClock = new Intl.DateTimeFormat(locale, { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" });
const units = ["second", "minute", "hour", "day"].map((unit) => new Intl.NumberFormat(locale, { style: "unit", unit, unitDisplay: unit === "second" ? "narrow" : "short", maximumFractionDigits: 0 }));

export const formatWhole = (n) => whole.format(n);
/* With a minus sign, which is as wide as the plus. */
export const formatSigned = (n) => signed.format(n).replace("-", "\u2212");
export const formatTwo = (n) => twoDigits.format(n);
export const formatPercent = (share) => percents.format(share);
export const formatSignedPercent = (share) => signedPercents.format(share).replace("-", "\u2212");
/* Beyond a thousand times nobody wants to know. */
export const formatRatio = (n) => (n >= 999.5 ? `${whole.format(999)}+` : n >= 9.95 ? whole.format(n) : oneDigit.format(n));
export const formatTime = (date) => clock.format(date);
export const formatDay = (date) => day.format(date);
export const formatDayTime = (date) => dayAndClock.format(date);

/* A time in the past: with its weekday where that is not today, with its date where that is a week ago. now: by the server's clock, in ms. */
export function formatWhen(date, now) {
  const today = new Date(now);
  const midnight = (daysAgo) => new Date(today.getFullYear(), today.getMonth(), today.getDate() - daysAgo);
  if (date >= midnight(0)) return formatTime(date);
  return (date >= midnight(6) ? dayAndClock : dateAndClock).format(date);
}

export function formatAge(seconds) {
  if (seconds < 120) return units[0].format(Math.floor(seconds));
  if (seconds < 7200) return units[1].format(Math.floor(seconds / 60));
  if (seconds < 172800) return units[2].format(Math.floor(seconds / 3600));
  return units[3].format(Math.floor(seconds / 86400));
}
