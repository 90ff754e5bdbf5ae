-- Some things are looked at once and are then done, whatever came of it.
ALTER TABLE agenda ADD COLUMN once boolean NOT NULL DEFAULT false;
