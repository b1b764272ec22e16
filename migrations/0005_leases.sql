-- Tasks that programs outside run: a restart of the service keeps their attempts.
--
-- Set while an outside worker has the attempt: the time of the claim and the processor's lease. Calls of
-- the worker renew the lease in the service's memory alone, and each start of the service gives every
-- lease its full length again. So a running attempt may have a time in the past here. NULL if the
-- service runs the attempt itself, or nobody does.
ALTER TABLE tasks ADD COLUMN leased_until TEXT;
