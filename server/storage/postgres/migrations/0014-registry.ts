/** Tokens that count at a door with a registry, and what a registry without a server of its own keeps here. */
export const registry = `
-- number: in the order in which they were kept. is_pending: the registry is still to learn of it. token: only where its keys are made of it.
create table logins (
  sha256 text primary key,
  number bigint generated always as identity,
  user_id bigint not null,
  username text not null,
  subject text not null,
  token text,
  expires_at bigint,
  is_pending boolean not null default true
);
create unique index logins_by_number on logins (number);
create index logins_pending on logins (number) where is_pending;

create table registry_records (
  name text primary key,
  value text not null,
  kept_until bigint
);
-- Until when each process was known to live.
create table registry_leases (
  node text primary key,
  until bigint not null
);
`
