/** Departments, and whose members the users are. Departments are few and never deleted; a parent stands before its children, so there is no cycle. */
export const departments = `
create table departments (
  id bigint primary key,
  name text not null,
  code text,
  parent_id bigint,
  sort_order bigint not null,
  is_active boolean not null default true
);
insert into counters (name, value) values ('department', 0);

alter table users add column department_id bigint;
create index users_of_department on users (department_id) where is_active;
`
