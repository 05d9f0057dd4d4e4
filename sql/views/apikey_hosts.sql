create view apikey_hosts as
select left(encode(k.digest, 'hex'), 8) as key, k.host,
       k.state::text as verdict,
       k.checked_at
from key_checks k
order by 1, 2;
comment on view   apikey_hosts is 'Which key is accepted for which host. A key shows as the first 8 hex digits of its SHA-256.';
comment on column apikey_hosts.key is 'First 8 hex digits of the key''s digest: printf %s KEY | sha256sum.';
comment on column apikey_hosts.host is 'Host name.';
comment on column apikey_hosts.verdict is 'accepted, doubted (accepted, then refused once) or refused: Chartbeat''s last word.';
comment on column apikey_hosts.checked_at is 'When Chartbeat was last asked; up to 10 s behind.';
