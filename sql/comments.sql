-- What each table, column and index is.

comment on table  hosts is 'Sites that Chartbeat has accepted with at least one key.';
comment on column hosts.host is 'Host name, lower case.';
comment on column hosts.created_at is 'When the first snapshot of the host was stored.';
comment on column hosts.asked_at is 'When somebody last asked for the host; at most a minute behind.';
comment on column hosts.poll_every is
'How often the fetcher refreshes the host; null: every minute for an hour after somebody asked us, else every hour.';
comment on column hosts.alert_every is
'How often it is refreshed at least, since somebody is told of its events; null: nobody is. Written by upbeat-alert.';
comment on column hosts.time_zone is 'Time zone of the site (IANA), for its times of day.';

comment on table  apikeys is 'API keys that Chartbeat has accepted for some host. The key itself is only here, sealed.';
comment on column apikeys.digest is 'SHA-256 of the key: its name everywhere else.';
comment on column apikeys.sealed is
'The key under the secret of UPBEAT_SECRET_FILE: nonce, tag, AES-256-GCM ciphertext. Opened by the programs only.';
comment on column apikeys.created_at is 'When the key was first accepted.';

comment on table  key_checks is 'Chartbeat''s last word on each key for each host that it was tried for.';
comment on column key_checks.host is 'Host name; not necessarily one of hosts, since a refused host is remembered too.';
comment on column key_checks.digest is 'SHA-256 of the key.';
comment on column key_checks.state is
'accepted; doubted: accepted before, and refused once since; refused. The table of the machine is in functions/refuse_key.sql. A key '
'without a row is unknown.';
comment on column key_checks.doubted_at is 'When an accepted key was refused for the first time; null in the other states.';
comment on column key_checks.checked_at is
'When Chartbeat last answered this key with a list, or refused it; up to 10 s behind, so that not each refresh writes the row. A first '
'refusal, which makes a key doubted, leaves it as it is.';
comment on column key_checks.refusals is 'Refusals in a row.';
comment on column key_checks.refused_until is
'Until then the refusal is remembered and Chartbeat is not asked: 60 s, doubled at each refusal up to 10 minutes.';
comment on index  key_checks_next is 'The accepted key of a host that was checked longest ago: the next one to be used.';
comment on index  key_checks_expired is 'Refusals that may be forgotten.';
comment on index  key_checks_digest is 'The hosts of a key.';

comment on table  cache is 'All that a request for the increase needs, in one row: the newest snapshot and the one before it.';
comment on column cache.host is 'Host name.';
comment on column cache.taken_at is 'Time of the newest snapshot.';
comment on column cache.pages is 'Newest snapshot as compact text: visitors TAB path TAB title LF, escaped as in COPY.';
comment on column cache.previous_at is 'Time of the snapshot before it; null at first.';
comment on column cache.previous_pages is 'The snapshot before it, in the same form.';
comment on column cache.rate_limit is 'X-RateLimit-Limit as Chartbeat last said.';
comment on column cache.rate_remaining is 'X-RateLimit-Remaining as Chartbeat last said.';

comment on table  refreshes is
'When Chartbeat may be asked for a host, and by which process: lease, back-off, rate budget, next due time.';
comment on column refreshes.host is 'Host name; a host that was never accepted is forgotten after an hour.';
comment on column refreshes.is_accepted is 'Chartbeat accepted the host with some key at least once.';
comment on column refreshes.created_at is 'When the host was first asked for.';
comment on column refreshes.token is 'Random name of the lease; null while nobody holds it.';
comment on column refreshes.lease_until is 'The lease is void after this.';
comment on column refreshes.next_try_at is 'Back-off: nobody asks Chartbeat before this.';
comment on column refreshes.failures is 'Failed refreshes in a row.';
comment on column refreshes.last_error is 'Why the last failed refresh failed.';
comment on column refreshes.last_error_at is 'When it failed.';
comment on column refreshes.budget_tat is 'Rate budget as GCRA: theoretical arrival time of the next request.';
comment on column refreshes.bad_key_tat is
'The same for keys that were never accepted: guessed keys must not use up the rate of the accepted ones.';
comment on column refreshes.requests is 'Requests to Chartbeat so far.';
comment on column refreshes.refused_rows is 'Rows of Chartbeat''s answers that had no usable path or count, so far.';
comment on column refreshes.next_due_at is
'When the fetcher is to refresh the host by the clock; written by set_next_due. Null: it is left alone.';
comment on index  refreshes_unknown is 'Rows that may be forgotten.';
comment on index  refreshes_due is 'The hosts that are due, longest due first.';

comment on table  pages is 'Every page seen, so that snapshots hold numbers in place of text.';
comment on column pages.page_id is 'Number of the page, in all hosts.';
comment on column pages.host is 'Host name.';
comment on column pages.path is 'Path from its first slash on, with its query.';
comment on column pages.title is 'Title as last seen.';
comment on column pages.sections is 'Sections of the site that the page belongs to, as last seen.';

comment on table  titles is 'Each title of each page with the time from which it held.';
comment on column titles.page_id is 'The page.';
comment on column titles.since is 'First snapshot with this title.';
comment on column titles.title is 'The title.';

comment on table  page_months is 'When a page was last seen, to the month: what forget_pages looks at.';
comment on column page_months.page_id is 'The page, by number.';
comment on column page_months.month is 'First day of the month (UTC) of its newest roll-up.';
comment on index  page_months_month is 'The pages that may be forgotten.';

comment on table  snapshots is 'Every snapshot, a row each: pages by visitors descending, then path.';
comment on column snapshots.host is 'Host name.';
comment on column snapshots.taken_at is 'When Chartbeat answered.';
comment on column snapshots.row_limit is
'Rows asked for: a snapshot with as many is full, and says nothing of pages below its smallest count.';
comment on column snapshots.page_ids is 'Pages, by rank.';
comment on column snapshots.visitors is 'Their concurrents, in the same order, packed: unpack_counts makes numbers of them.';
comment on column snapshots.sources is
'Where they came from, five numbers a page: search, social, links, direct, internal; none where Chartbeat says nothing of it. Packed.';
comment on column snapshots.suspect_since is
'Where it cannot be believed: when the first of these in a row was taken. It is left out of means, roll-ups, trends, usual and events; null: good.';
comment on index  snapshots_taken_at is 'The hosts of a quarter, without a look at the rest of the day.';

comment on table  minutes is 'One-minute means, a quarter of an hour of one host a row. For people: the view page_minutes.';
comment on column minutes.host is 'Host name.';
comment on column minutes.slot is 'Start of the quarter of an hour.';
comment on column minutes.samples is 'Snapshots of each of the 15 minutes; 0: an outage, and nothing is known of that minute.';
comment on column minutes.cutoffs is
'For each minute what a page that was not listed had at most, in hundredths of a visitor: the mean over its snapshots of the smallest '
'count of a full list, and of 0 for a short one.';
comment on column minutes.page_ids is 'Pages that were listed in the quarter, by number.';
comment on column minutes.visitors is
'Their means in hundredths of a visitor, 15 a page, -1 where it was not listed in that minute. At most a million visitors.';
comment on column minutes.totals is
'For each minute the mean of the snapshots'' sums, in hundredths of a visitor, at most a million visitors; null: rolled up before this '
'was kept.';

comment on table  quarters is
'Roll-ups of 15 minutes, made of minute means, a row for each host and quarter. Counts are in hundredths of a visitor. For people: the '
'view page_quarters.';
comment on column quarters.host is 'Host name.';
comment on column quarters.slot is 'Start of the quarter of an hour.';
comment on column quarters.minutes is 'Minutes of it of which anything is known.';
comment on column quarters.page_ids is 'Pages that were listed in it, by number; 0, where it is, stands first and is the whole site.';
comment on column quarters.listed is 'Minutes in which the page was listed.';
comment on column quarters.sum is 'Sum of its means over these.';
comment on column quarters.cutoff_sum is
'Sum of the cut-offs over the known minutes in which it was not listed; of the whole site: over all of them.';
comment on column quarters.min is 'Smallest of its means.';
comment on column quarters.max is 'Largest of its means.';
comment on column quarters.first is 'Mean of the first minute in which it was listed.';
comment on column quarters.first_at is 'That minute, 0 to 14.';
comment on column quarters.last is 'Mean of the last minute in which it was listed.';
comment on column quarters.last_at is 'That minute, 0 to 14.';
comment on column quarters.rise is 'Sum of the steps up from one minute to the very next.';
comment on column quarters.fall is 'Sum of the steps down, above 0.';

comment on table  history_progress is 'How far the roll-up has come. The process that locks this row rolls up; others leave it alone.';
comment on column history_progress.only_row is 'There is one row.';
comment on column history_progress.slot is 'The quarter that is rolled up next, or now.';
comment on column history_progress.host is 'The last host of it that is done.';

comment on table  access_tokens is 'View tokens; the view tokens shows them. A token itself is nowhere: it is known by its SHA-256.';
comment on column access_tokens.token_id is 'Number of the token, by which people name it.';
comment on column access_tokens.digest is 'SHA-256 of the token.';
comment on column access_tokens.hosts is 'Hosts that it may ask for.';
comment on column access_tokens.may is
'list: /increasingconcurrents and /pages; board: what the board asks for; box: the list with title, path and rank alone; all: everything.';
comment on column access_tokens.row_limit is 'Pages, or events, of an answer at most; null: no bound of its own.';
comment on column access_tokens.fields is 'Fields of a row that it sees; null: all that its endpoints have.';
comment on column access_tokens.origins is 'Origins whose pages a browser lets read the answer; null: all.';
comment on column access_tokens.valid_until is 'From then on it is refused; null: it does not expire.';
comment on column access_tokens.revoked_at is 'When it was taken away; null: it was not.';
comment on column access_tokens.replaces is 'The token in whose place it was made by a rotation; null: none.';
comment on column access_tokens.note is 'For whom it was made.';
comment on column access_tokens.created_at is 'When it was made.';
comment on index  access_tokens_replaces is 'The token that replaces another.';

comment on table  token_use is 'How much each view token is used; in a table of its own, so that the tokens are not rewritten.';
comment on column token_use.token_id is 'Number of the token.';
comment on column token_use.requests is 'Requests that reached a worker so far; those that nginx answers with a copy are not counted.';
comment on column token_use.last_used_at is 'When it was last counted; at most a minute behind.';

comment on type   event_kind is 'What an event is.';
comment on table  events is 'What happened on the sites, a row an event; written by upbeat-alert.';
comment on column events.event_id is 'Number of the event; it never changes.';
comment on column events.host is 'Host name.';
comment on column events.page_id is 'Page; 0: the whole site.';
comment on column events.kind is
'rise, takeoff (of a page new to the list), fall, record, site_high, site_low, headline (what a new title did), outage (of the measurement).';
comment on column events.began_at is 'The snapshot at which it was told, never dated back; of a headline, when it changed.';
comment on column events.peak_at is 'When it had most visitors, of a fall fewest; of a headline, when its effect was known.';
comment on column events.ended_at is 'When it was over; null: it is open.';
comment on column events.path is 'Path of the page; null: the whole site.';
comment on column events.title is 'Its title when the event began.';
comment on column events.visitors is 'Visitors when it began; of a headline, the mean of the 15 minutes after.';
comment on column events.expected is 'What was expected then.';
comment on column events.score is 'How sure it is: 6 is the least that is told of a rise; of a headline, sigmas.';
comment on column events.peak is 'Visitors at the peak, a mean of a minute; of a headline, the mean of the 15 minutes before.';
comment on column events.peak_expected is 'What was expected before it began, beside the peak.';
comment on column events.causes is 'The smallest set of sources that makes up two thirds of the change.';
comment on column events.sources is 'Change by source up to the peak: search, social, links, direct, internal; null: not known.';
comment on index  events_host is 'The events of a host by time.';
comment on index  events_open is 'Those that are not over.';
comment on table  event_progress is 'How far upbeat-alert has looked; written with the events that it found.';
comment on column event_progress.host is 'Host name.';
comment on column event_progress.looked_at is 'The newest snapshot that it has seen.';
comment on column event_progress.tells_from is 'Events that began later are told to channels: the newest snapshot of its first look. Null: all.';

comment on type   channel_kind is 'How alerts get there.';
comment on type   delivery_state is 'What became of a message.';
comment on table  channels is 'Where alerts go; the view alert_channels shows them.';
comment on column channels.channel_id is 'Number of the channel.';
comment on column channels.name is 'Its name, by which people and commands know it.';
comment on column channels.kind is 'webhook (JSON, signed), slack (an incoming webhook of Slack''s) or mail.';
comment on column channels.shown is 'What may be seen of the address: the host of a URL, or a mail address.';
comment on column channels.sealed_address is 'The address under the secret of UPBEAT_SECRET_FILE, as API keys are.';
comment on column channels.sealed_secret is 'The secret that messages are signed with, sealed; of a webhook alone.';
comment on column channels.sealed_old_secret is 'The one before, while both are used.';
comment on column channels.old_secret_until is 'Until when.';
comment on column channels.is_on is 'False: the receiver has said that it wants no more.';
comment on column channels.off_reason is 'In its words.';
comment on column channels.created_at is 'When it was made.';
comment on column channels.lease is 'Token of the process that is delivering there; null: none is.';
comment on column channels.lease_until is 'After that the process is taken for dead. Without a lease: when it was given back.';

comment on table  channel_rules is 'Which events a channel is told of; the view alert_rules shows them. Null: no bound.';
comment on column channel_rules.rule_id is 'Number of the rule.';
comment on column channel_rules.channel_id is 'Channel.';
comment on column channel_rules.host is 'Host; null: all.';
comment on column channel_rules.kinds is 'Kinds of events.';
comment on column channel_rules.min_visitors is 'The greater of visitors and what was expected is at least this.';
comment on column channel_rules.min_ratio is 'It is at least this times the smaller.';
comment on column channel_rules.sections is 'Pages of one of these sections.';
comment on column channel_rules.paths is 'Pages whose path begins with one of these.';
comment on column channel_rules.sources is 'One of these is among the causes.';
comment on column channel_rules.quiet_from is 'From then on what happens is held back.';
comment on column channel_rules.quiet_until is 'Until then.';
comment on column channel_rules.time_zone is 'By whose clocks; null: those of the host.';
comment on column channel_rules.at_most_per_hour is 'Messages in an hour.';
comment on column channel_rules.created_at is 'When it was made.';
comment on index  channel_rules_channel is 'The rules of a channel.';

comment on table  silences is 'What nobody is told of for a while; the view alert_silences shows them.';
comment on column silences.silence_id is 'Number of the silence.';
comment on column silences.host is 'Host.';
comment on column silences.path is 'Path of its page; null: all of it.';
comment on column silences.silent_until is 'Until when.';
comment on column silences.created_at is 'When it was made.';
comment on index  silences_host is 'The silences of a host.';

comment on table  outbox is 'Messages to channels, kept for 30 days; the view deliveries shows them.';
comment on column outbox.delivery_id is 'Number of the delivery; a channel gets them in this order.';
comment on column outbox.message_id is 'By which the receiver knows it again, however often it is sent.';
comment on column outbox.channel_id is 'Channel.';
comment on column outbox.rule_ids is 'The rules that let it through, by which their bounds are counted.';
comment on column outbox.is_test is 'It tells of no event.';
comment on column outbox.is_held is 'It tells what was held back.';
comment on column outbox.created_at is 'When the message was made.';
comment on column outbox.state is 'waiting, until it is delivered, refused for good, or given up after 24 hours.';
comment on column outbox.attempts is 'How often somebody began to send it.';
comment on column outbox.next_try_at is 'When it is sent next, at the earliest.';
comment on column outbox.done_at is 'When it was not waiting any more.';
comment on column outbox.http_status is 'Status of the last answer; null: none.';
comment on column outbox.said is 'What went wrong the last time.';
comment on index  outbox_waiting is 'The oldest message of a channel that waits.';
comment on index  outbox_recent is 'The messages of a channel in the last hour.';

comment on table  outbox_events is
'What a channel is to be told, and in which message. A copy of the event, since a message says the same however often it is sent.';
comment on column outbox_events.item_id is 'Number of the item.';
comment on column outbox_events.delivery_id is 'Its message; null: it waits for one.';
comment on column outbox_events.channel_id is 'Channel.';
comment on column outbox_events.rule_ids is 'The rules of the channel that match.';
comment on column outbox_events.event_id is 'Event.';
comment on column outbox_events.is_end is 'That the event is over, of which the begin was told before.';
comment on column outbox_events.found_at is 'When it was put here, in one transaction with the event.';
comment on column outbox_events.due_at is 'When it goes into a message.';
comment on column outbox_events.is_held is 'Quiet hours or a bound by the hour hold it back.';
comment on column outbox_events.host is 'Host name.';
comment on column outbox_events.kind is 'What the event is.';
comment on column outbox_events.path is 'Path of the page; null: the whole site.';
comment on column outbox_events.title is 'Its title when the event began.';
comment on column outbox_events.began_at is 'When it began.';
comment on column outbox_events.peak_at is 'When it had its peak, as far as is known.';
comment on column outbox_events.ended_at is 'When it was over; null: it was open.';
comment on column outbox_events.visitors is 'Visitors when it began.';
comment on column outbox_events.expected is 'What was expected then.';
comment on column outbox_events.score is 'How sure it is.';
comment on column outbox_events.peak is 'Visitors at the peak.';
comment on column outbox_events.peak_expected is 'What was expected, beside the peak.';
comment on column outbox_events.causes is 'The sources that make up two thirds of the change.';
comment on column outbox_events.sources is 'Change by source: search, social, links, direct, internal; null: not known.';
comment on column outbox_events.minutes is 'Visitors in each of the 30 minutes up to then, oldest first; -1: not known.';
comment on index  outbox_events_due is 'What is to be told and is in no message yet.';
comment on index  outbox_events_delivery is 'What a message tells.';
comment on index  outbox_events_event is 'What is told of an event.';
