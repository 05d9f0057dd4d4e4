create view tokens as
select t.token_id as id,
       case when t.revoked_at is not null then 'revoked'
            when t.valid_until <= clock_timestamp() then 'expired'
            else 'valid' end as state,
       t.may::text as may, t.hosts, t.row_limit, t.fields, t.origins,
       t.created_at, t.valid_until, t.revoked_at, t.replaces,
       u.last_used_at,
       coalesce(u.requests, 0) as requests,
       t.note
from access_tokens t left join token_use u using (token_id)
order by t.token_id;
comment on view   tokens is 'View tokens, and how much they are used; upbeat-token makes and revokes them.';
comment on column tokens.id is 'Number of the token.';
comment on column tokens.state is 'valid, expired or revoked.';
comment on column tokens.may is 'list, board, box or all.';
comment on column tokens.hosts is 'Hosts that it may ask for.';
comment on column tokens.row_limit is 'Rows of an answer at most; null: no bound of its own.';
comment on column tokens.fields is 'Fields of a row that it sees; null: all.';
comment on column tokens.origins is 'Origins whose pages may read the answers; null: all.';
comment on column tokens.created_at is 'When it was made.';
comment on column tokens.valid_until is 'When it expires; null: never.';
comment on column tokens.revoked_at is 'When it was revoked.';
comment on column tokens.replaces is 'The token in whose place it was made.';
comment on column tokens.last_used_at is 'The minute in which it was last used; null: never.';
comment on column tokens.requests is 'Requests that reached a worker so far; those that nginx answers with a copy are not counted.';
comment on column tokens.note is 'For whom it was made.';
