create or replace function rule_takes(p_rule channel_rules, p_event events) returns boolean
language sql stable as $$
    select (p_rule.host is null or p_rule.host = p_event.host) and p_event.kind = any (p_rule.kinds)
      -- Of an outage there are no numbers. What falls is measured by what it falls from.
      and (p_event.kind = 'outage' or (
          greatest(p_event.visitors, p_event.expected) >= p_rule.min_visitors
          and greatest(p_event.visitors, p_event.expected) >= p_rule.min_ratio * least(p_event.visitors, p_event.expected)))
      and (p_rule.sections is null or exists (
          select from pages p, unnest(p.sections) s join unnest(p_rule.sections) w on lower(s) = lower(w) where p.page_id = p_event.page_id))
      and (p_rule.paths is null or exists (select from unnest(p_rule.paths) w where starts_with(p_event.path, w)))
      and (p_rule.sources is null or p_event.causes && p_rule.sources)
$$;
comment on function rule_takes is 'Whether an event is one of those that a rule is for.';
