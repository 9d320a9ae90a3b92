-- What a held command would change, as lines in JSON, and what came of it once it ran.

ALTER TABLE approvals ADD COLUMN preview TEXT NOT NULL DEFAULT '[]';
ALTER TABLE approvals ADD COLUMN outcome TEXT;
