-- The schema of task hubs in PostgreSQL, format 1; versions that know format 1 can work with it.

-- To read, and to see what a change comes to: `ostinato migrate` makes it. Written by scripts/postgres-schema.ts from a migrated database.

create table ostinato.activities (
  number bigint not null,
  generation bigint not null,
  task_id bigint not null,
  hub integer not null,
  name text not null,
  execution_id text not null,
  version text,
  input text,
  tags text,
  attempt integer not null,
  idempotency_key text not null,
  attempt_timeout_ms bigint,
  expires_at bigint,
  trace_context text,
  epoch bigint not null,
  born smallint not null,
  delivery integer not null,
  owner bigint,
  visible_at bigint not null,
  primary key (number, generation, task_id)
) with (fillfactor=80, autovacuum_vacuum_scale_factor=0.02);
create index activities_unclaimed ON ostinato.activities USING btree (hub, name, visible_at) WHERE (owner IS NULL);

create table ostinato.history (
  number bigint not null,
  turn bigint not null,
  first bigint not null,
  count integer not null,
  format smallint not null,
  body text not null,
  primary key (number, turn)
);

create table ostinato.hubs (
  hub integer not null generated always as identity,
  name text not null,
  closed text,
  move text,
  unique (name),
  primary key (hub)
);

create table ostinato.instances (
  number bigint not null generated always as identity,
  hub integer not null,
  id text not null,
  kind smallint not null,
  name text not null,
  created_at bigint not null,
  parent_id text,
  epoch bigint not null,
  turn bigint not null,
  history_length bigint not null,
  updated_at bigint not null,
  last_turn_at bigint not null,
  attempts integer not null,
  status smallint not null,
  version text,
  execution_id text not null,
  lineage text not null,
  scheduled_at bigint,
  started_at bigint,
  completed_at bigint,
  tags text,
  trace_context text,
  generation bigint not null,
  held smallint not null,
  not_before bigint,
  stall text,
  awaited_events text,
  sections text,
  locked_by text,
  dropped bigint not null,
  parent_execution text,
  parent_name text,
  parent_version text,
  parent_task bigint,
  format smallint not null,
  owner bigint,
  primary key (number)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.05);
create index instances_by_completion ON ostinato.instances USING btree (hub, completed_at, id) WHERE (completed_at IS NOT NULL);
create unique index instances_by_id ON ostinato.instances USING btree (hub, id);
create index instances_by_parent ON ostinato.instances USING btree (hub, parent_id) WHERE (parent_id IS NOT NULL);
create index instances_entities ON ostinato.instances USING btree (hub, number) WHERE (kind = 1);
create index instances_owned ON ostinato.instances USING btree (owner) WHERE (owner IS NOT NULL);
create index instances_stalled ON ostinato.instances USING btree (hub, number) WHERE (stall IS NOT NULL);
create index instances_unfinished ON ostinato.instances USING btree (hub, number) WHERE (status < 3);

create table ostinato.messages (
  number bigint not null,
  lane smallint not null,
  due_at bigint not null,
  sequence bigint not null,
  id text not null,
  execution text,
  visible_at bigint,
  arrived_at bigint not null,
  format smallint not null,
  body text not null,
  primary key (number, lane, due_at, sequence)
) with (autovacuum_vacuum_scale_factor=0.05);
create unique index messages_by_id ON ostinato.messages USING btree (number, id);

create table ostinato.meta (
  key text not null,
  value bigint not null,
  primary key (key)
);

create table ostinato.news (
  number bigint not null,
  owner bigint not null,
  from_sequence bigint not null,
  at bigint not null,
  primary key (number)
) with (fillfactor=50, autovacuum_vacuum_scale_factor=0.02);
create index news_by_owner ON ostinato.news USING btree (owner);

create table ostinato.owners (
  owner bigint not null generated always as identity,
  hub integer not null,
  alive_until bigint not null,
  gone boolean not null default false,
  label text not null,
  since bigint not null,
  timeline integer not null,
  primary key (owner)
) with (fillfactor=50, autovacuum_vacuum_threshold=200);

create table ostinato.payloads (
  number bigint not null,
  slot smallint not null,
  value text not null,
  primary key (number, slot)
);

create table ostinato.ready (
  number bigint not null,
  name text not null,
  hub integer not null,
  at bigint not null,
  primary key (number, name)
) with (autovacuum_vacuum_scale_factor=0.02);
create index ready_by_name ON ostinato.ready USING btree (hub, name, at);

create sequence ostinato.sequences;

CREATE OR REPLACE FUNCTION ostinato.claim_1(p_owner bigint, p_hub integer, p_at bigint, p_due bigint[], p_handed_numbers bigint[], p_handed bigint[], p_room integer, p_names text[], p_any boolean, p_entity_room integer, p_entity_names text[], p_entity_any boolean, p_errands integer, p_activity_names text[], p_activity_any boolean)
 RETURNS json
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_closed text; v_alive boolean; v_at bigint; v_news bigint[]; v_since bigint[]; v_next bigint; v_held json; v_rows json; v_names text[]; v_ready bigint[]; v_found bigint[]; v_claimed bigint[];
  v_free json; v_free_rows json; v_taken json[]; v_activities json[]; v_left int; v_name text;
begin
  perform pg_advisory_xact_lock_shared(797139664, p_owner::int);
  select h.closed, not o.gone and o.timeline = "ostinato".timeline_1() into v_closed, v_alive from "ostinato".hubs h left join "ostinato".owners o on o.hub = h.hub and o.owner = p_owner where h.hub = p_hub;
  if v_closed is not null then raise exception '%', v_closed using errcode = 'OST02'; end if;
  if v_alive is not true then return '{"gone":true}'; end if;
  v_at := coalesce(p_at, "ostinato".now_1());
  with found as (select w.number from "ostinato".news w where w.owner = p_owner and w.at <= v_at order by w.number limit 1000 for update skip locked),
  heard as (delete from "ostinato".news w using found f where w.number = f.number returning w.number, w.from_sequence)
  select array_agg(h.number), array_agg(h.from_sequence) into v_news, v_since from heard h where h.number <> all(coalesce(p_due, '{}'));
  if p_due is not null or v_news is not null then
    select array_agg(i.number), array_agg(t.since), json_agg(json_build_array(i.number, i.id, i.kind, i.name, i.created_at, i.parent_id, i.epoch, i.turn, i.history_length, i.updated_at, i.last_turn_at, i.attempts, i.status, i.started_at, i.completed_at, i.awaited_events, i.version, i.execution_id, i.lineage, i.scheduled_at, i.tags, i.trace_context, i.generation, i.held, i.not_before, i.stall, i.sections, i.locked_by, i.dropped, i.parent_execution, i.parent_name, i.parent_version, i.parent_task, i.format)) into v_found, v_since, v_rows
      from (select d.number, null::bigint as since from unnest(p_due) d(number) union all select w.number, w.since from unnest(v_news, v_since) w(number, since)) t
      join "ostinato".instances i on i.number = t.number where i.owner = p_owner;
    if v_found is not null then
      v_held := json_build_array(v_rows, "ostinato".hand_out_1(v_at, v_found, v_since, p_handed_numbers, p_handed));
    end if;
  end if;
  select min(w.at) into v_next from "ostinato".news w where w.owner = p_owner;
  if p_room > 0 then
    if p_any then
      
    with recursive names as (
      (select t.name from "ostinato".ready t where t.hub = p_hub and (t.name < '@' or t.name >= 'A') order by t.name limit 1)
      union all
      select (select t.name from "ostinato".ready t where t.hub = p_hub and (t.name < '@' or t.name >= 'A') and t.name > n.name order by t.name limit 1) from names n where n.name is not null)
    select array_agg(n.name) into v_names from names n where n.name is not null;
      select array_agg(n.name) into v_names from unnest(v_names) n(name) where n.name <> all(p_names) and n.name <> '';
      v_names := '{""}' || v_names;
    else v_names := '{""}' || p_names; end if;
    
    if p_room > 0 and v_names is not null then
      select array_agg(t.number order by t.at, t.number) into v_ready from (
        select r.number, min(r.at) as at from unnest(v_names) n(name) cross join lateral (
          select r.number, r.at from "ostinato".ready r where r.hub = p_hub and r.name = n.name and r.at <= v_at order by r.at limit p_room * 4 + 16) r
        group by r.number order by min(r.at) limit p_room * 4 + 16) t;
      select array_agg(t.number) into v_found from (
        select i.number from unnest(v_ready) with ordinality c(number, n) join "ostinato".instances i on i.number = c.number
        where i.owner is null order by c.n limit p_room for no key update of i skip locked) t;
      -- Under its lock: it is still ready, and nobody was faster.
      with mine as (
        update "ostinato".instances i set owner = p_owner, epoch = i.epoch + 1, attempts = i.attempts + 1
        where i.number = any(v_found) and i.owner is null
          and exists (select 1 from "ostinato".ready r where r.number = i.number and r.name = any(v_names) and r.at <= v_at) returning i.number)
      select v_claimed || array_agg(m.number) into v_claimed from mine m;
      -- Whoever holds the lock of a row for a moment may have nothing to tell afterwards: what was passed over is looked at again soon.
      if coalesce(array_length(v_found, 1), 0) < p_room and exists (
          select 1 from unnest(v_ready) c(number) join "ostinato".instances i on i.number = c.number where i.owner is null and i.number <> all(coalesce(v_found, '{}'))) then
        v_next := least(v_next, v_at + 10);
      end if;
      select least(v_next, min(r.at)) into v_next from unnest(v_names) n(name) cross join lateral (
        select r.at from "ostinato".ready r where r.hub = p_hub and r.name = n.name and r.at > v_at order by r.at limit 1) r;
    end if;
  end if;
  if p_entity_room > 0 then
    if p_entity_any then
      
    with recursive names as (
      (select t.name from "ostinato".ready t where t.hub = p_hub and t.name >= '@' and t.name < 'A' order by t.name limit 1)
      union all
      select (select t.name from "ostinato".ready t where t.hub = p_hub and t.name >= '@' and t.name < 'A' and t.name > n.name order by t.name limit 1) from names n where n.name is not null)
    select array_agg(n.name) into v_names from names n where n.name is not null;
      select array_agg(n.name) into v_names from unnest(v_names) n(name) where n.name <> all(p_entity_names);
    else v_names := p_entity_names; end if;
    
    if p_entity_room > 0 and v_names is not null then
      select array_agg(t.number order by t.at, t.number) into v_ready from (
        select r.number, min(r.at) as at from unnest(v_names) n(name) cross join lateral (
          select r.number, r.at from "ostinato".ready r where r.hub = p_hub and r.name = n.name and r.at <= v_at order by r.at limit p_entity_room * 4 + 16) r
        group by r.number order by min(r.at) limit p_entity_room * 4 + 16) t;
      select array_agg(t.number) into v_found from (
        select i.number from unnest(v_ready) with ordinality c(number, n) join "ostinato".instances i on i.number = c.number
        where i.owner is null order by c.n limit p_entity_room for no key update of i skip locked) t;
      -- Under its lock: it is still ready, and nobody was faster.
      with mine as (
        update "ostinato".instances i set owner = p_owner, epoch = i.epoch + 1, attempts = i.attempts + 1
        where i.number = any(v_found) and i.owner is null
          and exists (select 1 from "ostinato".ready r where r.number = i.number and r.name = any(v_names) and r.at <= v_at) returning i.number)
      select v_claimed || array_agg(m.number) into v_claimed from mine m;
      -- Whoever holds the lock of a row for a moment may have nothing to tell afterwards: what was passed over is looked at again soon.
      if coalesce(array_length(v_found, 1), 0) < p_entity_room and exists (
          select 1 from unnest(v_ready) c(number) join "ostinato".instances i on i.number = c.number where i.owner is null and i.number <> all(coalesce(v_found, '{}'))) then
        v_next := least(v_next, v_at + 10);
      end if;
      select least(v_next, min(r.at)) into v_next from unnest(v_names) n(name) cross join lateral (
        select r.at from "ostinato".ready r where r.hub = p_hub and r.name = n.name and r.at > v_at order by r.at limit 1) r;
    end if;
  end if;
  if v_claimed is not null then
    select array_agg(t.number), json_agg(t.r) into v_claimed, v_free_rows from (
      select i.number, json_build_array(i.number, i.id, i.kind, i.name, i.created_at, i.parent_id, i.epoch, i.turn, i.history_length, i.updated_at, i.last_turn_at, i.attempts, i.status, i.started_at, i.completed_at, i.awaited_events, i.version, i.execution_id, i.lineage, i.scheduled_at, i.tags, i.trace_context, i.generation, i.held, i.not_before, i.stall, i.sections, i.locked_by, i.dropped, i.parent_execution, i.parent_name, i.parent_version, i.parent_task, i.format) as r from "ostinato".instances i
      join (select r.number, min(r.at) as at from "ostinato".ready r where r.number = any(v_claimed) group by r.number) s on s.number = i.number
      where i.number = any(v_claimed) order by s.at, i.number) t;
    delete from "ostinato".ready r where r.number = any(v_claimed);
    delete from "ostinato".news w where w.number = any(v_claimed);
    v_free := json_build_array(v_free_rows, "ostinato".hand_out_1(v_at, v_claimed, null, null, null));
  end if;
  if p_errands > 0 then
    if p_activity_any then
      
    with recursive names as (
      (select t.name from "ostinato".activities t where t.hub = p_hub and t.owner is null order by t.name limit 1)
      union all
      select (select t.name from "ostinato".activities t where t.hub = p_hub and t.owner is null and t.name > n.name order by t.name limit 1) from names n where n.name is not null)
    select array_agg(n.name) into v_names from names n where n.name is not null;
      select array_agg(n.name) into v_names from unnest(v_names) n(name) where n.name <> all(p_activity_names);
    else v_names := p_activity_names; end if;
    v_left := p_errands;
    for v_name in select n.name from unnest(v_names) n(name) cross join lateral (
        select t.visible_at from "ostinato".activities t where t.hub = p_hub and t.name = n.name and t.owner is null and t.visible_at <= v_at order by t.visible_at limit 1) f
        order by f.visible_at loop
      exit when v_left <= 0;
      with picked as (
        select t.number, t.generation, t.task_id from "ostinato".activities t
        where t.hub = p_hub and t.name = v_name and t.owner is null and t.visible_at <= v_at order by t.visible_at limit v_left for update skip locked),
      mine as (
        update "ostinato".activities t set owner = p_owner, visible_at = v_at, epoch = t.epoch + 1, delivery = t.delivery + 1 from picked k
        where t.number = k.number and t.generation = k.generation and t.task_id = k.task_id
        returning json_build_array((select i.id from "ostinato".instances i where i.number = t.number), t.number, t.generation, t.task_id, t.name, t.execution_id, t.version,
          t.input, t.tags, t.attempt, t.idempotency_key, t.attempt_timeout_ms, t.expires_at, t.trace_context, t.epoch, t.delivery, t.born) as r, t.number, t.task_id)
      select array_agg(m.r order by m.number, m.task_id) into v_taken from mine m;
      v_activities := v_activities || v_taken;
      v_left := v_left - coalesce(array_length(v_taken, 1), 0);
    end loop;
    select least(v_next, min(f.visible_at)) into v_next from unnest(v_names) n(name) cross join lateral (
      select t.visible_at from "ostinato".activities t where t.hub = p_hub and t.name = n.name and t.owner is null and t.visible_at > v_at and t.visible_at < 253402300799999 order by t.visible_at limit 1) f;
  end if;
  return json_build_object('at', v_at, 'held', v_held, 'free', v_free, 'activities', v_activities, 'next', v_next);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.commit_1(p_owner bigint, p_hub integer, p_at bigint, f_c integer[], f_number bigint[], f_epoch bigint[], f_turn bigint[], b_c integer[], b_id text[], d_c integer[], d_number bigint[], d_generation bigint[], d_task bigint[], d_epoch bigint[], d_finish integer[], d_aside integer[], q_c integer[], q_number bigint[], k_c integer[], k_number bigint[], k_id text[], x_c integer[], x_number bigint[], x_id text[], e_c integer[], e_number bigint[], e_execution text[], e_generation bigint[], g_c integer[], g_number bigint[], g_if_idle integer[], h_c integer[], h_number bigint[], h_keep integer[], h_epoch bigint[], h_turn bigint[], h_history_length bigint[], h_updated_at bigint[], h_last_turn_at bigint[], h_attempts bigint[], h_status bigint[], h_started_at bigint[], h_completed_at bigint[], h_awaited_events text[], l_c integer[], l_number bigint[], l_keep integer[], r_rows json, n_c integer[], n_how integer[], n_keep integer[], n_rows json, p_c integer[], p_number bigint[], p_slot integer[], p_value text[], y_c integer[], y_number bigint[], y_turn bigint[], y_first bigint[], y_count integer[], y_format integer[], y_body text[], y_replace integer[], a_c integer[], a_number bigint[], a_generation bigint[], a_task bigint[], a_name text[], a_execution text[], a_version text[], a_input text[], a_tags text[], a_attempt integer[], a_key text[], a_timeout bigint[], a_expires bigint[], a_trace text[], a_epoch bigint[], a_born integer[], m_c integer[], m_number bigint[], m_to text[], m_lane integer[], m_id text[], m_execution text[], m_visible bigint[], m_body text[], m_format integer, o_number bigint[], o_handed_number bigint[], o_handed bigint[])
 RETURNS json
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_closed text; v_alive boolean; v_at bigint; v_lock bigint[]; v_bad int[]; v_exists int[]; v_more int[]; v_clean boolean := true;
  v_taken bigint[]; v_kept bigint[]; v_free bigint[]; v_some bigint[]; v_dropped bigint[]; v_ended text[];
  v_numbers bigint[]; v_made bigint[]; v_born bigint[]; v_place int; v_i int; v_number bigint; v_to bigint[];
  v_m_number bigint[]; v_m_due bigint[]; v_m_sequence bigint[]; v_m_lane smallint[]; v_undelivered json; v_news bigint[];
  v_names text[]; v_offered text[]; v_next bigint; v_look bigint[]; v_arrived json; v_born_rows json;
begin
  perform pg_advisory_xact_lock_shared(797139664, p_owner::int);
  select h.closed, not o.gone and o.timeline = "ostinato".timeline_1() into v_closed, v_alive from "ostinato".hubs h left join "ostinato".owners o on o.hub = h.hub and o.owner = p_owner where h.hub = p_hub;
  if v_closed is not null then raise exception '%', v_closed using errcode = 'OST02'; end if;
  if v_alive is not true then return '{"gone":true}'; end if;
  -- ---- who is concerned, in one order
  v_lock := f_number;
  if d_number is not null then v_lock := v_lock || d_number; end if;
  if l_number is not null then v_lock := v_lock || l_number; end if;
  if m_number is not null then v_lock := v_lock || m_number; end if;
  if m_to is not null then
    -- One look in the index for each id: as a join, a plan could begin with all instances of the hub.
    select array_agg(x.number) into v_some
      from (select (select i.number from "ostinato".instances i where i.hub = p_hub and i.id = u.id) as number from unnest(m_to) u(id)) x where x.number is not null;
    v_lock := v_lock || v_some;
  end if;
  perform 1 from "ostinato".instances i where i.number = any(v_lock) order by i.number for no key update;
  v_at := coalesce(p_at, "ostinato".now_1());

  -- ---- checks
  if f_c is not null then
    select array_agg(u.c) filter (where i.number is null or i.epoch <> u.epoch or i.turn <> u.turn), array_agg(i.number) filter (where i.owner is distinct from p_owner)
      into v_bad, v_taken
      from unnest(f_c, f_number, f_epoch, f_turn) u(c, number, epoch, turn) left join "ostinato".instances i on i.number = u.number;
  end if;
  if d_c is not null then
    select array_agg(u.c) into v_more
      from unnest(d_c, d_number, d_generation, d_task, d_epoch) u(c, number, generation, task, epoch)
      left join "ostinato".activities a on a.number = u.number and a.generation = u.generation and a.task_id = u.task
      where u.epoch >= 0 and a.epoch is distinct from u.epoch;
    v_bad := v_bad || v_more;
  end if;
  if k_c is not null then
    select array_agg(u.c) into v_more
      from unnest(k_c, k_number, k_id) u(c, number, id) left join "ostinato".messages m on m.number = u.number and m.id = u.id
      where m.due_at is null or m.due_at > v_at;
    v_bad := v_bad || v_more;
  end if;
  if g_c is not null then
    select array_agg(u.c) into v_more from unnest(g_c, g_number, g_if_idle) u(c, number, if_idle)
      where exists (select 1 from "ostinato".messages m where m.number = u.number and (u.if_idle = 1 or m.lane = 1));
    v_bad := v_bad || v_more;
  end if;
  if b_c is not null then
    select array_agg(u.c) into v_exists from unnest(b_c, b_id) u(c, id) where (select true from "ostinato".instances i where i.hub = p_hub and i.id = u.id);
  end if;
  v_more := coalesce(v_bad, '{}') || coalesce(v_exists, '{}');
  v_clean := v_more = '{}';

  -- ---- what goes
  if d_c is not null then
    -- Claims take activities without the lock of their instance: the fence is looked at again under the lock of the row itself.
    with done as (
      delete from "ostinato".activities a using unnest(d_c, d_number, d_generation, d_task, d_epoch, d_finish) u(c, number, generation, task, epoch, finish)
      where a.number = u.number and a.generation = u.generation and a.task_id = u.task and u.finish = 1 and (u.epoch < 0 or a.epoch = u.epoch)
        and (v_clean or u.c <> all(v_more)) returning u.epoch)
    select count(*) filter (where d.epoch >= 0) into v_i from done d;
    if v_i < (select count(*) from unnest(d_c, d_epoch, d_finish) u(c, epoch, finish) where u.epoch >= 0 and u.finish = 1 and (v_clean or u.c <> all(v_more))) then
      raise exception 'an activity has just been claimed by somebody else' using errcode = '40001';
    end if;
  end if;
  if d_aside is not null then
    -- What is put aside is to be had at the end of time.
    update "ostinato".activities a set owner = null, visible_at = 253402300799999, delivery = u.aside
      from unnest(d_c, d_number, d_generation, d_task, d_epoch, d_aside) u(c, number, generation, task, epoch, aside)
      where a.number = u.number and a.generation = u.generation and a.task_id = u.task and u.aside is not null and a.epoch = u.epoch and (v_clean or u.c <> all(v_more));
    get diagnostics v_i = row_count;
    if v_i < (select count(*) from unnest(d_c, d_aside) u(c, aside) where u.aside is not null and (v_clean or u.c <> all(v_more))) then
      raise exception 'an activity has just been claimed by somebody else' using errcode = '40001';
    end if;
  end if;
  if q_c is not null then
    with offered as (
      update "ostinato".activities a set visible_at = v_at from unnest(q_c, q_number) u(c, number)
      where a.number = u.number and a.owner is null and a.visible_at = 253402300799999 and (v_clean or u.c <> all(v_more)) returning a.name)
    select array_agg(distinct '#' || o.name) into v_offered from offered o;
  end if;
  if k_c is not null then
    delete from "ostinato".messages m using unnest(k_c, k_number, k_id) u(c, number, id)
      where m.number = u.number and m.id = u.id and (v_clean or u.c <> all(v_more));
  end if;
  if x_c is not null then
    delete from "ostinato".messages m using unnest(x_c, x_number, x_id) u(c, number, id)
      where m.number = u.number and m.id = u.id and (v_clean or u.c <> all(v_more));
  end if;
  if e_c is not null then
    delete from "ostinato".messages m using unnest(e_c, e_number, e_execution) u(c, number, execution)
      where m.number = u.number and m.execution = u.execution and (v_clean or u.c <> all(v_more));
    delete from "ostinato".activities a using unnest(e_c, e_number, e_generation) u(c, number, generation)
      where a.number = u.number and a.generation = u.generation and (v_clean or u.c <> all(v_more));
  end if;
  if g_c is not null then
    select array_agg(u.number) into v_dropped from unnest(g_c, g_number) u(c, number) where v_clean or u.c <> all(v_more);
    with gone as (delete from "ostinato".instances i where i.number = any(v_dropped) returning i.id) select array_agg(g.id) into v_ended from gone g;
    delete from "ostinato".payloads t where t.number = any(v_dropped);
    delete from "ostinato".history t where t.number = any(v_dropped);
    delete from "ostinato".messages t where t.number = any(v_dropped);
    delete from "ostinato".ready t where t.number = any(v_dropped);
    delete from "ostinato".news t where t.number = any(v_dropped);
    delete from "ostinato".activities t where t.number = any(v_dropped);
  end if;

  -- ---- what stands
  if h_c is not null then
    update "ostinato".instances i set epoch = u.epoch, turn = u.turn, history_length = u.history_length, updated_at = u.updated_at, last_turn_at = u.last_turn_at, attempts = u.attempts, status = u.status, started_at = u.started_at, completed_at = u.completed_at, awaited_events = u.awaited_events, owner = case when u.keep = 1 then p_owner end
      from unnest(h_c, h_number, h_keep, h_epoch, h_turn, h_history_length, h_updated_at, h_last_turn_at, h_attempts, h_status, h_started_at, h_completed_at, h_awaited_events) u(c, number, keep, epoch, turn, history_length, updated_at, last_turn_at, attempts, status, started_at, completed_at, awaited_events)
      where i.number = u.number and (v_clean or u.c <> all(v_more));
    select array_agg(u.number) filter (where u.keep = 1), array_agg(u.number) filter (where u.keep = 0) into v_kept, v_free
      from unnest(h_c, h_number, h_keep) u(c, number, keep) where v_clean or u.c <> all(v_more);
  end if;
  if l_c is not null then
    update "ostinato".instances i set owner = case when u.keep = 1 then p_owner end from unnest(l_c, l_number, l_keep) u(c, number, keep)
      where i.number = u.number and (v_clean or u.c <> all(v_more));
    select v_kept || array_agg(u.number) filter (where u.keep = 1), v_free || array_agg(u.number) filter (where u.keep = 0) into v_kept, v_free
      from unnest(l_c, l_number, l_keep) u(c, number, keep) where v_clean or u.c <> all(v_more);
  end if;
  if r_rows is not null then
    with written as (
      update "ostinato".instances i set epoch = u.epoch, turn = u.turn, history_length = u.history_length, updated_at = u.updated_at, last_turn_at = u.last_turn_at, attempts = u.attempts, status = u.status, started_at = u.started_at, completed_at = u.completed_at, awaited_events = u.awaited_events, version = u.version, execution_id = u.execution_id, lineage = u.lineage, scheduled_at = u.scheduled_at, tags = u.tags, trace_context = u.trace_context, generation = u.generation, held = u.held, not_before = u.not_before, stall = u.stall, sections = u.sections, locked_by = u.locked_by, dropped = u.dropped, parent_execution = u.parent_execution, parent_name = u.parent_name, parent_version = u.parent_version, parent_task = u.parent_task, format = u.format, owner = case when u.keep = 1 then p_owner end
      from json_to_recordset(r_rows) u(c int, keep int, number bigint, epoch bigint, turn bigint, history_length bigint, updated_at bigint, last_turn_at bigint, attempts bigint, status bigint, started_at bigint, completed_at bigint, awaited_events text, version text, execution_id text, lineage text, scheduled_at bigint, tags text, trace_context text, generation bigint, held bigint, not_before bigint, stall text, sections text, locked_by text, dropped bigint, parent_execution text, parent_name text, parent_version text, parent_task bigint, format bigint)
      where i.number = u.number and (v_clean or u.c <> all(v_more)) returning i.number, u.keep)
    select v_kept || array_agg(w.number) filter (where w.keep = 1), v_free || array_agg(w.number) filter (where w.keep = 0) into v_kept, v_free from written w;
  end if;
  if n_rows is not null then
    select array_agg(nextval('"ostinato".instances_number_seq')) into v_numbers from generate_series(1, array_length(n_c, 1));
    with made as (
      insert into "ostinato".instances(number, hub, owner, id, kind, name, created_at, parent_id, epoch, turn, history_length, updated_at, last_turn_at, attempts, status, started_at, completed_at, awaited_events, version, execution_id, lineage, scheduled_at, tags, trace_context, generation, held, not_before, stall, sections, locked_by, dropped, parent_execution, parent_name, parent_version, parent_task, format) overriding system value
      select v_numbers[u.place], p_hub, case when u.keep = 1 or u.how = 2 then p_owner end, u.id, u.kind, u.name, u.created_at, u.parent_id, u.epoch, u.turn, u.history_length, u.updated_at, u.last_turn_at, u.attempts, u.status, u.started_at, u.completed_at, u.awaited_events, u.version, u.execution_id, u.lineage, u.scheduled_at, u.tags, u.trace_context, u.generation, u.held, u.not_before, u.stall, u.sections, u.locked_by, u.dropped, u.parent_execution, u.parent_name, u.parent_version, u.parent_task, u.format from (
        select distinct on (n.id) n.* from json_to_recordset(n_rows) n(c int, place int, how int, keep int, id text, kind bigint, name text, created_at bigint, parent_id text, epoch bigint, turn bigint, history_length bigint, updated_at bigint, last_turn_at bigint, attempts bigint, status bigint, started_at bigint, completed_at bigint, awaited_events text, version text, execution_id text, lineage text, scheduled_at bigint, tags text, trace_context text, generation bigint, held bigint, not_before bigint, stall text, sections text, locked_by text, dropped bigint, parent_execution text, parent_name text, parent_version text, parent_task bigint, format bigint)
        where v_clean or n.c <> all(v_more) order by n.id, n.place) u
      order by u.id
      on conflict (hub, id) do nothing returning instances.number)
    select array_agg(m.number order by m.number) into v_some from made m;
    -- By place: the number, or 0 for one that was not made. Both lists rise.
    v_place := 1;
    for v_i in 1 .. array_length(n_c, 1) loop
      if v_some[v_place] = v_numbers[v_i] then
        v_made[v_i] := v_numbers[v_i];
        v_place := v_place + 1;
      else v_made[v_i] := 0; end if;
    end loop;
    select v_kept || array_agg(t.number) filter (where t.how = 0 and t.keep = 1), array_agg(t.number) filter (where t.how = 2),
        v_free || array_agg(t.number) filter (where t.how < 2 and t.keep = 0)
      into v_kept, v_born, v_free from unnest(v_made, n_how, n_keep) t(number, how, keep) where t.number > 0;
    if exists (select 1 from unnest(v_made, n_how, n_c) t(number, how, c) where t.how = 0 and t.number = 0 and (v_clean or t.c <> all(v_more))) then
      raise exception 'somebody else has just made an instance of the same id' using errcode = '40001';
    end if;
  end if;
  if p_c is not null then
    delete from "ostinato".payloads t using unnest(p_c, p_number, p_slot, p_value) u(c, number, slot, value)
      where t.number = u.number and t.slot = u.slot and u.value is null and (v_clean or u.c <> all(v_more));
    insert into "ostinato".payloads(number, slot, value)
      select case when u.number < 0 then v_made[-u.number] else u.number end, u.slot, u.value from unnest(p_c, p_number, p_slot, p_value) u(c, number, slot, value)
      where u.value is not null and (u.number > 0 or v_made[-u.number] > 0) and (v_clean or u.c <> all(v_more))
      on conflict (number, slot) do update set value = excluded.value;
  end if;
  if y_c is not null then
    if 1 = any(y_replace) then
      delete from "ostinato".history t using unnest(y_c, y_number, y_replace) u(c, number, replace)
        where t.number = u.number and u.replace = 1 and (v_clean or u.c <> all(v_more));
    end if;
    insert into "ostinato".history(number, turn, first, count, format, body)
      select case when u.number < 0 then v_made[-u.number] else u.number end, u.turn, u.first, u.count, u.format, u.body
      from unnest(y_c, y_number, y_turn, y_first, y_count, y_format, y_body) u(c, number, turn, first, count, format, body) where v_clean or u.c <> all(v_more);
  end if;
  if a_c is not null then
    insert into "ostinato".activities(number, generation, task_id, hub, name, execution_id, version, input, tags, attempt, idempotency_key, attempt_timeout_ms,
        expires_at, trace_context, epoch, born, delivery, owner, visible_at)
      select case when u.number < 0 then v_made[-u.number] else u.number end, u.generation, u.task, p_hub, u.name, u.execution, u.version, u.input, u.tags, u.attempt,
        u.key, u.timeout, u.expires, u.trace, u.epoch, u.born, u.born, case when u.born = 1 then p_owner end, v_at
      from unnest(a_c, a_number, a_generation, a_task, a_name, a_execution, a_version, a_input, a_tags, a_attempt, a_key, a_timeout, a_expires, a_trace, a_epoch, a_born)
        u(c, number, generation, task, name, execution, version, input, tags, attempt, key, timeout, expires, trace, epoch, born) where v_clean or u.c <> all(v_more)
      on conflict (number, generation, task_id) do update set name = excluded.name, execution_id = excluded.execution_id, version = excluded.version,
        input = excluded.input, tags = excluded.tags, attempt = excluded.attempt, idempotency_key = excluded.idempotency_key,
        attempt_timeout_ms = excluded.attempt_timeout_ms, expires_at = excluded.expires_at, trace_context = excluded.trace_context, epoch = excluded.epoch,
        born = excluded.born, delivery = excluded.delivery, owner = excluded.owner, visible_at = excluded.visible_at;
  end if;

  -- ---- what is told to others
  if m_c is not null then
    v_to := array_fill(0::bigint, array[array_length(m_c, 1)]);
    if m_to is not null then
      -- Whoever was made by somebody else since is locked here.
      for v_i, v_number in select x.n, i.number from (
            select u.n, (select i.number from "ostinato".instances i where i.hub = p_hub and i.id = u.id) as number from unnest(m_to) with ordinality u(id, n)) x
          join "ostinato".instances i on i.number = x.number where x.number is not null order by i.number for no key update of i loop
        v_to[v_i] := v_number;
      end loop;
    end if;
    with sent as (
      select u.c, u.n, u.lane, u.id, u.execution, u.visible, u.body,
        case when u.recipient is not null then v_to[u.n] when u.number < 0 then v_made[-u.number] else u.number end as number
      from unnest(m_c, m_number, m_to, m_lane, m_id, m_execution, m_visible, m_body) with ordinality u(c, number, recipient, lane, id, execution, visible, body, n)
      where v_clean or u.c <> all(v_more)),
    written as (
      insert into "ostinato".messages(number, lane, due_at, sequence, id, execution, visible_at, arrived_at, format, body)
      select s.number, s.lane, greatest(s.visible, v_at), nextval('"ostinato".sequences'), s.id, s.execution, s.visible, v_at, m_format, s.body
      from (select s.* from sent s where s.number > 0 order by s.n) s
      on conflict (number, id) do nothing returning messages.number, messages.due_at, messages.sequence, messages.lane),
    counted as (select array_agg(w.number) as numbers, array_agg(w.due_at) as dues, array_agg(w.sequence) as sequences, array_agg(w.lane) as lanes from written w)
    select c.numbers, c.dues, c.sequences, c.lanes, (select json_agg(json_build_array(s.c, s.id)) from sent s where s.number = 0)
      into v_m_number, v_m_due, v_m_sequence, v_m_lane, v_undelivered from counted c;
  end if;

  -- ---- who holds what, and who looks for it
  if v_m_number is not null then
    with told as (
      insert into "ostinato".news(number, owner, from_sequence, at)
      select i.number, i.owner, min(t.sequence), min(t.due) from (
          select s.number, s.lane >= 2 as waits, min(s.sequence) as sequence, min(s.due) as due
          from unnest(v_m_number, v_m_due, v_m_sequence, v_m_lane) s(number, due, sequence, lane) group by s.number, s.lane >= 2) t
        join "ostinato".instances i on i.number = t.number and not (t.waits and i.held = 1)
        where i.owner is not null and i.number <> all(coalesce(v_kept, '{}')) and i.number <> all(coalesce(v_born, '{}'))
        group by i.number, i.owner order by i.number
      on conflict (number) do update set owner = excluded.owner, at = least(news.at, excluded.at),
        from_sequence = case when news.owner = excluded.owner then news.from_sequence else excluded.from_sequence end
      returning news.owner)
    select array_agg(distinct t.owner) into v_news from told t;
    select v_free || array_agg(i.number) into v_free from "ostinato".instances i where i.number = any(v_m_number) and i.owner is null;
  end if;
  if v_taken is not null then
    delete from "ostinato".ready t where t.number = any(v_taken) and t.number = any(v_kept);
  end if;
  if v_free is not null then
    select p.o_names, p.o_next into v_names, v_next from "ostinato".place_1(v_at, v_free) p;
  end if;
  if v_kept is not null then
    with heard as (delete from "ostinato".news w where w.number = any(v_kept) returning w.number) select array_agg(h.number) into v_some from heard h;
    select array_agg(distinct t.number) into v_look from (
      select unnest(v_some) union all select unnest(o_number) union all select unnest(v_m_number) union all select unnest(v_taken)) t(number) where t.number = any(v_kept);
    if v_look is not null then
      select "ostinato".hand_out_1(v_at, v_look, null, o_handed_number, o_handed) into v_arrived;
    end if;
  end if;
  if v_born is not null then
    select json_agg(json_build_array(i.number, i.id, i.kind, i.name, i.created_at, i.parent_id, i.epoch, i.turn, i.history_length, i.updated_at, i.last_turn_at, i.attempts, i.status, i.started_at, i.completed_at, i.awaited_events, i.version, i.execution_id, i.lineage, i.scheduled_at, i.tags, i.trace_context, i.generation, i.held, i.not_before, i.stall, i.sections, i.locked_by, i.dropped, i.parent_execution, i.parent_name, i.parent_version, i.parent_task, i.format)) into v_born_rows from "ostinato".instances i where i.number = any(v_born);
    v_born_rows := json_build_array(v_born_rows, "ostinato".hand_out_1(v_at, v_born, null, null, null));
  end if;
  return json_build_object('at', v_at, 'fenced', v_bad, 'exists', v_exists, 'made', v_made, 'undelivered', v_undelivered, 'arrived', v_arrived, 'born', v_born_rows,
    'ready', v_names || v_offered, 'next', v_next, 'news', v_news, 'ended', v_ended);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.hand_out_1(p_at bigint, p_numbers bigint[], p_from bigint[], p_handed_numbers bigint[], p_handed bigint[])
 RETURNS json
 LANGUAGE plpgsql
 STABLE
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  return (select json_agg(json_build_array(n.number, x.next_at, x.messages))
  from unnest(p_numbers, p_from) n(number, since) join "ostinato".instances i on i.number = n.number
  cross join lateral (
    with lanes as (select l.lane from unnest(case when i.held = 1 then '{0,1}'::int[] else '{0,1,2,3}'::int[] end) l(lane)),
    handed as (select h.sequence from unnest(p_handed_numbers, p_handed) h(number, sequence) where h.number = n.number),
    due as (
      select d.* from lanes cross join lateral (
        select m.lane, m.due_at, m.sequence, m.id, m.execution, m.visible_at, m.arrived_at, m.format, m.body from "ostinato".messages m
        where m.number = n.number and m.lane = lanes.lane and m.due_at <= p_at and (n.since is null or m.sequence >= n.since)
          and (p_handed is null or m.sequence not in (select h.sequence from handed h))
        order by m.due_at, m.sequence limit 1001) d),
    chosen as (select d.* from due d order by d.lane % 2, d.due_at, d.sequence limit 1000)
    select case when (select count(*) from due) > 1000 then p_at else
        (select min(l.due_at) from lanes cross join lateral (
          select m.due_at from "ostinato".messages m where m.number = n.number and m.lane = lanes.lane and m.due_at > p_at order by m.due_at limit 1) l) end as next_at,
      (select coalesce(json_agg(json_build_array(c.lane, c.sequence, c.id, c.execution, c.visible_at, c.arrived_at, c.format, c.body) order by c.due_at, c.sequence), '[]')
        from chosen c) as messages) x);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.leave_1(p_owner bigint, p_hub integer, p_at bigint, OUT o_count integer, OUT o_names text[])
 RETURNS record
 LANGUAGE plpgsql
AS $function$
begin
  -- What this owner has on its way comes to its end first; a takeover passes over an owner that is busy.
  perform pg_advisory_xact_lock(797139664, p_owner::int);
  update "ostinato".owners o set gone = true where o.owner = p_owner;
  select t.o_count, t.o_names into o_count, o_names from "ostinato".take_over_1(p_hub, p_at, 10000) t;
end $function$;

CREATE OR REPLACE FUNCTION ostinato.now_1()
 RETURNS bigint
 LANGUAGE sql
AS $function$ select floor(extract(epoch from clock_timestamp()) * 1000)::bigint $function$;

CREATE OR REPLACE FUNCTION ostinato.place_1(p_at bigint, p_numbers bigint[], OUT o_names text[], OUT o_next bigint)
 RETURNS record
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
begin
  delete from "ostinato".ready r where r.number = any(p_numbers);
  delete from "ostinato".news w where w.number = any(p_numbers);
  with waiting as (
    select i.number, i.hub, i.name, i.status, i.not_before, (select m.due_at from "ostinato".messages m where m.number = i.number and m.lane = 0 order by m.due_at limit 1) as l0, (select m.due_at from "ostinato".messages m where m.number = i.number and m.lane = 1 order by m.due_at limit 1) as l1,
      case when i.held = 0 then (select m.due_at from "ostinato".messages m where m.number = i.number and m.lane = 2 order by m.due_at limit 1) end as l2, case when i.held = 0 then (select m.due_at from "ostinato".messages m where m.number = i.number and m.lane = 3 order by m.due_at limit 1) end as l3
    from "ostinato".instances i where i.number = any(p_numbers) and i.owner is null),
  wanted as (
    select w.number, '' as name, w.hub, case when w.status >= 3 then least(w.l0, w.l1, w.l2, w.l3) else least(w.l0, w.l2) end as at from waiting w
    union all
    select w.number, w.name, w.hub, greatest(least(w.l0, w.l1, w.l2, w.l3), w.not_before)
    from waiting w where w.status < 3 and least(w.l0, w.l1, w.l2, w.l3) is not null),
  made as (
    insert into "ostinato".ready(number, name, hub, at) select w.number, w.name, w.hub, w.at from wanted w where w.at is not null returning ready.name, ready.at)
  select array_agg(distinct m.name) filter (where m.at <= p_at + 30000), min(m.at) filter (where m.at > p_at) into o_names, o_next from made m;
end $function$;

CREATE OR REPLACE FUNCTION ostinato.read_1(p_hub integer, p_at bigint, p_ids text[])
 RETURNS json
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_rows json;
begin
  select json_agg(t.r order by t.n) into v_rows from (
    select u.n, case when i.number is not null then json_build_array(i.number, i.id, i.kind, i.name, i.created_at, i.parent_id, i.epoch, i.turn, i.history_length, i.updated_at, i.last_turn_at, i.attempts, i.status, i.started_at, i.completed_at, i.awaited_events, i.version, i.execution_id, i.lineage, i.scheduled_at, i.tags, i.trace_context, i.generation, i.held, i.not_before, i.stall, i.sections, i.locked_by, i.dropped, i.parent_execution, i.parent_name, i.parent_version, i.parent_task, i.format, (select p.value from "ostinato".payloads p where p.number = i.number and p.slot = 0), (select p.value from "ostinato".payloads p where p.number = i.number and p.slot = 1), (select p.value from "ostinato".payloads p where p.number = i.number and p.slot = 2), (select p.value from "ostinato".payloads p where p.number = i.number and p.slot = 3), case when i.kind = 1 then (select p.value from "ostinato".payloads p where p.number = i.number and p.slot = 4) end) end as r
    from unnest(p_ids) with ordinality u(id, n) left join "ostinato".instances i on i.hub = p_hub and i.id = u.id) t;
  return json_build_object('at', coalesce(p_at, "ostinato".now_1()), 'rows', v_rows);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.register_1(p_hub text, p_at bigint, p_lease bigint, p_label text, OUT o_at bigint, OUT o_hub integer, OUT o_owner bigint, OUT o_closed text)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
begin
  o_at := coalesce(p_at, "ostinato".now_1());
  select h.hub, h.closed into o_hub, o_closed from "ostinato".hubs h where h.name = p_hub;
  if o_hub is null then
    insert into "ostinato".hubs(name) values (p_hub) on conflict (name) do nothing;
    select h.hub, h.closed into o_hub, o_closed from "ostinato".hubs h where h.name = p_hub;
  end if;
  if o_closed is not null then return; end if;
  insert into "ostinato".owners(hub, alive_until, label, since, timeline) values (o_hub, o_at + p_lease, p_label, o_at, "ostinato".timeline_1()) returning owner into o_owner;
end $function$;

CREATE OR REPLACE FUNCTION ostinato.release_1(p_owner bigint, p_hub integer, p_at bigint, p_after bigint, p_numbers bigint[], p_epochs bigint[], a_number bigint[], a_generation bigint[], a_task bigint[], a_epoch bigint[], a_undone integer[])
 RETURNS json
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_closed text; v_alive boolean; v_at bigint; v_free bigint[]; v_names text[]; v_next bigint; v_activities text[];
begin
  perform pg_advisory_xact_lock_shared(797139664, p_owner::int);
  select h.closed, not o.gone and o.timeline = "ostinato".timeline_1() into v_closed, v_alive from "ostinato".hubs h left join "ostinato".owners o on o.hub = h.hub and o.owner = p_owner where h.hub = p_hub;
  if v_closed is not null then raise exception '%', v_closed using errcode = 'OST02'; end if;
  if v_alive is not true then return '{"gone":true}'; end if;
  if p_numbers is not null then
    perform 1 from "ostinato".instances i where i.number = any(p_numbers) order by i.number for no key update;
  end if;
  v_at := coalesce(p_at, "ostinato".now_1());
  if p_numbers is not null then
    with given as (
      update "ostinato".instances i set owner = null, not_before = case when p_after > 0 then greatest(i.not_before, v_at + p_after) else i.not_before end
      from unnest(p_numbers, p_epochs) u(number, epoch) where i.number = u.number and i.epoch = u.epoch and i.owner = p_owner returning i.number)
    select array_agg(g.number) into v_free from given g;
    if v_free is not null then select p.o_names, p.o_next into v_names, v_next from "ostinato".place_1(v_at, v_free) p; end if;
  end if;
  if a_number is not null then
    with given as (
      update "ostinato".activities t set owner = null, visible_at = v_at + p_after, delivery = t.delivery - u.undone
      from unnest(a_number, a_generation, a_task, a_epoch, a_undone) u(number, generation, task, epoch, undone)
      where t.number = u.number and t.generation = u.generation and t.task_id = u.task and t.epoch = u.epoch and t.owner = p_owner returning t.name)
    select array_agg(distinct g.name) into v_activities from given g;
    if v_activities is not null and p_after > 0 then v_next := least(v_next, v_at + p_after); end if;
  end if;
  return json_build_object('at', v_at, 'ready', v_names, 'next', v_next, 'activities', v_activities);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.renew_1(p_owner bigint, p_lease bigint, p_at bigint DEFAULT NULL::bigint, p_hub integer DEFAULT NULL::integer, OUT at bigint, OUT alive boolean, OUT taken_over integer, OUT names text[], OUT next_expiry bigint)
 RETURNS record
 LANGUAGE plpgsql
AS $function$
declare
  v_hub int; v_timeline int := "ostinato".timeline_1();
begin
  at := coalesce(p_at, "ostinato".now_1());
  update "ostinato".owners o set alive_until = renew_1.at + p_lease where o.owner = p_owner and not o.gone and o.timeline = v_timeline returning o.hub into v_hub;
  alive := v_hub is not null;
  v_hub := coalesce(v_hub, p_hub);
  taken_over := 0;
  if exists (select 1 from "ostinato".owners o where o.hub = v_hub and (o.gone or o.alive_until < renew_1.at or o.timeline <> v_timeline)) then
    select t.o_count, t.o_names into taken_over, names from "ostinato".take_over_1(v_hub, p_at, 1000) t;
  end if;
  -- What one step has left of an owner is taken over by the next one, soon.
  select min(case when o.gone or o.timeline <> v_timeline then renew_1.at else o.alive_until end) into next_expiry from "ostinato".owners o where o.hub = v_hub and o.owner <> p_owner;
end $function$;

CREATE OR REPLACE FUNCTION ostinato.step_1(p_owner bigint, p_hub integer, p_at bigint, f_number bigint[], f_epoch bigint[], f_turn bigint[], h_keep integer[], h_epoch bigint[], h_turn bigint[], h_history_length bigint[], h_updated_at bigint[], h_last_turn_at bigint[], h_attempts bigint[], h_status bigint[], h_started_at bigint[], h_completed_at bigint[], h_awaited_events text[], y_first bigint[], y_count integer[], y_body text[], p_format integer, d_number bigint[], d_generation bigint[], d_task bigint[], d_epoch bigint[], a_number bigint[], a_generation bigint[], a_task bigint[], a_name text[], a_execution text[], a_version text[], a_input text[], a_tags text[], a_attempt integer[], a_key text[], a_timeout bigint[], a_expires bigint[], a_trace text[], a_epoch bigint[], a_born integer[], k_number bigint[], k_id text[], e_number bigint[], e_execution text[], e_generation bigint[], n_rows json, s_place integer[], s_name text[], s_at bigint[], m_place integer[], m_lane integer[], m_id text[], m_execution text[], m_visible bigint[], m_body text[], p_number bigint[], p_slot integer[], p_value text[], o_number bigint[], o_handed_number bigint[], o_handed bigint[])
 RETURNS json
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_lives boolean; v_at bigint; v_count int; v_made bigint[]; v_sequences bigint[]; v_free bigint[]; v_heard bigint[]; v_look bigint[]; v_arrived json;
  v_names text[]; v_next bigint;
begin
  perform pg_advisory_xact_lock_shared(797139664, p_owner::int);
  select o.hub = p_hub and not o.gone and o.timeline = "ostinato".timeline_1() and (select h.closed is null from "ostinato".hubs h where h.hub = p_hub)
    into v_lives from "ostinato".owners o where o.owner = p_owner;
  if v_lives is not true then return null; end if;
  if n_rows is not null and exists (
      select 1 from json_array_elements(n_rows) u(r) where (select true from "ostinato".instances i where i.hub = p_hub and i.id = u.r->>'id')) then
    return null;
  end if;
  if f_number is not null then
    update "ostinato".instances i set epoch = h_epoch[u.n], turn = h_turn[u.n], history_length = h_history_length[u.n], updated_at = h_updated_at[u.n], last_turn_at = h_last_turn_at[u.n], attempts = h_attempts[u.n], status = h_status[u.n], started_at = h_started_at[u.n], completed_at = h_completed_at[u.n], awaited_events = h_awaited_events[u.n], owner = case when h_keep[u.n] = 1 then p_owner end
      from unnest(f_number) with ordinality u(number, n)
      where i.number = u.number and i.epoch = f_epoch[u.n] and (f_turn[u.n] is null or i.turn = f_turn[u.n]) and i.owner is not distinct from p_owner;
    get diagnostics v_count = row_count;
    if v_count < array_length(f_number, 1) then raise exception 'a turn is refused' using errcode = 'OST03'; end if;
    insert into "ostinato".history(number, turn, first, count, format, body)
      select u.number, h_turn[u.n], y_first[u.n], y_count[u.n], p_format, y_body[u.n] from unnest(f_number) with ordinality u(number, n);
  end if;
  v_at := coalesce(p_at, "ostinato".now_1());
  if k_number is not null then
    delete from "ostinato".messages m using unnest(k_number) with ordinality u(number, n) where m.number = u.number and m.id = k_id[u.n] and m.due_at <= v_at;
    get diagnostics v_count = row_count;
    if v_count < array_length(k_number, 1) then raise exception 'a message is not there' using errcode = 'OST03'; end if;
  end if;
  if d_number is not null then
    delete from "ostinato".activities a using unnest(d_number) with ordinality u(number, n)
      where a.number = u.number and a.generation = d_generation[u.n] and a.task_id = d_task[u.n] and a.epoch = d_epoch[u.n];
    get diagnostics v_count = row_count;
    if v_count < array_length(d_number, 1) then raise exception 'an activity was claimed by somebody else' using errcode = 'OST03'; end if;
  end if;
  if e_number is not null then
    delete from "ostinato".messages m using unnest(e_number) with ordinality u(number, n) where m.number = u.number and m.execution = e_execution[u.n];
    delete from "ostinato".activities a using unnest(e_number) with ordinality u(number, n) where a.number = u.number and a.generation = e_generation[u.n];
  end if;
  if a_number is not null then
    insert into "ostinato".activities(number, generation, task_id, hub, name, execution_id, version, input, tags, attempt, idempotency_key, attempt_timeout_ms,
        expires_at, trace_context, epoch, born, delivery, owner, visible_at)
      select u.number, a_generation[u.n], a_task[u.n], p_hub, a_name[u.n], a_execution[u.n], a_version[u.n], a_input[u.n], a_tags[u.n], a_attempt[u.n],
        a_key[u.n], a_timeout[u.n], a_expires[u.n], a_trace[u.n], a_epoch[u.n], a_born[u.n], a_born[u.n], case when a_born[u.n] = 1 then p_owner end, v_at
      from unnest(a_number) with ordinality u(number, n);
  end if;
  if n_rows is not null then
    v_made := array(select nextval('"ostinato".instances_number_seq') from json_array_elements(n_rows));
    insert into "ostinato".instances(number, hub, owner, id, kind, name, created_at, parent_id, epoch, turn, history_length, updated_at, last_turn_at, attempts, status, started_at, completed_at, awaited_events, version, execution_id, lineage, scheduled_at, tags, trace_context, generation, held, not_before, stall, sections, locked_by, dropped, parent_execution, parent_name, parent_version, parent_task, format) overriding system value
      select v_made[u.place], p_hub, case when u.keep = 1 then p_owner end, u.id, u.kind, u.name, u.created_at, u.parent_id, u.epoch, u.turn, u.history_length, u.updated_at, u.last_turn_at, u.attempts, u.status, u.started_at, u.completed_at, u.awaited_events, u.version, u.execution_id, u.lineage, u.scheduled_at, u.tags, u.trace_context, u.generation, u.held, u.not_before, u.stall, u.sections, u.locked_by, u.dropped, u.parent_execution, u.parent_name, u.parent_version, u.parent_task, u.format from json_to_recordset(n_rows) u(place int, keep int, id text, kind bigint, name text, created_at bigint, parent_id text, epoch bigint, turn bigint, history_length bigint, updated_at bigint, last_turn_at bigint, attempts bigint, status bigint, started_at bigint, completed_at bigint, awaited_events text, version text, execution_id text, lineage text, scheduled_at bigint, tags text, trace_context text, generation bigint, held bigint, not_before bigint, stall text, sections text, locked_by text, dropped bigint, parent_execution text, parent_name text, parent_version text, parent_task bigint, format bigint);
    v_sequences := array(select nextval('"ostinato".sequences') from unnest(m_id));
    insert into "ostinato".messages(number, lane, due_at, sequence, id, execution, visible_at, arrived_at, format, body)
      select v_made[u.place], m_lane[u.n], greatest(m_visible[u.n], v_at), v_sequences[u.n], m_id[u.n], m_execution[u.n], m_visible[u.n], v_at, p_format, m_body[u.n]
      from unnest(m_place) with ordinality u(place, n);
    if s_place is not null then
      insert into "ostinato".ready(number, name, hub, at)
        select v_made[u.place], s_name[u.n], p_hub, greatest(s_at[u.n], v_at) from unnest(s_place) with ordinality u(place, n);
    end if;
  end if;
  if p_number is not null then
    insert into "ostinato".payloads(number, slot, value)
      select case when u.number < 0 then v_made[-u.number] else u.number end, p_slot[u.n], p_value[u.n] from unnest(p_number) with ordinality u(number, n)
      on conflict (number, slot) do update set value = excluded.value;
  end if;

  -- ---- what the others have sent meanwhile
  if 0 = any(h_keep) then
    select v_free || array_agg(u.number) into v_free from unnest(f_number) with ordinality u(number, n)
      where h_keep[u.n] = 0 and exists (select 1 from "ostinato".messages m where m.number = u.number);
  end if;
  if v_free is not null then
    select p.o_names, p.o_next into v_names, v_next from "ostinato".place_1(v_at, v_free) p;
  end if;
  if f_number is not null and exists (select 1 from "ostinato".news w where w.owner = p_owner) then
    with heard as (delete from "ostinato".news w where w.number = any(f_number) returning w.number) select array_agg(h.number) into v_heard from heard h;
  end if;
  if v_heard is not null or o_number is not null then
    select array_agg(distinct t.number) into v_look from unnest(v_heard || o_number) t(number) where v_free is null or t.number <> all(v_free);
    v_arrived := "ostinato".hand_out_1(v_at, v_look, null, o_handed_number, o_handed);
  end if;
  return json_build_object('at', v_at, 'made', v_made, 'sequences', v_sequences, 'arrived', v_arrived, 'ready', v_names, 'next', v_next);
end $function$;

CREATE OR REPLACE FUNCTION ostinato.take_over_1(p_hub integer, p_at bigint, p_limit integer, OUT o_count integer, OUT o_names text[])
 RETURNS record
 LANGUAGE plpgsql
 SET enable_seqscan TO 'off'
 SET enable_hashjoin TO 'off'
 SET enable_mergejoin TO 'off'
 SET enable_material TO 'off'
 SET jit TO 'off'
 SET plan_cache_mode TO 'force_generic_plan'
AS $function$
declare
  v_owner bigint; v_owners bigint[]; v_numbers bigint[]; v_activities int; v_names text[]; v_at bigint := coalesce(p_at, "ostinato".now_1()); v_timeline int := "ostinato".timeline_1();
begin
  o_count := 0;
  for v_owner in select o.owner from "ostinato".owners o where o.hub = p_hub and (o.gone or o.alive_until < v_at or o.timeline <> v_timeline) order by o.owner loop
    continue when not pg_try_advisory_xact_lock(797139664, v_owner::int);
    update "ostinato".owners o set gone = true where o.owner = (
      select x.owner from "ostinato".owners x where x.owner = v_owner and (x.gone or x.alive_until < v_at or x.timeline <> v_timeline) for update skip locked);
    if found then v_owners := v_owners || v_owner; end if;
  end loop;
  if v_owners is null then return; end if;
  select array_agg(t.number) into v_numbers from (
    select i.number from unnest(v_owners) o(owner) join "ostinato".instances i on i.owner = o.owner order by i.number limit p_limit) t;
  o_count := coalesce(array_length(v_numbers, 1), 0);
  if v_numbers is not null then
    select array_agg(t.number) into v_numbers from (
      select i.number from "ostinato".instances i where i.number = any(v_numbers) and i.owner = any(v_owners) order by i.number for no key update) t;
    update "ostinato".instances i set owner = null, epoch = i.epoch + 1 where i.number = any(v_numbers);
    select p.o_names into o_names from "ostinato".place_1(v_at, v_numbers) p;
  end if;
  if o_count < p_limit then
    with freed as (update "ostinato".activities t set owner = null, visible_at = v_at where t.owner = any(v_owners) returning t.name)
    select count(*), array_agg(distinct '#' || f.name) into v_activities, v_names from freed f;
    o_names := o_names || v_names;
    o_count := o_count + v_activities;
    delete from "ostinato".news w where w.owner = any(v_owners);
    delete from "ostinato".owners o where o.owner = any(v_owners);
  end if;
end $function$;

CREATE OR REPLACE FUNCTION ostinato.timeline_1()
 RETURNS integer
 LANGUAGE plpgsql
 STABLE
AS $function$
begin
  return ('x' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8))::bit(32)::int;
exception when others then return 0;
end $function$;
