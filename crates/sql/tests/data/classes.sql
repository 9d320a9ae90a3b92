-- A type whose order is a function of its own, and an index with an operator class that is not its type's.
CREATE TYPE weight AS (grams int);
CREATE FUNCTION weight_cmp(weight, weight) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 0; END $$;
CREATE FUNCTION weight_less(weight, weight) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN false; END $$;
CREATE OPERATOR <<< (LEFTARG = weight, RIGHTARG = weight, FUNCTION = weight_less);
CREATE OPERATOR CLASS weights DEFAULT FOR TYPE weight USING btree AS OPERATOR 1 <<<, FUNCTION 1 weight_cmp(weight, weight);
CREATE TABLE sorted(key weight, body text);
CREATE FUNCTION backwards_cmp(int, int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 0; END $$;
CREATE OPERATOR CLASS backwards FOR TYPE int USING btree AS OPERATOR 1 >, FUNCTION 1 backwards_cmp(int, int);
CREATE TABLE backwards(id int);
CREATE INDEX ON backwards (id backwards);
ALTER TABLE sorted OWNER TO app;
-- A family's function between two types: comparing integers does not run it.
CREATE FUNCTION int_mood(int, mood) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN 0; END $$;
ALTER OPERATOR FAMILY integer_ops USING btree ADD FUNCTION 1 (int, mood) int_mood(int, mood);
