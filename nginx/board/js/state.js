/* In which state the board is: a pure function of what is known. */
export const STALE_S = 10;
export const FADED_S = 30;
export const UNKNOWN_S = 300;

/* seen: {hasAccess, isRefused, ageS (null: no data yet), failures (in a row), failedStatus, isTimeout, isOnline, isWarming, isEmpty}. */
export function stateOf(seen) {
  if (!seen.hasAccess) return "key";
  if (seen.isRefused) return "refused";
  const isOffline = !seen.isOnline || (seen.failures > 0 && seen.failedStatus !== 429 && (seen.failures > 1 || seen.isTimeout || seen.ageS === null));
  if (seen.ageS !== null && seen.ageS >= UNKNOWN_S) return "unknown";
  if (isOffline) return "offline";
  if (seen.failures > 0 && seen.failedStatus === 429) return "limited";
  if (seen.ageS === null) return "loading";
  if (seen.ageS >= STALE_S) return "stale";
  if (seen.isWarming) return "warming";
  return seen.isEmpty ? "quiet" : "live";
}
