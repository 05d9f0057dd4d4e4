/* All that the board says, in each language. {name} is filled in by text(). */
const texts = {
  en: {
    skip: "Skip to the list", readers: "reading now", site: "Site", wall: "All sites", one: "One site", tv: "TV", leave: "Forget key",
    rising: "Rising", falling: "Falling", top: "Top", events: "What happened", close: "Close",
    ask: "Which site?", ask_host: "Site, as Chartbeat names it", ask_key: "View token or Chartbeat key", ask_keep: "Remember on this screen",
    ask_go: "Show the board", ask_note: "The key stays in this browser, goes to this server alone, and is never part of an address.",
    ask_first: "The board needs a site and a key to read it.", ask_refused: "This key is not accepted for {host}. Is the name right?",
    ask_bad: "This is no such name or key: letters, digits, dots and hyphens; the key 8 to 128 characters.",
    more: "{percent} more than usual", less: "{percent} less than usual", same: "As usual", usual: "usual at {time}: {low} – {high}",
    no_usual: "Too few days are known to say what is usual", age: "{age} old", age_fresh: "Live", age_none: "",
    theme_auto: "◐ Auto", theme_light: "◐ Light", theme_dark: "◐ Dark", theme: "Light or dark",
    state_loading: "Getting the numbers …", state_warming: "Getting to know this site: {known} of {needed} minutes known. Until then: what grew between the last two looks.",
    state_stale: "The numbers are {age} old.", state_offline: "The service can't be reached. Trying again by itself.",
    state_offline_net: "This screen has no network. Trying again by itself.", state_limited: "Too many requests: asking more slowly for a while.",
    state_unknown: "Nothing is known right now: the newest numbers are {age} old.", state_quiet: "",
    empty_rising: "Nothing rises beyond its usual right now.", empty_falling: "Nothing falls beyond its usual right now.",
    empty_top: "The list is empty.", empty_warming: "Nothing grew between the last two looks.",
    expected: "{n} expected", before: "at most {n} before", since: "since {time}", since_before: "since before {time}", fresh: "new",
    times: "{n} ×", times_least: "≥ {n} ×", times_most: "≤ {n} ×", most: "≤ {n}", up: "▲ {n}", down: "▼ {n}", level: "{n}", up_least: "▲ at least {n}", down_least: "▼ at least {n}",
    rises: "rises", falls: "falls", steady: "steady", listed_no: "left the list",
    held_one: "One change of order waits while you read.", held: "{n} changes of order wait while you read.",
    spark: "{title}: {now} readers, {expected} expected; show its course", spark_plain: "{title}: {now} readers; show its course",
    social: "social", search: "search", links: "links", direct: "direct", internal: "internal",
    live_one: "Now rising: {title}", live: "Now rising: {title}, and {n} more",
    day: "Visitors over 24 hours: now {now}, lowest {low}, highest {high}", day_none: "The last 24 hours are not known yet",
    span_1h: "1 hour", span_24h: "24 hours", span_7d: "7 days", hours: "Hours of a usual day", hours_in: "Hours of a usual day, by the clocks of {zone}", from_where: "Where readers came from", headlines: "Headlines",
    evidence: "{expected} expected = {median} in the median minute × {tide} of the whole site; spread {sigma}; score {score}.",
    evidence_failed: "The list can't be had right now. Trying again by itself.", evidence_none: "The page is not in the list now.", evidence_warming: "Too little is known yet to say what is expected.", page_now: "{n} reading now", page_least: "at most {n} reading now", place: "rank {rank}", first_seen: "first seen {time}",
    visitors: "Visitors", band: "Usual", median: "Median", quartiles: "Middle half of the days", headline: "headline",
    chart_none: "Nothing is known of this time.", chart_failed: "The chart can't be drawn here.", chart: "{title}: {span}, from {low} to {high} visitors",
    part_lost: "The page's own view can't be loaded. Trying again by itself.",
    updated: "A new version of the board is there; it is loaded when this tab is next out of sight.",
    event_rise: "rises", event_takeoff: "takes off", event_fall: "falls", event_record: "the most ever known", event_rose: "rose", event_times: "{n} × expected", event_lasted: "for {age}", event_peak: "peak {n}", event_with: "{n} readers", event_after: "then {percent}", event_chance: "what it did is not told apart from chance", event_site_high: "more than usual on the site", event_site_low: "fewer than usual on the site", event_headline: "headline changed", event_outage: "measurement was out",
    event_by: "by {sources}", wall_rising: "{n} rising", wall_refused: "not accepted", wall_none: "nothing known yet", wall_more: "{n} more can be chosen above.",
  },
  de: {
    skip: "Zur Liste", readers: "lesen gerade", site: "Website", wall: "Alle Websites", one: "Eine Website", tv: "TV", leave: "Schlüssel vergessen",
    rising: "Steigt", falling: "Fällt", top: "Meistgelesen", events: "Was geschah", close: "Schließen",
    ask: "Welche Website?", ask_host: "Website, wie Chartbeat sie nennt", ask_key: "Lese-Token oder Chartbeat-Schlüssel", ask_keep: "Auf diesem Bildschirm merken",
    ask_go: "Zeigen", ask_note: "Der Schlüssel bleibt in diesem Browser, geht nur an diesen Server und steht nie in einer Adresse.",
    ask_first: "Die Tafel braucht eine Website und einen Schlüssel, der sie lesen darf.", ask_refused: "Dieser Schlüssel gilt nicht für {host}. Stimmt der Name?",
    ask_bad: "Das ist kein solcher Name oder Schlüssel: Buchstaben, Ziffern, Punkte, Bindestriche; der Schlüssel 8 bis 128 Zeichen.",
    more: "{percent} mehr als sonst", less: "{percent} weniger als sonst", same: "Wie sonst", usual: "üblich um {time}: {low} – {high}",
    no_usual: "Zu wenige Tage sind bekannt, um zu sagen, was üblich ist", age: "{age} alt", age_fresh: "Live", age_none: "",
    theme_auto: "◐ System", theme_light: "◐ Hell", theme_dark: "◐ Dunkel", theme: "Hell oder dunkel",
    state_loading: "Zahlen werden geholt …", state_warming: "Die Website wird erst kennengelernt: {known} von {needed} Minuten bekannt. Bis dahin: was zwischen den letzten zwei Blicken wuchs.",
    state_stale: "Die Zahlen sind {age} alt.", state_offline: "Der Dienst ist nicht zu erreichen. Neuer Versuch von selbst.",
    state_offline_net: "Dieser Bildschirm hat kein Netz. Neuer Versuch von selbst.", state_limited: "Zu viele Anfragen: für eine Weile wird langsamer gefragt.",
    state_unknown: "Gerade ist nichts bekannt: die neuesten Zahlen sind {age} alt.", state_quiet: "",
    empty_rising: "Gerade steigt nichts über das Übliche.", empty_falling: "Gerade fällt nichts unter das Übliche.",
    empty_top: "Die Liste ist leer.", empty_warming: "Zwischen den letzten zwei Blicken wuchs nichts.",
    expected: "{n} erwartet", before: "max. {n} zuvor", since: "seit {time}", since_before: "seit vor {time}", fresh: "neu",
    times: "{n} ×", times_least: "≥ {n} ×", times_most: "≤ {n} ×", most: "≤ {n}", up: "▲ {n}", down: "▼ {n}", level: "{n}", up_least: "▲ mind. {n}", down_least: "▼ mind. {n}",
    rises: "steigt", falls: "fällt", steady: "gleich", listed_no: "nicht mehr in der Liste",
    held_one: "Eine Änderung der Reihenfolge wartet, während Sie lesen.", held: "{n} Änderungen der Reihenfolge warten, während Sie lesen.",
    spark: "{title}: {now} lesen, {expected} erwartet; Verlauf zeigen", spark_plain: "{title}: {now} lesen; Verlauf zeigen",
    social: "Social", search: "Suche", links: "Links", direct: "direkt", internal: "intern",
    live_one: "Steigt jetzt: {title}", live: "Steigt jetzt: {title}, und {n} weitere",
    day: "Besucher in 24 Stunden: jetzt {now}, niedrigst {low}, höchst {high}", day_none: "Die letzten 24 Stunden sind noch nicht bekannt",
    span_1h: "1 Stunde", span_24h: "24 Stunden", span_7d: "7 Tage", hours: "Stunden eines üblichen Tages", hours_in: "Stunden eines üblichen Tages, nach der Uhr von {zone}", from_where: "Woher die Leser kamen", headlines: "Überschriften",
    evidence: "{expected} erwartet = {median} in der mittleren Minute × {tide} der ganzen Website; Streuung {sigma}; Wert {score}.",
    evidence_failed: "Die Liste ist gerade nicht zu bekommen. Neuer Versuch von selbst.", evidence_none: "Die Seite ist gerade nicht in der Liste.", evidence_warming: "Noch ist zu wenig bekannt, um zu sagen, was zu erwarten ist.", page_now: "{n} lesen gerade", page_least: "höchstens {n} lesen gerade", place: "Platz {rank}", first_seen: "zuerst gesehen {time}",
    visitors: "Besucher", band: "Üblich", median: "Median", quartiles: "Mittlere Hälfte der Tage", headline: "Überschrift",
    chart_none: "Von dieser Zeit ist nichts bekannt.", chart_failed: "Die Kurve kann hier nicht gezeichnet werden.", chart: "{title}: {span}, von {low} bis {high} Besucher",
    part_lost: "Die Ansicht der Seite ist nicht zu laden. Neuer Versuch von selbst.",
    updated: "Eine neue Fassung der Tafel ist da; sie wird geladen, sobald dieser Tab nicht zu sehen ist.",
    event_rise: "steigt", event_takeoff: "hebt ab", event_fall: "fällt", event_record: "so viele wie nie", event_rose: "stieg", event_times: "das {n}-fache des Erwarteten", event_lasted: "{age} lang", event_peak: "Spitze {n}", event_with: "{n} Leser", event_after: "danach {percent}", event_chance: "was es bewirkte, ist vom Zufall nicht zu unterscheiden", event_site_high: "mehr als sonst auf der Website", event_site_low: "weniger als sonst auf der Website", event_headline: "Überschrift geändert", event_outage: "Messung fiel aus",
    event_by: "durch {sources}", wall_rising: "{n} steigen", wall_refused: "nicht angenommen", wall_none: "noch nichts bekannt", wall_more: "{n} weitere sind oben zu wählen.",
  },
};

export const language = (navigator.languages || [navigator.language]).map((name) => name.slice(0, 2).toLowerCase()).find((name) => texts[name]) || "en";

export function text(name, values = {}) {
  const said = texts[language][name] ?? texts.en[name] ?? name;
  return said.replace(/\{(\w+)\}/g, (whole, key) => values[key] ?? whole);
}

/* Fills in what stands in index.html as data-text. */
export function fillTexts(root) {
  for (const node of root.querySelectorAll("[data-text]")) node.textContent = text(node.dataset.text);
}
