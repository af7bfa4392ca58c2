-- Lays the ground for one service in this database: three roles, a schema, and the functions its migrations protect
-- their tables with. Runs as the administrator before each migration; a second run changes nothing.
--   sitepass_{service}_owner   owns the schema, runs migrations, cannot log in
--   sitepass_{service}_app     the pool; sees the sites its transaction names, owns nothing
--   sitepass_{service}_system  taken with SET LOCAL ROLE by Scope::System; sees every site
BEGIN;
SELECT pg_advisory_xact_lock(hashtext('sitepass bootstrap'));

-- Roles belong to the whole cluster, the lock to this database: another database may make them in the same moment.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['sitepass_{service}_owner', 'sitepass_{service}_app', 'sitepass_{service}_system'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format(
                    'CREATE ROLE %I NOSUPERUSER NOCREATEDB NOCREATEROLE NOINHERIT NOREPLICATION NOBYPASSRLS %s',
                    name, CASE WHEN name LIKE '%\_app' THEN 'LOGIN' ELSE 'NOLOGIN' END);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                NULL;
            END;
        END IF;
    END LOOP;

    IF NOT pg_has_role('sitepass_{service}_app', 'sitepass_{service}_system', 'MEMBER') THEN
        BEGIN
            GRANT sitepass_{service}_system TO sitepass_{service}_app;
        EXCEPTION WHEN unique_violation THEN
            NULL;
        END;
    END IF;
    IF NOT pg_has_role(current_user, 'sitepass_{service}_owner', 'MEMBER') THEN
        EXECUTE format('GRANT sitepass_{service}_owner TO %I', current_user);
    END IF;

    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO sitepass_{service}_app', current_database());
END
$$;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA IF NOT EXISTS {service} AUTHORIZATION sitepass_{service}_owner;
GRANT USAGE ON SCHEMA {service} TO sitepass_{service}_app, sitepass_{service}_system;

SET LOCAL ROLE sitepass_{service}_owner;

-- The sites of the transaction at hand: none unless it named some, and none again after it ended.
CREATE OR REPLACE FUNCTION {service}.app_sites() RETURNS uuid[] LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce(nullif(current_setting('app.sites', true), '')::uuid[], '{}'::uuid[])
$$;

-- A table whose rows each belong to a site: the app role sees those of its transaction, the system role all.
CREATE OR REPLACE FUNCTION {service}.protect_by_site(
    name text, rights text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'
) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    target text := format('{service}.%I', name);
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    -- Without the inner SELECT the list is parsed once per row.
    EXECUTE format(
        'CREATE POLICY by_site ON %s TO sitepass_{service}_app '
        'USING (site_id = ANY ((SELECT {service}.app_sites())::uuid[])) '
        'WITH CHECK (site_id = ANY ((SELECT {service}.app_sites())::uuid[]))', target);
    EXECUTE format(
        'CREATE POLICY every_site ON %s TO sitepass_{service}_system USING (true) WITH CHECK (true)', target);
    EXECUTE format('GRANT %s ON %s TO sitepass_{service}_app, sitepass_{service}_system', rights, target);
END
$$;

-- A table that belongs to no site.
CREATE OR REPLACE FUNCTION {service}.protect_global(
    name text, rights text DEFAULT 'SELECT, INSERT, UPDATE, DELETE'
) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format(
        'GRANT %s ON %s TO sitepass_{service}_app, sitepass_{service}_system', rights, format('{service}.%I', name));
END
$$;

REVOKE ALL ON FUNCTION {service}.protect_by_site(text, text), {service}.protect_global(text, text) FROM PUBLIC;
COMMIT;
