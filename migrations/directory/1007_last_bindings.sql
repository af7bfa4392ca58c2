-- The last binding of a WeChat user, asked for at each entry and while a worker trains.
CREATE INDEX bindings_user ON bindings (wechat_user_id, ended_at);
