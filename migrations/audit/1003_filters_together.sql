-- Two filters find their entries as one does: of an actor or an action with half of the log, the few of the other.
CREATE INDEX entries_by_actor_and_action ON entries (site_id, actor, action, at, position);
CREATE INDEX entries_by_actor_and_target_type ON entries (site_id, actor, target_type, at, position);
CREATE INDEX entries_by_action_and_target_type ON entries (site_id, action, target_type, at, position);
