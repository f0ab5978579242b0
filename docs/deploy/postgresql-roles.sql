-- Four roles, so that the process that visitors reach cannot read an answer. Run it in the product's database as a
-- superuser, once after the first `engagement migrate` and again after every later one: new tables need it too.
--
--   engagement_owner    owns the tables; runs `engagement migrate` and `restore`
--   engagement_worker   opens, mixes and releases rounds: reads and writes rows, and owns the two tables that it
--                       rewrites at close (VACUUM FULL), so that the order of arrival is gone from their files
--   engagement_app      pages and forms: adds sealed answers, reads none, sealed or mixed
--   engagement_backup   reads everything and writes nothing: pg_dump
--
-- Give each a password with \password, or let each in by its system user (peer) in pg_hba.conf. Then set
-- ENGAGEMENT_DATABASE_URL to postgresql://engagement_app@/engagement for the app, and so on.

DO $$
DECLARE
    role text;
    thing record;
BEGIN
    FOREACH role IN ARRAY ARRAY['engagement_owner', 'engagement_worker', 'engagement_app', 'engagement_backup'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE', role);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;
    EXECUTE format('REVOKE ALL ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO engagement_owner, engagement_worker, engagement_app, engagement_backup',
                   current_database());
    -- The owner of the tables owns what stands around them too.
    FOR thing IN SELECT tablename FROM pg_tables WHERE schemaname = 'public' LOOP
        EXECUTE format('ALTER TABLE public.%I OWNER TO engagement_owner', thing.tablename);
    END LOOP;
    FOR thing IN SELECT p.oid::regprocedure AS name FROM pg_proc p
                 WHERE p.pronamespace = 'public'::regnamespace LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO engagement_owner', thing.name);
    END LOOP;
END $$;

-- Migrations change those two tables as well.
GRANT engagement_worker TO engagement_owner;

REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO engagement_owner;
GRANT USAGE ON SCHEMA public TO engagement_worker, engagement_app, engagement_backup;
ALTER TABLE sealed_answer OWNER TO engagement_worker;
ALTER TABLE participation OWNER TO engagement_worker;

REVOKE ALL ON ALL TABLES IN SCHEMA public FROM PUBLIC, engagement_app, engagement_worker, engagement_backup;
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO engagement_worker, engagement_app;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO engagement_worker, engagement_app;
-- With the right to rewrite them, which newer versions keep apart and take from owners too.
GRANT ALL ON sealed_answer, participation TO engagement_worker;
-- For pg_dump, which also reads how far each sequence is.
GRANT SELECT ON ALL TABLES IN SCHEMA public TO engagement_backup;
GRANT SELECT ON ALL SEQUENCES IN SCHEMA public TO engagement_backup;

-- The app: answers go in sealed and never come out; what is published, counted or logged is not its to change.
REVOKE ALL ON response, panel_skip, sealed_answer FROM engagement_app;
GRANT INSERT ON sealed_answer TO engagement_app;
REVOKE INSERT, DELETE ON participation FROM engagement_app;
REVOKE INSERT, UPDATE, DELETE ON practice_participation, comment, assessment, outreach_evaluation, alembic_version
    FROM engagement_app;
REVOKE UPDATE, DELETE ON audit_entry, release, round_amendment, outreach_evaluation FROM engagement_app, engagement_worker;
REVOKE INSERT, UPDATE, DELETE ON alembic_version FROM engagement_worker;
