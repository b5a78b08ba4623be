-- The roles of the cluster, in one place. Run it as a superuser inside Saphena's database; running it
-- again mends what differs. Plain SQL for PostgreSQL 15 and later, so psql and psycopg run the same file.
--
-- It reads settings that the caller gives, which psql takes from PGOPTIONS ("-c saphena.web_password=…"):
--   saphena.owner_password, saphena.web_password, saphena.release_password
--   saphena.createdb  'on' lets the owner create databases, which only tests need (they clone a template)

DO $$
DECLARE
    createdb text := CASE current_setting('saphena.createdb', true) WHEN 'on' THEN 'CREATEDB' ELSE 'NOCREATEDB' END;
    wanted record;
BEGIN
    FOR wanted IN SELECT * FROM (VALUES
        -- Owns the tables and migrates them; row-level security binds it too.
        ('saphena_owner', 'LOGIN INHERIT ' || createdb, current_setting('saphena.owner_password')),
        -- Web and worker processes: owns nothing and is a member of nothing, so it can become nobody else.
        ('saphena_web', 'LOGIN NOINHERIT NOCREATEDB', current_setting('saphena.web_password')),
        -- The dataset worker: reads nothing before it has taken the role of its profile.
        ('saphena_release', 'LOGIN NOINHERIT NOCREATEDB', current_setting('saphena.release_password')),
        ('release_safe_harbor', 'NOLOGIN NOINHERIT NOCREATEDB', NULL),
        ('release_limited', 'NOLOGIN NOINHERIT NOCREATEDB', NULL)
    ) AS roles (name, attributes, password)
    LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name) THEN
            EXECUTE format('CREATE ROLE %I', wanted.name);
        END IF;
        EXECUTE format('ALTER ROLE %I NOSUPERUSER NOCREATEROLE NOREPLICATION NOBYPASSRLS %s PASSWORD %L',
                       wanted.name, wanted.attributes, wanted.password);
    END LOOP;

    EXECUTE format('ALTER DATABASE %I OWNER TO saphena_owner', current_database());
    EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database());
    EXECUTE format('GRANT CONNECT ON DATABASE %I TO saphena_owner, saphena_web, saphena_release', current_database());
END
$$;

-- To a NOINHERIT role this grants SET ROLE alone (from PostgreSQL 16 on: WITH INHERIT FALSE, SET TRUE).
GRANT release_safe_harbor, release_limited TO saphena_release;

REVOKE CREATE ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO saphena_owner;
