-- A notice is known by its processor, its command and the processor's reference: a refund may be
-- reported under the reference of its charge.
ALTER TABLE inbox DROP CONSTRAINT inbox_pkey;
ALTER TABLE inbox ADD PRIMARY KEY (processor, processor_ref, command);
